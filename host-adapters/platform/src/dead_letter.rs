//! The attributes of a dead letter: who gave the record up and why, then the record's own.
//!
//! A message may have ten attributes. Up to eight describe why the record was given up. The record's own attributes fill the
//! rest; those that do not fit, or have one of our names, are packed into the last.

use crate::limits::message::check_attribute;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_records::{Attribute, AttributeValue};
use std::collections::BTreeMap;

/// Most attributes of a queue's message.
pub const MAX_ATTRIBUTES: usize = 10;
/// The reason of a dead letter that the queue's own redrive made.
pub const RECEIVES_EXHAUSTED: &str = "receives exhausted";

/// Names of a dead letter's attributes.
#[allow(missing_docs, reason = "meanings as in Summary")]
pub mod attribute {
    pub const REASON: &str = "reason";
    pub const ATTEMPT: &str = "attempt";
    pub const WORKER: &str = "worker";
    pub const SOURCE: &str = "source";
    pub const DIGEST: &str = "digest";
    pub const SOURCE_MESSAGE_ID: &str = "sourceMessageId";
    /// When the record was made, milliseconds since 1970 (UTC); in dead letters of earlier versions, and in messages that
    /// were sent back (docs/delivery.md, 11.11).
    pub const SOURCE_TIMESTAMP: &str = "sourceTimestamp";
    /// The ordering key of a record; in dead letters of earlier versions.
    pub const ORDERING_KEY: &str = "orderingKey";
    /// How the body encodes the record's payload, if it is not the payload itself.
    pub const PAYLOAD_ENCODING: &str = "payloadEncoding";
    /// A JSON object of what else is known: the ordering key, the time of the record and of the attempts, the trace.
    pub const DETAILS: &str = "details";
    /// A JSON object of the record's own attributes that did not fit.
    pub const MORE: &str = "moreAttributes";
    /// A JSON object that says which part of a dead letter the message is, if no message holds the whole.
    pub const PART: &str = "deadLetterPart";
}

/// The names of a dead letter's own attributes.
pub const OURS: [&str; 12] = [
    attribute::REASON,
    attribute::ATTEMPT,
    attribute::WORKER,
    attribute::SOURCE,
    attribute::DIGEST,
    attribute::SOURCE_MESSAGE_ID,
    attribute::SOURCE_TIMESTAMP,
    attribute::ORDERING_KEY,
    attribute::PAYLOAD_ENCODING,
    attribute::DETAILS,
    attribute::MORE,
    attribute::PART,
];

/// Attributes of a dead letter: why the record was given up, then as many of the record's own as fit.
pub fn attributes(told: Vec<(&'static str, String)>, own: Vec<Attribute>) -> Vec<Attribute> {
    // An attribute of a queue's message must not be empty.
    let mut attributes: Vec<_> =
        told.into_iter().filter(|it| !it.1.is_empty()).map(|(name, value)| Attribute::text(name, value)).collect();
    let (ours, mut own): (Vec<_>, Vec<_>) = own.into_iter().partition(is_packed);
    let free = MAX_ATTRIBUTES.saturating_sub(attributes.len());
    let fitting = if ours.is_empty() && own.len() <= free { own.len() } else { own.len().min(free.saturating_sub(1)) };
    let rest: Vec<Attribute> = own.split_off(fitting).into_iter().chain(ours).collect();
    attributes.extend(own);
    if !rest.is_empty() {
        attributes.push(Attribute::text(attribute::MORE, packed(rest)));
    }
    attributes
}

/// An attribute in [`attribute::MORE`], whose names are the members of an object.
#[derive(serde::Deserialize, serde::Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Packed {
    String(String),
    Text { data_type: String, text: String },
    Bytes { data_type: String, base64: String },
}

fn packed(attributes: Vec<Attribute>) -> String {
    let pack = |Attribute { name, data_type, value }| {
        let value = match value {
            AttributeValue::Text(text) if data_type == Attribute::STRING => Packed::String(text),
            AttributeValue::Text(text) => Packed::Text { data_type, text },
            bytes @ AttributeValue::Bytes(_) => Packed::Bytes { data_type, base64: bytes.to_string() },
        };
        (name, value)
    };
    let attributes: BTreeMap<String, Packed> = attributes.into_iter().map(pack).collect();
    json(&attributes)
}

/// JSON that a queue takes.
pub fn json(value: &impl serde::Serialize) -> String {
    // Strings can always be serialised.
    let text = serde_json::to_string(value).unwrap_or_default();
    // JSON escapes control characters, but not these two, which queues refuse as well.
    text.replace('\u{fffe}', r"\ufffe").replace('\u{ffff}', r"\uffff")
}

/// The attributes in [`attribute::MORE`]; none if it was not written by [`attributes`].
pub fn unpacked(more: &str) -> Vec<Attribute> {
    let unpack = |(name, value)| {
        let (data_type, value) = match value {
            Packed::String(text) => (Attribute::STRING.to_owned(), AttributeValue::Text(text)),
            Packed::Text { data_type, text } => (data_type, AttributeValue::Text(text)),
            Packed::Bytes { data_type, base64 } => {
                (data_type, AttributeValue::Bytes(BASE64_STANDARD.decode(base64).ok()?))
            }
        };
        Some(Attribute { name, data_type, value })
    };
    let attributes: BTreeMap<String, Packed> = serde_json::from_str(more).unwrap_or_default();
    attributes.into_iter().filter_map(unpack).collect()
}

/// Whether an attribute of a record cannot be an attribute of its dead letter, because it has one of the host's names
/// or because queues refuse it, which is possible for headers of other kinds of source.
fn is_packed(attribute: &Attribute) -> bool {
    OURS.contains(&attribute.name.as_str()) || check_attribute(attribute).is_err()
}

/// Whether a message may contain this text.
pub fn is_queue_text(text: &str) -> bool {
    text.chars().all(host_adapters_records::is_queue_char)
}
