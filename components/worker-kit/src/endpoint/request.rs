//! Request workers over HTTP.

use super::{auth, body, header, send};
use crate::{Request, RequestWorker, Response, variables, worker};
use host_adapters_event::appsync;
use http_body_util::BodyExt;
use spin_sdk::http::{self, FromRequest};
use spin_sdk::wasip3::{http::types, random::random::get_random_u64};
use std::fmt::Display;

/// Answers one HTTP request to a request worker.
#[doc(hidden)]
pub async fn handle<W: RequestWorker>(request: types::Request) -> Result<types::Response, types::ErrorCode> {
    let request = http::Request::from_request(request)?;
    let new_id = || format!("{:016x}{:016x}", get_random_u64(), get_random_u64());
    let worker_token = if W::DOES_TASKS { variables::optional("worker_token").await } else { None };
    send(answer::<W, _>(request, worker_token.as_deref(), new_id).await.unwrap_or_else(|refusal| refusal))
}

/// The answer to a request that need not have come through WASI; `Err` if the worker was not called or failed. Only a
/// worker that does tasks requires the worker token, and receives the headers of a task: then the token is not a fan's.
/// `new_id` generates the correlation id of a request that has none.
#[doc(hidden)]
pub async fn answer<W: RequestWorker, B: BodyExt<Error: Display>>(
    request: http::Request<B>,
    worker_token: Option<&str>,
    new_id: impl FnOnce() -> String,
) -> Result<Response, Response> {
    let headers = request.headers().clone();
    let header = |name: &str| header(&headers, name);
    if W::DOES_TASKS {
        auth::check(header("authorization"), worker_token)?;
    }
    let mut request = Request::read(body(request).await?, header, appsync::Context::of)?;
    if W::DOES_TASKS {
        request = Request { token: None, ..request.of_task(header) };
    }
    if request.correlation_id.is_empty() {
        request.correlation_id = new_id();
    }
    worker::answer_request::<W>(request).await.map_err(Response::from)
}
