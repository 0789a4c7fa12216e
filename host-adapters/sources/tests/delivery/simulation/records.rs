//! Makes records from their numbers and back. Anything else that is handed to a worker was invented.

use crate::model::name;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_delivery::event::{Event, Payload};
use serde_json::Value;

/// The body of a queue's message.
pub fn body(record: u64) -> String {
    format!(r#"{{"n":{record}}}"#)
}

/// The record of a body.
pub fn of_body(text: &str) -> Option<u64> {
    let record = serde_json::from_str::<Value>(text).ok()?.get("n")?.as_u64()?;
    (body(record) == text).then_some(record)
}

/// The record and the condition of a stream's dead letter. Bytes are encoded in the envelope.
pub fn of_envelope(text: &str) -> (Option<u64>, Option<String>) {
    let envelope: Value = serde_json::from_str(text).unwrap_or_default();
    let bytes = || of_bytes(&BASE64_STANDARD.decode(envelope.get("payload")?.as_str()?).ok()?);
    let record = envelope.pointer("/payload/newImage/n").and_then(Value::as_u64).or_else(bytes);
    let condition = envelope.pointer("/requestContext/condition").and_then(Value::as_str);
    (record, condition.map(str::to_owned))
}

/// The item of a stream's record.
pub fn item(key: u64) -> String {
    format!("item-{key}")
}

/// Whether an event of a stream's record has this id: its number, or that of a later one that it is packed into.
pub fn is_id(id: &str, record: u64) -> bool {
    match id.split_once('#') {
        None => id == name(record),
        Some((sequence, _)) => sequence.parse::<u64>().is_ok_and(|last| last >= record && last % 3 == 0),
    }
}

/// The record of a data stream: bytes that are not text.
fn of_bytes(bytes: &[u8]) -> Option<u64> {
    of_body(std::str::from_utf8(bytes.strip_prefix(&[0xff])?).ok()?)
}

/// The record of an event, if all of it is as it was sent.
pub fn of_event(event: &Event, key: impl Fn(u64) -> Option<u64>) -> Option<u64> {
    let payload = match &event.payload {
        Payload::Json(payload) => payload,
        Payload::Bytes(bytes) => {
            let record = of_bytes(bytes)?;
            let is_same = is_id(&event.id, record) && event.ordering_key == Some(item(key(record)?));
            return (is_same && event.source.starts_with("kinesis:")).then_some(record);
        }
    };
    if event.source.starts_with("sqs:") {
        return of_body(payload);
    }
    let record: u64 = event.id.parse().ok()?;
    let item = item(key(record)?);
    let image = body(record);
    let expected = format!(r#"{{"eventName":"MODIFY","keys":{{"pk":"{item}","sk":"s"}},"newImage":{image}}}"#);
    let same = *payload == expected && event.id == name(record);
    (same && event.ordering_key.as_deref() == Some(&format!("{item}|s"))).then_some(record)
}
