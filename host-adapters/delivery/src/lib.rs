//! Everything between a source and a worker, and between a worker and its backends, without a word of wasmtime.
//!
//! - [`delivery`]: batching, order, retry, checkpoint, dead letters.
//! - [`dead letter`]: a dead letter, to be read, sent back or dropped.
//! - [`sources`]: one folder per kind of source.
//! - [`platform`]: what workers may call, each call checked against its grant.
//! - [`backends`]: what stands behind a source or a platform interface.
//! - [`services`]: outbound HTTP policy: app-to-app JWT, rate limits, retries.
//! - [`failpoint`]: where a test may end the process.

pub mod backends;
pub mod clock;
pub mod dead_letter;
pub mod delivery;
pub mod dispatch;
pub mod event;
pub mod failpoint;
pub mod platform;
pub mod services;
pub mod sources;
