//! Request workers over HTTP.

use super::{Reply, body, header};
use crate::{RequestWorker, lambda::appsync, worker::call_request};
use http_body_util::BodyExt;
use spin_sdk::http::{FromRequest, Request};
use spin_sdk::wasip3::{http::types, random::random::get_random_u64};
use std::fmt::Display;
use worker_endpoint::bearer;

/// Answers one HTTP request to a request worker.
#[doc(hidden)]
pub async fn handle<W: RequestWorker>(request: types::Request) -> Result<types::Response, types::ErrorCode> {
    let request = Request::from_request(request)?;
    let new_id = || format!("{:016x}{:016x}", get_random_u64(), get_random_u64());
    answer::<W, _>(request, new_id).await.unwrap_or_else(|refusal| refusal).send()
}

/// The answer to a request that need not have come through WASI; `Err` if the worker was not called or failed.
/// `new_id` makes the correlation id of a request that has none.
#[doc(hidden)]
pub async fn answer<W: RequestWorker, B: BodyExt<Error: Display>>(
    request: Request<B>,
    new_id: impl FnOnce() -> String,
) -> Result<Reply, Reply> {
    let token = header(request.headers(), "authorization").and_then(bearer);
    let correlation_id = header(request.headers(), "x-correlation-id").map(str::to_owned);
    let traceparent = header(request.headers(), "traceparent").map(str::to_owned);
    let body = body(request).await?;
    let body = String::from_utf8(body).map_err(|_| Reply::error(400, "MALFORMED_EVENT", "the event is not UTF-8"))?;
    let request = crate::Request {
        correlation_id: correlation_id.or_else(|| appsync::header(&body, "x-correlation-id")).unwrap_or_else(new_id),
        traceparent: traceparent.or_else(|| appsync::header(&body, "traceparent")),
        token,
        body,
    };
    let response = call_request::<W>(request).await?;
    Ok(Reply { status: response.status, body: response.body })
}
