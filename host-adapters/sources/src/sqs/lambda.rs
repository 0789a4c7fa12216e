//! AWS Lambda's records of a queue.

use super::event::{Message, event as event_of};
use crate::lambda::{Context, source};
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
    body: Value,
    #[serde(default)]
    attributes: SystemAttributes,
    message_attributes: Option<BTreeMap<String, MessageAttribute>>,
    #[serde(rename = "eventSourceARN")]
    arn: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SystemAttributes {
    approximate_receive_count: Option<String>,
    sent_timestamp: Option<String>,
    message_group_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageAttribute {
    string_value: Option<String>,
    /// Base64.
    binary_value: Option<String>,
    data_type: Option<String>,
}

impl MessageAttribute {
    /// The attribute as it was sent; `None` where there is nothing in it that can be read.
    fn named(self, name: String) -> Option<Attribute> {
        let bytes = || BASE64_STANDARD.decode(self.binary_value?).ok();
        let (value, usual) = match self.string_value {
            Some(text) => (AttributeValue::Text(text), Attribute::STRING),
            None => (AttributeValue::Bytes(bytes()?), Attribute::BINARY),
        };
        Some(Attribute { name, data_type: self.data_type.unwrap_or_else(|| usual.to_owned()), value })
    }
}

pub(super) fn event(id: String, record: Value, context: &Context<'_>) -> Result<Event, String> {
    let record: Record = json::from_value(record)?;
    let attributes = record.message_attributes.into_iter().flatten();
    let attributes: Vec<_> = attributes.filter_map(|(name, attribute)| attribute.named(name)).collect();
    let message = Message {
        source: source("sqs", record.arn.as_deref()),
        group: record.attributes.message_group_id,
        payload: match record.body {
            Value::String(text) => Payload::of_text(text),
            object => Payload::Json(object.to_string()),
        },
        receives: number("attributes.ApproximateReceiveCount", record.attributes.approximate_receive_count, 1)?,
        sent_ms: number("attributes.SentTimestamp", record.attributes.sent_timestamp, 0)?,
        attributes,
        id,
    };
    Ok(event_of(message, context))
}

/// AWS writes numbers as strings.
fn number<T: std::str::FromStr>(field: &str, text: Option<String>, absent: T) -> Result<T, String> {
    text.map_or(Ok(absent), |text| text.parse().map_err(|_| format!("{field} is not a number: {text:?}")))
}
