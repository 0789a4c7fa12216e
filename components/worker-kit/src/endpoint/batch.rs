//! Batch workers over HTTP.

use super::{auth, body, header, send};
use crate::lambda::{self, Context, Incoming, answer::Answer};
use crate::{BatchWorker, Call, Disposition, Response, variables, worker::call_batch};
use http_body_util::BodyExt;
use serde_json::json;
use spin_sdk::http::{FromRequest, Request};
use spin_sdk::wasip3::http::types;
use std::fmt::Display;

/// Answers one HTTP request to a batch worker.
#[doc(hidden)]
pub async fn handle<W: BatchWorker>(request: types::Request) -> Result<types::Response, types::ErrorCode> {
    let request = Request::from_request(request)?;
    let worker_token = variables::optional("worker_token").await;
    send(answer::<W, _>(request, worker_token.as_deref()).await.unwrap_or_else(|refusal| refusal))
}

/// The answer to a request that need not have come through WASI; `Err` if the worker was not called or failed.
#[doc(hidden)]
pub async fn answer<W: BatchWorker, B: BodyExt<Error: Display>>(
    request: Request<B>,
    worker_token: Option<&str>,
) -> Result<Response, Response> {
    auth::check(header(request.headers(), "authorization"), worker_token)?;
    let correlation_id = header(request.headers(), "x-correlation-id").map(str::to_owned);
    let traceparent = header(request.headers(), "traceparent").map(str::to_owned);
    let body = body(request).await?;
    let context = Context { correlation_id: correlation_id.as_deref(), traceparent: traceparent.as_deref() };
    let incoming =
        lambda::parse(&body, &context).map_err(|error| Response::error(400, "MALFORMED_EVENT", &error.to_string()))?;
    let events = incoming.iter().filter_map(Incoming::event).cloned().collect::<Vec<_>>();
    let dispositions = if events.is_empty() { vec![] } else { call_batch::<W>(events).await? };
    let call = Call::new(W::NAME, correlation_id.unwrap_or_default(), traceparent);
    log_rejections(&call, &incoming, &dispositions);
    let answer = Answer::new(&incoming, dispositions)
        .map_err(|error| Response::error(500, "WORKER_FAILED", &error.to_string()))?;
    Ok(Response { status: 200, body: json!(answer).to_string() })
}

/// Logs each rejection here, so that no worker forgets. In process the host does it, which calls no endpoint.
fn log_rejections(call: &Call, incoming: &[Incoming], dispositions: &[Disposition]) {
    let log = |call: &Call, id: &str, reason: &str| {
        call.error("Record rejected", json!({"recordId": id, "reason": reason}));
    };
    let mut dispositions = dispositions.iter();
    for record in incoming {
        match record {
            Incoming::Malformed { id, reason } => log(call, id, reason),
            Incoming::Event(event) => {
                if let Some(Disposition::Reject(reason)) = dispositions.next() {
                    log(&call.of(event), &event.id, reason);
                }
            }
        }
    }
}
