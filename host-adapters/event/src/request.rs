//! A request to a worker, and its answer.

use crate::{Failure, appsync, endpoint};
#[cfg(feature = "component")]
use wasmtime::component::{ComponentType, Lift, Lower};

/// The header with [`Request::task_id`].
const TASK_HEADER: &str = "x-task-id";
/// The header with [`Request::attempt`].
const ATTEMPT_HEADER: &str = "x-task-attempt";

/// What a request worker is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "component", derive(ComponentType, Lower), component(record))]
pub struct Request {
    /// The event JSON that AWS Lambda would hand the worker.
    pub body: String,
    /// The caller's token, without `Bearer `.
    pub token: Option<String>,
    /// The id of the execution that a task's request is made for: the same in all its attempts. Other requests have none.
    #[cfg_attr(feature = "component", component(name = "task-id"))]
    pub task_id: Option<String>,
    /// 1 at first. Above 1, an earlier attempt of the execution may have had effects.
    pub attempt: u32,
    /// Whether another attempt of the execution follows if this one fails and may be repeated. False for the last one, and
    /// where the host does not know: behind Step Functions, over HTTP, for requests that are not a task's.
    #[cfg_attr(feature = "component", component(name = "attempts-remain"))]
    pub attempts_remain: bool,
    /// Follows the request through logs and services.
    #[cfg_attr(feature = "component", component(name = "correlation-id"))]
    pub correlation_id: String,
    /// W3C trace context of the call.
    pub traceparent: Option<String>,
}

impl Request {
    /// Makes a request from a body and headers over HTTP. The error is the response to a body that no worker reads.
    /// `context` finds in the event what the headers lack; the correlation id may be empty. The request is not of a
    /// task, see [`Request::of_task`].
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
            task_id: None,
            attempt: 1,
            attempts_remain: false,
            correlation_id: correlation_id.or(event.correlation_id).unwrap_or_default(),
            traceparent: traceparent.or(event.traceparent),
        })
    }

    /// The same as an attempt of an execution, if its headers name one. Only for a caller who may start tasks: a fan does
    /// not say which execution a request is of.
    #[must_use]
    pub fn of_task<'h>(self, header: impl Fn(&str) -> Option<&'h str>) -> Self {
        let attempt = header(ATTEMPT_HEADER).and_then(|attempt| attempt.parse().ok()).filter(|attempt| *attempt > 0);
        Self { task_id: header(TASK_HEADER).map(str::to_owned), attempt: attempt.unwrap_or(1), ..self }
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

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_named_by_headers() {
        let of = |headers: &[(&str, &'static str)]| {
            let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            let request = Request::read(b"{}".to_vec(), header, |_| appsync::Context::default()).unwrap();
            assert_eq!((request.task_id.as_deref(), request.attempt), (None, 1), "not by itself");
            let request = request.of_task(header);
            (request.task_id, request.attempt)
        };
        assert_eq!(of(&[("x-task-id", "t"), ("x-task-attempt", "3")]), (Some("t".to_owned()), 3));
        assert_eq!(of(&[("x-task-id", "t")]), (Some("t".to_owned()), 1));
        assert_eq!(of(&[("x-task-id", "t"), ("x-task-attempt", "0")]), (Some("t".to_owned()), 1));
        assert_eq!(of(&[]), (None, 1));
    }
}
