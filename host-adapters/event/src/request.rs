//! A request to a worker, and its answer.

use crate::{Failure, endpoint};
#[cfg(feature = "component")]
use wasmtime::component::{ComponentType, Lift, Lower};

/// What a request worker is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "component", derive(ComponentType, Lower), component(record))]
pub struct Request {
    /// The event JSON that AWS Lambda would hand the worker.
    pub body: String,
    /// The caller's token, without `Bearer `.
    pub token: Option<String>,
    /// Follows the request through logs and services.
    #[cfg_attr(feature = "component", component(name = "correlation-id"))]
    pub correlation_id: String,
    /// W3C trace context of the call.
    pub traceparent: Option<String>,
}

/// What a request worker answers.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "component", derive(ComponentType, Lift), component(record))]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// JSON text.
    pub body: String,
}

impl Response {
    /// A JSON answer.
    pub fn json(status: u16, body: &impl serde::Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_string(body)
            .map_err(|error| Failure::permanent(format!("the answer cannot be written as JSON: {error}")))?;
        Ok(Self { status, body })
    }

    /// An answer whose body is [`endpoint::error_body`].
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self { status, body: endpoint::error_body(code, message) }
    }
}

/// 503 where the same call may succeed later, else 500.
impl From<Failure> for Response {
    fn from(failure: Failure) -> Self {
        let status = if failure.retryable { 503 } else { 500 };
        Self::error(status, "WORKER_FAILED", &failure.message)
    }
}
