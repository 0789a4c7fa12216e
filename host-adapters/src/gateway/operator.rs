//! Operator requests about queues.

use super::Gateway;
use super::callers::Caller;
use super::refusal::Arguments;
use axum::Json;
use axum::extract::State;
use host_adapters_records::Error;
use serde::Deserialize;
use serde_json::{Value, json};

/// Depths of all queues that the caller may read.
pub(super) async fn queues(State(gateway): State<Gateway>, Caller(caller): Caller) -> Json<Result<Value, Error>> {
    let mut queues = Vec::new();
    for queue in gateway.queues.iter() {
        match gateway.platform.queue_depth(&caller, queue).await {
            Ok(depth) => queues.push(json!({
                "name": queue, "visible": depth.visible, "inFlight": depth.in_flight, "delayed": depth.delayed,
            })),
            Err(error) if error.kind == host_adapters_records::ErrorKind::Denied => {}
            Err(error) => return Json(Err(error)),
        }
    }
    Json(Ok(json!({ "queues": queues })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peek {
    queue: String,
    #[serde(default = "ten")]
    max: usize,
}

const fn ten() -> usize {
    10
}

/// The oldest messages of a queue, with their attributes as text, bytes as base64. They are not received.
pub(super) async fn peek(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Arguments(peek): Arguments<Peek>,
) -> Json<Result<Value, Error>> {
    let messages = gateway.platform.queue_peek(&caller, &peek.queue, peek.max).await;
    let messages: Result<_, Error> = messages.map(|messages| {
        let messages = messages.into_iter().map(|message| {
            let attributes: serde_json::Map<_, _> =
                message.attributes.into_iter().map(|it| (it.name, Value::from(it.value.to_string()))).collect();
            json!({
                "id": message.id, "body": message.body, "attributes": attributes,
                "receiveCount": message.receive_count, "sentMs": message.sent_ms,
            })
        });
        json!({ "messages": messages.collect::<Vec<_>>() })
    });
    Json(messages)
}
