//! AWS Lambda's records of a queue.

use super::event::{Message, event as event_of};
use crate::lambda::{Context, Optional, Scalar, source};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_event::{Attribute, AttributeValue, Event, Payload, json};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    /// A string, as AWS sends it, or an object, as the documents print it.
    body: Option<Value>,
    #[serde(default)]
    attributes: Optional<SystemAttributes>,
    #[serde(default)]
    message_attributes: Optional<BTreeMap<String, Optional<MessageAttribute>>>,
    #[serde(default, rename = "eventSourceARN")]
    arn: Optional<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SystemAttributes {
    approximate_receive_count: Optional<Scalar>,
    sent_timestamp: Optional<Scalar>,
    message_group_id: Optional<Scalar>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MessageAttribute {
    string_value: Optional<Scalar>,
    /// Base64.
    binary_value: Optional<String>,
    data_type: Optional<String>,
}

impl MessageAttribute {
    /// The attribute as it was sent; `None` where there is nothing in it that can be read.
    fn named(self, name: String) -> Option<Attribute> {
        let bytes = || BASE64_STANDARD.decode(self.binary_value.0?).ok();
        let (value, usual) = match self.string_value.0 {
            Some(Scalar(text)) => (AttributeValue::Text(text), Attribute::STRING),
            None => (AttributeValue::Bytes(bytes()?), Attribute::BINARY),
        };
        Some(Attribute { name, data_type: self.data_type.0.unwrap_or_else(|| usual.to_owned()), value })
    }
}

/// Only the body is needed.
pub(super) fn event(id: String, record: Value, context: &Context<'_>) -> Result<Event, String> {
    let record: Record = json::from_value(record)?;
    let system = record.attributes.0.unwrap_or_default();
    let attributes = record.message_attributes.0.into_iter().flatten();
    let attributes: Vec<_> = attributes.filter_map(|(name, attribute)| attribute.0?.named(name)).collect();
    let message = Message {
        source: source("sqs", record.arn.0.as_deref()),
        group: system.message_group_id.0.map(|group| group.0),
        payload: match record.body.ok_or("missing field `body`")? {
            Value::String(text) => Payload::of_text(text),
            object => Payload::Json(object.to_string()),
        },
        receives: system.approximate_receive_count.0.and_then(|count| count.number()).unwrap_or(1),
        sent_ms: system.sent_timestamp.0.and_then(|time| time.number()).unwrap_or(0),
        attributes,
        id,
    };
    Ok(event_of(message, context))
}
