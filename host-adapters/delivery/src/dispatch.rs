//! The way from delivery to the runtime. `host-adapters` implements it with components, tests with closures.

pub use crate::event::CallError;
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
