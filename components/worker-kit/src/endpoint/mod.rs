//! The HTTP endpoint at `/workers/<id>`: Lambda's event JSON in, Lambda's answer out.
//!
//! AppSync, a Spin host, the bridge and `curl` use it. In process, `host-adapters` makes the typed call instead.
//! Request workers take the fan's token; all others take the worker token.

mod auth;
mod batch;
mod request;

pub use batch::{answer as answer_batch, handle as batch};
pub use request::{answer as answer_request, handle as request};

use http_body_util::BodyExt;
use spin_sdk::http::{FullBody, HeaderMap, IntoResponse, Request};
use spin_sdk::wasip3::http::types::{ErrorCode, Response};
use worker_endpoint::error_body;

/// An answer before it is sent.
#[doc(hidden)]
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
}

impl Reply {
    fn error(status: u16, code: &str, message: &str) -> Self {
        Self { status, body: error_body(code, message) }
    }

    fn send(self) -> Result<Response, ErrorCode> {
        let internal = |error: &dyn std::fmt::Display| ErrorCode::InternalError(Some(error.to_string()));
        let response = spin_sdk::http::Response::builder()
            .status(self.status)
            .header("content-type", "application/json")
            .body(FullBody::new(bytes::Bytes::from(self.body)))
            .map_err(|error| internal(&error))?;
        response.into_response()
    }
}

/// A failed call: 503 where the same call may succeed later, else 500.
impl From<crate::Failure> for Reply {
    fn from(failure: crate::Failure) -> Self {
        let status = if failure.retryable { 503 } else { 500 };
        Self::error(status, "WORKER_FAILED", &failure.message)
    }
}

/// The request's body; only POST has one that a worker reads.
async fn body<B: BodyExt<Error: std::fmt::Display>>(request: Request<B>) -> Result<Vec<u8>, Reply> {
    if request.method() != spin_sdk::http::Method::POST {
        return Err(Reply::error(405, "METHOD_NOT_ALLOWED", "send the event with POST"));
    }
    let body = request.into_body().collect().await;
    body.map(|body| body.to_bytes().to_vec()).map_err(|error| Reply::error(400, "BODY_NOT_READ", &error.to_string()))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
