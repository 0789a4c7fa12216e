//! The data pipeline: what the resolver and the seeder queue must be in the event log, each record once by its dedup
//! identifier, and nothing else.
//!
//! [`due`] says what is queued and what must come of it, [`read`] reads the event log (`kafka` where it is in Kafka),
//! [`schema`] checks values by the project's schemas, without the validator that the workers use, [`check`] compares, and
//! [`piped`] is the part of the summary. [`mod@down`] lets the event log fail for a while.

mod check;
mod down;
mod due;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(not(feature = "kafka"))]
mod no_kafka;
mod piped;
mod read;
mod schema;
mod send;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests;

pub use down::{check_lag, down};
pub use due::{QUEUE, registration};
#[cfg(feature = "kafka")]
pub use kafka::Kafka;
#[cfg(not(feature = "kafka"))]
pub use no_kafka::Kafka;
pub use piped::{Piped, Pipeline};
pub use read::EventLog;
pub use send::seed;

/// Whether a queue is one of the data pipeline, for which replication does not wait.
pub fn has(queue: &str) -> bool {
    queue == QUEUE || queue.ends_with("DataQueue")
}
