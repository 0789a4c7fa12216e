//! Encodes the payload of a record as text for a dead letter, and decodes it: byte for byte, and JSON as JSON.
//!
//! A payload that is text stays as it is, so that people can read it. Any other payload is stored as base64 and marked:
//! in the attribute `payloadEncoding` of a message, in the field of this name in a stream's envelope. Dead letters of
//! earlier versions lack the mark and are read as text.

use crate::event::Payload;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_platform::dead_letter::is_queue_text;
use serde::Deserialize;
use serde_json::{Value, json};

/// The encoding of bytes.
const BASE64: &str = "base64";
/// The encoding of JSON with characters that queues refuse.
const BASE64_JSON: &str = "base64-json";
/// The encoding of an empty payload: queues refuse messages without a body.
const EMPTY: &str = "empty";
/// Precedes the payload in an envelope, where it is the last field.
const PAYLOAD: &str = r#","payload":"#;

/// The body of a message, and its encoding if it is not the payload itself.
pub(super) fn body(payload: &Payload) -> (String, Option<&'static str>) {
    let text = match payload {
        Payload::Json(text) => Some(text.as_str()),
        Payload::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
    };
    let is_itself =
        |text: &&str| is_queue_text(text) && !text.is_empty() && Payload::of_text((*text).to_owned()) == *payload;
    match text.filter(is_itself) {
        Some(text) => (text.to_owned(), None),
        None => encoded(payload),
    }
}

/// The payload that a body stands for.
pub(super) fn of_body(body: &str, encoding: Option<&str>) -> Result<Payload, String> {
    match encoding {
        Some(encoding) => decoded(body, encoding),
        None => Ok(Payload::of_text(body.to_owned())),
    }
}

/// Adds the payload to the envelope of a stream's record, and the ordering key if the payload does not contain it. JSON
/// is inserted as text, because parsing could round its numbers.
pub(super) fn in_envelope(mut envelope: Value, payload: &Payload, ordering_key: Option<&str>) -> String {
    let json = match payload {
        Payload::Json(text) if is_queue_text(text) && Payload::of_text(text.clone()) == *payload => text.clone(),
        _ => {
            let (text, encoding) = encoded(payload);
            if let Some(members) = envelope.as_object_mut() {
                members.insert("payloadEncoding".to_owned(), json!(encoding));
                members.extend(ordering_key.map(|key| ("orderingKey".to_owned(), json!(key))));
            }
            json!(text).to_string()
        }
    };
    let envelope = envelope.to_string();
    let open = envelope.strip_suffix('}').unwrap_or(&envelope);
    format!("{open}{PAYLOAD}{json}}}")
}

/// The fields of an envelope that describe its record.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeFields {
    payload_encoding: Option<String>,
    ordering_key: Option<String>,
}

/// Payload and ordering key in an envelope; `None` if it holds no payload.
pub(super) fn of_envelope(envelope: &str) -> Option<Result<(Payload, Option<String>), String>> {
    let (open, payload) = envelope.split_once(PAYLOAD)?;
    let payload = payload.strip_suffix('}').unwrap_or(payload);
    let fields: EnvelopeFields = serde_json::from_str(&format!("{open}}}")).unwrap_or_default();
    let not_one = |_| "its body is not a dead letter".to_owned();
    let payload = match fields.payload_encoding {
        Some(encoding) => {
            serde_json::from_str::<String>(payload).map_err(not_one).and_then(|text| decoded(&text, &encoding))
        }
        None => serde_json::from_str::<serde::de::IgnoredAny>(payload)
            .map(|_| Payload::Json(payload.to_owned()))
            .map_err(not_one),
    };
    Some(payload.map(|payload| (payload, fields.ordering_key)))
}

fn encoded(payload: &Payload) -> (String, Option<&'static str>) {
    match payload {
        Payload::Json(text) => (BASE64_STANDARD.encode(text), Some(BASE64_JSON)),
        Payload::Bytes(bytes) if bytes.is_empty() => (EMPTY.to_owned(), Some(EMPTY)),
        Payload::Bytes(bytes) => (BASE64_STANDARD.encode(bytes), Some(BASE64)),
    }
}

fn decoded(text: &str, encoding: &str) -> Result<Payload, String> {
    if encoding == EMPTY {
        return Ok(Payload::Bytes(Vec::new()));
    }
    let bytes = BASE64_STANDARD.decode(text).map_err(|error| format!("its payload is not base64: {error}"))?;
    match encoding {
        BASE64 => Ok(Payload::Bytes(bytes)),
        BASE64_JSON => String::from_utf8(bytes).map(Payload::Json).map_err(|_| "its payload is not text".to_owned()),
        other => Err(format!("its payload has the encoding `{other}`, which this version does not know")),
    }
}
