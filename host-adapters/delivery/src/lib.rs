//! The life of a record between a source and a worker, the same for every source.
//!
//! 1. [`batch`]: records are gathered until the limit of size, bytes or window is met.
//! 2. [`circuit_breaker`]: while a dependency of the worker is down, nothing is handed over; a probe detects when it is
//!    up again.
//! 3. [`call`]: the worker is called; a missing disposition is never success.
//! 4. The dispositions are carried out at the source: by the source `sqs` message by message, by [`stream`] in order.
//!    Only then is a message deleted or a [`checkpoint`] moved.
//! 5. A record that is given up becomes a [`dead_letter`], payload included. The dead letter is stored before the
//!    record is deleted or passed by the checkpoint. [`redrive`] sends the record back.
//!
//! [`drain`] ends delivery: intake first, then calls in flight; at the deadline the rest is returned. All waits use
//! tokio's clock, so a test that pauses the clock sees each of these steps at its exact time.

pub mod batch;
pub mod call;
pub mod checkpoint;
pub mod dead_letter;
pub mod dispatch;
pub mod drain;
mod key_slice;
pub mod metrics;
mod on_reject;
pub mod redrive;
pub mod split;
pub mod stream;

pub use host_adapters_event as event;
pub use host_adapters_platform::{circuit_breaker, retry};
pub use on_reject::OnReject;
