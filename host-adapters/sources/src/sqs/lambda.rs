//! AWS Lambda's records of a queue.

use super::event::{Message, event as event_of};
use crate::lambda::{Context, source};
use host_adapters_event::{Event, Payload, json};
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
    #[serde(default)]
    message_attributes: BTreeMap<String, MessageAttribute>,
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
    /// Absent on binary attributes, which none of the workers reads.
    string_value: Option<String>,
}

pub(super) fn event(id: String, record: Value, context: &Context<'_>) -> Result<Event, String> {
    let record: Record = json::from_value(record)?;
    let attributes: Vec<_> = record
        .message_attributes
        .into_iter()
        .filter_map(|(name, attribute)| Some((name, attribute.string_value?)))
        .collect();
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
