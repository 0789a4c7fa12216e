//! Calls and their outcomes. The records are those of `wit/events.wit`.

use std::sync::Arc;
use std::time::Duration;

pub use crate::bindings::registration::workers::events::{Disposition, Event, Payload};

/// A batch for a worker.
pub type BatchCall = Vec<Event>;

/// What came of a call, and which component served it.
#[derive(Debug)]
pub struct Called<T> {
    /// The answer, or why there is none.
    pub result: Result<T, CallError>,
    /// SHA-256 of the component that served, hex.
    pub digest: Arc<str>,
    /// What the instance needed during the call and found down as a whole: `service:entry`, `table:demand-table`.
    /// With several calls in one instance it is what any of them found.
    pub outages: Vec<String>,
}

/// Why a call has no answer. Every one of them may be tried again.
#[derive(Clone, Debug, thiserror::Error, Eq, PartialEq)]
pub enum CallError {
    /// The worker answered that it failed.
    #[error("worker failed: {0}")]
    Failed(String),
    /// The worker answered that it failed, and that the same call will fail again.
    #[error("worker failed for good: {0}")]
    Permanent(String),
    /// The sandbox ended: a trap, a limit, or a neighbour in the same instance.
    #[error("worker trapped: {0}")]
    Trapped(String),
    /// The wall-time limit passed.
    #[error("worker did not answer within {0:?}")]
    TimedOut(Duration),
    /// No such component, it does not export this kind of call, or it cannot be started.
    #[error("worker cannot be called: {0}")]
    NotCallable(String),
}
