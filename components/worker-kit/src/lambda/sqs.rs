//! Records of an SQS queue.

use super::batch::{Context, source};
use crate::{Event, Payload};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    /// A string, as AWS has it, or an object, as the documents print it.
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
    /// Absent on binary attributes, which no worker of ours reads.
    string_value: Option<String>,
}

pub(super) fn event(id: String, record: Value, context: &Context<'_>) -> Result<Event, String> {
    let record: Record = crate::json::from_value(record)?;
    let attributes: Vec<_> = record
        .message_attributes
        .into_iter()
        .filter_map(|(name, attribute)| Some((name, attribute.string_value?)))
        .collect();
    let own = |name: &str| attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    Ok(Event {
        correlation_id: own("correlationId")
            .or_else(|| context.correlation_id.map(str::to_owned))
            .unwrap_or_else(|| id.clone()),
        traceparent: context.traceparent.map(str::to_owned).or_else(|| own("traceparent")),
        source: source("sqs", record.arn.as_deref()),
        ordering_key: record.attributes.message_group_id,
        payload: Payload::Json(match record.body {
            Value::String(text) => text,
            object => object.to_string(),
        }),
        attempt: number("attributes.ApproximateReceiveCount", record.attributes.approximate_receive_count, 1)?,
        time_ms: number("attributes.SentTimestamp", record.attributes.sent_timestamp, 0)?,
        attributes,
        id,
    })
}

/// AWS writes numbers as strings.
fn number<T: std::str::FromStr>(field: &str, text: Option<String>, absent: T) -> Result<T, String> {
    text.map_or(Ok(absent), |text| text.parse().map_err(|_| format!("{field} is not a number: {text:?}")))
}
