//! A request to a worker, and its answer.

use crate::{Failure, appsync, endpoint};
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

impl Request {
    /// The request of a body and its headers over HTTP, or the answer to one that no worker reads. What the headers leave
    /// out is what `context` finds in the event; the correlation id may be empty.
    pub fn read<'h>(
        body: Vec<u8>,
        header: impl Fn(&str) -> Option<&'h str>,
        context: impl FnOnce(&str) -> appsync::Context,
    ) -> Result<Self, Response> {
        let not_text = |_| Response::error(400, "MALFORMED_EVENT", "the event is not UTF-8");
        let body = String::from_utf8(body).map_err(not_text)?;
        let given = |name| header(name).map(str::to_owned);
        let (correlation_id, traceparent) = (given("x-correlation-id"), given("traceparent"));
        let event = match (&correlation_id, &traceparent) {
            (Some(_), Some(_)) => appsync::Context::default(),
            _ => context(&body),
        };
        Ok(Self {
            body,
            token: header("authorization").and_then(endpoint::fan_token).map(str::to_owned),
            correlation_id: correlation_id.or(event.correlation_id).unwrap_or_default(),
            traceparent: traceparent.or(event.traceparent),
        })
    }
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
