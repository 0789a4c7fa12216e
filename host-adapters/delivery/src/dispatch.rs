//! How delivery calls workers. `host-adapters` implements it with components, tests with closures.

pub use crate::event::CallError;
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
    /// Routes of services that refuse everybody, as it seems. They count as `outages` do, but other records may show that
    /// it was these records' own fault, so others are delivered meanwhile.
    pub refusing: Vec<String>,
    /// The W3C trace context in which the worker handled the call.
    pub traceparent: Option<String>,
}

/// An empty response: every record is `Retry`.
impl Default for Dispatched {
    fn default() -> Self {
        let (result, digest, outages, refusing) = (Ok(Vec::new()), String::new(), Vec::new(), Vec::new());
        Self { result, digest, outages, refusing, traceparent: None }
    }
}
