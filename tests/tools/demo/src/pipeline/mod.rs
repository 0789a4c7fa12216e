//! The data pipeline: what the resolver and the seeder queue must be in the event log, each record once by its dedup
//! identifier, and nothing else.
//!
//! [`due`] says what is queued and what must come of it, [`read`] reads the event log, [`schema`] checks values by the
//! project's schemas, without the validator that the workers use, [`check`] compares, and [`piped`] is the part of the
//! summary. [`mod@down`] lets the event log fail for a while.

mod check;
mod down;
mod due;
mod piped;
mod read;
mod schema;
mod send;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests;

pub use down::{check_lag, down};
pub use due::{QUEUE, registration};
pub use piped::{Piped, Pipeline};
pub use send::seed;

/// Whether a queue is one of the data pipeline, for which replication does not wait.
pub fn has(queue: &str) -> bool {
    queue == QUEUE || queue.ends_with("DataQueue")
}
