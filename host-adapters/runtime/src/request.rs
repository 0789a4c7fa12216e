//! HTTP requests as typed calls of `registration:workers/request-worker`: what the guest's own endpoint at
//! `wasi:http/handler` does, done by the host, which has the whole request at hand. A Spin host takes that endpoint.

use crate::response::{MAX_RESPONSE_BYTES, bounded};
use bytes::Bytes;
use host_adapters_event::appsync::Context;
use host_adapters_event::{Failure, Request, Response};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

/// The typed request, or the answer to one that no worker reads. The dispatcher has read the event's context, and set it
/// in the headers.
pub(crate) fn typed(request: http::Request<Bytes>) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return Err(Response::error(405, "METHOD_NOT_ALLOWED", "send the event with POST"));
    }
    Request::read(body.into(), |name| text(&parts.headers, name), |_| Context::default())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The answer over HTTP; an error for what is not one.
pub(crate) fn answered(answer: Result<Response, Failure>) -> Result<http::Response<Bytes>, String> {
    let failed = |failure: Failure| Failure { message: bounded(&failure.message).to_owned(), ..failure }.into();
    let Response { status, body } = answer.unwrap_or_else(failed);
    match StatusCode::from_u16(status) {
        Ok(status) if !status.is_informational() && body.len() <= MAX_RESPONSE_BYTES => Ok(json(status, body)),
        Ok(status) if !status.is_informational() => {
            Err(format!("its answer has {} bytes (at most {MAX_RESPONSE_BYTES})", body.len()))
        }
        _ => Err(format!("it answered with the status {status}, which is not an answer")),
    }
}

fn json(status: StatusCode, body: String) -> http::Response<Bytes> {
    let mut response = http::Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn headers_become_members() {
        let request = http::Request::post("/").header("Authorization", "bearer t").header("x-correlation-id", "c");
        let request = typed(request.header("traceparent", "00-1-2-01").body("{}".into()).unwrap()).unwrap();
        assert_eq!((request.token.as_deref(), request.correlation_id.as_str()), (Some("t"), "c"));
        assert_eq!((request.traceparent.as_deref(), request.body.as_str()), (Some("00-1-2-01"), "{}"));
    }

    #[test]
    fn what_no_worker_reads_is_refused() {
        let refused = |request: http::request::Builder, body: &'static [u8]| {
            typed(request.body(Bytes::from_static(body)).unwrap()).unwrap_err().status
        };
        assert_eq!(refused(http::Request::get("/"), b""), 405);
        assert_eq!(refused(http::Request::post("/"), b"\xff"), 400);
    }

    #[test]
    fn failures_and_no_answers_are_told_apart() {
        let status = |retryable| answered(Err(Failure { retryable, message: "m".into() })).unwrap().status();
        assert_eq!((status(true), status(false)), (StatusCode::SERVICE_UNAVAILABLE, StatusCode::INTERNAL_SERVER_ERROR));
        for status in [99, 100, 199, 1000] {
            assert!(answered(Ok(Response { status, body: String::new() })).is_err(), "{status}");
        }
        let wordy = answered(Err(Failure { retryable: true, message: "m".repeat(MAX_RESPONSE_BYTES) })).unwrap();
        assert!(wordy.body().len() < 8 << 10, "{} bytes", wordy.body().len());
        let large = Response { status: 200, body: "a".repeat(MAX_RESPONSE_BYTES + 1) };
        assert!(answered(Ok(large)).unwrap_err().contains("at most 6291456"));
    }
}
