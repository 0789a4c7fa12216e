//! The way from delivery to the runtime. `host-adapters` implements it with components, tests with closures.

use crate::event::{Disposition, Event};

/// Hands batches to workers.
#[async_trait::async_trait]
pub trait Dispatch: Send + Sync + 'static {
    /// Hands `batch` to `worker` and waits for its answer, however long the worker's limits allow. Waits, rather than
    /// fails, while all instances are busy.
    async fn dispatch(&self, worker: &str, batch: Vec<Event>) -> Dispatched;
}

/// What came of one call.
#[derive(Clone, Debug)]
pub struct Dispatched {
    /// One disposition per event and in the same order, or why the whole call failed (then every record is `Retry`).
    /// A list shorter than the batch leaves the rest `Retry`; a longer one fails the call.
    pub answer: Result<Vec<Disposition>, CallError>,
    /// SHA-256 of the component that served, hex; empty if none did.
    pub digest: String,
    /// What the worker needed and found down as a whole during the call, after the retries: `service:entry`,
    /// `table:demand-table`. Not empty means that its `Retry` answers are an outage: the source pauses.
    pub outages: Vec<String>,
}

/// Why a whole call failed; every record of it is retried.
#[derive(Clone, Debug, thiserror::Error, Eq, PartialEq)]
pub enum CallError {
    /// The worker itself answered that it failed.
    #[error("worker failed: {0}")]
    Failed(String),
    /// The worker itself answered that it failed, and that the same call will fail again: its batch is halved, and a
    /// record that fails alone is given up.
    #[error("worker failed for good: {0}")]
    Permanent(String),
    /// The sandbox ended: a trap, memory or CPU limit, or a neighbour in the same instance did so.
    #[error("worker trapped: {0}")]
    Trapped(String),
    /// The wall-time limit passed.
    #[error("worker did not answer within {0:?}")]
    TimedOut(std::time::Duration),
    /// The answer is not one for this batch.
    #[error("worker answered {0} dispositions for {1} records")]
    TooMany(usize, usize),
    /// No such worker, or it cannot be started.
    #[error("worker cannot be called: {0}")]
    NotCallable(String),
}
