//! How delivery calls workers. `host-adapters` implements it with components, tests with closures.

use crate::event::{Disposition, Event};

/// Hands batches to workers.
#[async_trait::async_trait]
pub trait Dispatch: Send + Sync + 'static {
    /// Hands `batch` to `worker` and waits for its response, for as long as the worker's limits allow. While all
    /// instances are busy it waits; it does not fail.
    async fn dispatch(&self, worker: &str, batch: Vec<Event>) -> Dispatched;
}

/// The result of one call.
#[derive(Clone, Debug)]
pub struct Dispatched {
    /// One disposition per event and in the same order, or why the whole call failed (then every record is `Retry`).
    /// A list shorter than the batch leaves the rest `Retry`; a longer one fails the call.
    pub result: Result<Vec<Disposition>, CallError>,
    /// SHA-256 of the component that handled the call, hex; empty if none did.
    pub digest: String,
    /// Dependencies that were still down after the retries of the call: `service:entry`, `table:demand-table`. If there
    /// are any, `Retry` dispositions count as an outage, and the source pauses.
    pub outages: Vec<String>,
}

/// Why a whole call failed; every record of it is retried.
#[derive(Clone, Debug, thiserror::Error, Eq, PartialEq)]
pub enum CallError {
    /// The worker itself returned a failure.
    #[error("worker failed: {0}")]
    Failed(String),
    /// The worker itself returned a permanent failure: the same call will fail again. The batch is halved, and a record
    /// that fails alone is given up.
    #[error("worker failed for good: {0}")]
    Permanent(String),
    /// The instance ended: by a trap, a memory limit or a CPU limit, of this call or of another in the same instance.
    #[error("worker trapped: {0}")]
    Trapped(String),
    /// The wall-time limit passed.
    #[error("worker did not answer within {0:?}")]
    TimedOut(std::time::Duration),
    /// The response has more dispositions than the batch has records.
    #[error("worker answered {0} dispositions for {1} records")]
    TooMany(usize, usize),
    /// No such worker, or it cannot be started.
    #[error("worker cannot be called: {0}")]
    NotCallable(String),
}
