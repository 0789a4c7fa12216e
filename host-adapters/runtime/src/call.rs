//! Calls and their outcomes.

use std::sync::Arc;

pub use host_adapters_event::{CallError, Disposition, Event, Payload, Retry};

/// The result of a call, and which component served it.
#[derive(Debug)]
pub struct Called<T> {
    /// The answer, or why there is none.
    pub result: Result<T, CallError>,
    /// SHA-256 of the component that served, hex.
    pub digest: Arc<str>,
    /// What the instance needed during the call and found down as a whole: `service:entry`, `table:demand-table`.
    /// With several calls in one instance it is what any of them found.
    pub outages: Vec<String>,
    /// Which routes of services refused the call and, as it seems, everybody's: other records may show that it was their
    /// own fault. Found as `outages` are.
    pub refusing: Vec<String>,
}

/// An extension of a request: adds what a component receives in addition to the client's request. It runs only for
/// components that read requests as HTTP; typed requests have neither headers nor a URI.
#[derive(Clone)]
pub struct Completion(pub Arc<dyn Fn(&mut http::request::Parts) + Send + Sync>);
