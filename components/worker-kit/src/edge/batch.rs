//! Batch workers over HTTP.

use super::{Reply, auth, body, header};
use crate::lambda::{self, Incoming, answer::Answer};
use crate::{BatchWorker, Call, variables, worker::call_batch};
use serde_json::json;
use spin_sdk::http::{FromRequest, Request};
use spin_sdk::wasip3::http::types;

/// Answers one HTTP request to a batch worker.
#[doc(hidden)]
pub async fn handle<W: BatchWorker>(request: types::Request) -> Result<types::Response, types::ErrorCode> {
    let request = Request::from_request(request)?;
    answer::<W>(request).await.unwrap_or_else(|refusal| refusal).send()
}

async fn answer<W: BatchWorker>(request: Request) -> Result<Reply, Reply> {
    let token = variables::optional("worker_token").await;
    auth::check(header(request.headers(), "authorization"), token.as_deref())?;
    let correlation_id = header(request.headers(), "x-correlation-id").map(str::to_owned);
    let traceparent = header(request.headers(), "traceparent").map(str::to_owned);
    let body = body(request).await?;
    let incoming = lambda::parse(&body, correlation_id.as_deref(), traceparent.as_deref())
        .map_err(|error| Reply::error(400, "MALFORMED_EVENT", &error.to_string()))?;
    log_malformed(&Call::new(W::NAME, correlation_id.unwrap_or_default(), traceparent), &incoming);
    let events = incoming.iter().filter_map(Incoming::event).cloned().collect::<Vec<_>>();
    let dispositions = if events.is_empty() { vec![] } else { call_batch::<W>(events).await? };
    let answer =
        Answer::new(&incoming, dispositions).map_err(|error| Reply::error(500, "WORKER_FAILED", &error.to_string()))?;
    Ok(Reply { status: 200, body: json!(answer).to_string() })
}

fn log_malformed(call: &Call, incoming: &[Incoming]) {
    for record in incoming {
        if let Incoming::Malformed { id, reason } = record {
            call.warn("Record rejected", json!({"recordId": id, "reason": reason}));
        }
    }
}
