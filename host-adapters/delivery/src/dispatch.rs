//! How delivery calls workers. `host-adapters` implements it with components, tests with closures.

pub use crate::event::CallError;
use crate::event::{Disposition, Event, Request, Response};

/// Hands batches and requests to workers.
#[async_trait::async_trait]
pub trait Dispatch: Send + Sync + 'static {
    /// Hands `batch` to `worker` and waits for its response, for as long as the worker's limits allow. While all
    /// instances are busy it waits; it does not fail.
    async fn dispatch(&self, worker: &str, batch: Vec<Event>) -> Dispatched;

    /// Hands a request of a task to `worker`, as [`Dispatch::dispatch`] does with a batch. The default implementation
    /// refuses every request.
    async fn request(&self, _worker: &str, _request: Request) -> Dispatched<Response> {
        Dispatched::of(Err(CallError::NotCallable("it takes no requests here".to_owned())))
    }
}

/// The result of one call.
#[derive(Clone, Debug)]
pub struct Dispatched<T = Vec<Disposition>> {
    /// The response, or why the whole call failed. For a batch the response is one disposition per event, in the same
    /// order; a failure means `Retry` for every record. A list shorter than the batch leaves the rest `Retry`; a longer
    /// one fails the call.
    pub result: Result<T, CallError>,
    /// SHA-256 of the component that handled the call, hex; empty if none did.
    pub digest: String,
    /// Dependencies that were still down after the retries of the call: `service:entry`, `table:demand-table`. If there
    /// are any, `Retry` dispositions count as an outage, and the source pauses.
    pub outages: Vec<String>,
    /// Routes of services that currently refuse all requests. They count like `outages`, but the records themselves may
    /// be the cause, so other records are delivered meanwhile to find out.
    pub refusing: Vec<String>,
    /// The W3C trace context in which the worker handled the call.
    pub traceparent: Option<String>,
}

impl<T> Dispatched<T> {
    /// This result, from a call that found no dependency down.
    pub fn of(result: Result<T, CallError>) -> Self {
        Self { result, digest: String::new(), outages: Vec::new(), refusing: Vec::new(), traceparent: None }
    }
}

/// An empty response: every record is `Retry`.
impl Default for Dispatched {
    fn default() -> Self {
        Self::of(Ok(Vec::new()))
    }
}
