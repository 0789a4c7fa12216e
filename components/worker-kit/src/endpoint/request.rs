//! Request workers over HTTP.

use super::{body, header, send};
use crate::{Request, RequestWorker, Response, lambda::appsync, worker::call_request};
use host_adapters_event::endpoint::bearer;
use http_body_util::BodyExt;
use spin_sdk::http::{self, FromRequest};
use spin_sdk::wasip3::{http::types, random::random::get_random_u64};
use std::fmt::Display;

/// Answers one HTTP request to a request worker.
#[doc(hidden)]
pub async fn handle<W: RequestWorker>(request: types::Request) -> Result<types::Response, types::ErrorCode> {
    let request = http::Request::from_request(request)?;
    let new_id = || format!("{:016x}{:016x}", get_random_u64(), get_random_u64());
    send(answer::<W, _>(request, new_id).await.unwrap_or_else(|refusal| refusal))
}

/// The answer to a request that need not have come through WASI; `Err` if the worker was not called or failed.
/// `new_id` makes the correlation id of a request that has none.
#[doc(hidden)]
pub async fn answer<W: RequestWorker, B: BodyExt<Error: Display>>(
    request: http::Request<B>,
    new_id: impl FnOnce() -> String,
) -> Result<Response, Response> {
    let token = header(request.headers(), "authorization").and_then(bearer);
    let given = |name| header(request.headers(), name).map(str::to_owned);
    let (correlation_id, traceparent) = (given("x-correlation-id"), given("traceparent"));
    let body = body(request).await?;
    let body =
        String::from_utf8(body).map_err(|_| Response::error(400, "MALFORMED_EVENT", "the event is not UTF-8"))?;
    let event = appsync::Context::of(&body);
    let request = Request {
        correlation_id: correlation_id.or(event.correlation_id).unwrap_or_else(new_id),
        traceparent: traceparent.or(event.traceparent),
        token,
        body,
    };
    call_request::<W>(request).await.map_err(Response::from)
}
