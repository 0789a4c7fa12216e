//! The HTTP endpoint at `/workers/<id>`: Lambda's event JSON in, Lambda's answer out.
//!
//! AppSync, a Spin host, the bridge and `curl` use it. In process, `host-adapters` makes the typed call instead.
//! Request workers take the fan's token, unless they do tasks; all others take the worker token.

mod auth;
mod batch;
mod request;

pub use batch::{answer as answer_batch, handle as batch};
pub use request::{answer as answer_request, handle as request};

use crate::Response;
use http_body_util::BodyExt;
use spin_sdk::http::{FullBody, HeaderMap, IntoResponse, Request};
use spin_sdk::wasip3::http::types::{self, ErrorCode};

fn send(response: Response) -> Result<types::Response, ErrorCode> {
    let internal = |error: &dyn std::fmt::Display| ErrorCode::InternalError(Some(error.to_string()));
    let response = spin_sdk::http::Response::builder()
        .status(response.status)
        .header("content-type", "application/json")
        .body(FullBody::new(bytes::Bytes::from(response.body)))
        .map_err(|error| internal(&error))?;
    response.into_response()
}

/// The request's body; only POST has one that a worker reads.
async fn body<B: BodyExt<Error: std::fmt::Display>>(request: Request<B>) -> Result<Vec<u8>, Response> {
    if request.method() != spin_sdk::http::Method::POST {
        return Err(Response::error(405, "METHOD_NOT_ALLOWED", "send the event with POST"));
    }
    let body = request.into_body().collect().await;
    body.map(|body| body.to_bytes().to_vec()).map_err(|error| Response::error(400, "BODY_NOT_READ", &error.to_string()))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
