//! What a worker answers to a batch.

#[cfg(feature = "component")]
use wasmtime::component::{ComponentType, Lift};

/// A worker's decision on one record.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "component", derive(ComponentType, Lift), component(variant))]
pub enum Disposition {
    /// Done.
    #[cfg_attr(feature = "component", component(name = "ack"))]
    Ack,
    /// Deliver again, not before so many milliseconds have passed if given; after the last attempt, the DLQ. A stream,
    /// which waits with all that follows, waits a second at least.
    #[cfg_attr(feature = "component", component(name = "retry"))]
    Retry(Option<u64>),
    /// Can never succeed; the reason is for the log and the metric.
    #[cfg_attr(feature = "component", component(name = "reject"))]
    Reject(String),
}

/// The whole call failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "component", derive(ComponentType, Lift), component(record))]
#[error("{message}")]
pub struct Failure {
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// What happened.
    pub message: String,
}

impl Failure {
    /// A failure that may pass, be it because somebody mends the worker's set-up.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self { retryable: true, message: message.into() }
    }

    /// A failure that lies in the records themselves: they are given up.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { retryable: false, message: message.into() }
    }
}
