//! AWS Lambda's records of a queue.

use super::event::{Message, event as event_of};
use crate::lambda::{Context, LeftOut, Notes, Optional, Scalar, source};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_event::{Attribute, AttributeValue, Event, Payload, json, source_name};
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
    message_attributes: Optional<BTreeMap<String, Value>>,
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
    fn named(self, name: &str) -> Option<Attribute> {
        let bytes = || BASE64_STANDARD.decode(self.binary_value.0?).ok();
        let (value, usual) = match self.string_value.0 {
            Some(Scalar(text)) => (AttributeValue::Text(text), Attribute::STRING),
            None => (AttributeValue::Bytes(bytes()?), Attribute::BINARY),
        };
        Some(Attribute::typed(name, self.data_type.0.unwrap_or_else(|| usual.to_owned()), value))
    }
}

/// Null counts as absent, be it the attribute or its values.
fn is_absent(attribute: &Value) -> bool {
    let has_none = |name: &str| attribute.get(name).is_none_or(Value::is_null);
    attribute.is_null() || (attribute.is_object() && has_none("stringValue") && has_none("binaryValue"))
}

/// Only the body is needed. What cannot be read of a message is noted when it is received for the first time.
pub(super) fn event(id: String, record: Value, context: &Context<'_>, notes: &mut Notes<'_>) -> Result<Event, String> {
    let record: Record = json::from_value(record)?;
    let system = record.attributes.0.unwrap_or_default();
    let source = source(source_name::QUEUE, record.arn.0.as_deref());
    let receives = system.approximate_receive_count.0.and_then(|count| count.number()).unwrap_or(1);
    let mut attributes = Vec::new();
    for (name, attribute) in record.message_attributes.0.into_iter().flatten() {
        let is_absent = is_absent(&attribute);
        match Optional::<MessageAttribute>::of(attribute).0.and_then(|attribute| attribute.named(&name)) {
            Some(attribute) => attributes.push(attribute),
            None if is_absent || receives > 1 => {}
            None => notes(LeftOut { source: source.clone(), id: id.clone(), attribute: name }),
        }
    }
    let message = Message {
        source,
        group: system.message_group_id.0.map(|group| group.0),
        payload: match record.body.ok_or("missing field `body`")? {
            Value::String(text) => Payload::of_text(text),
            object => Payload::Json(object.to_string()),
        },
        receives,
        sent_ms: system.sent_timestamp.0.and_then(|time| time.number()).unwrap_or(0),
        attributes,
        id,
    };
    Ok(event_of(message, context))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn left_out(receives: &str) -> (Vec<String>, Vec<String>) {
        let record = json!({
            "body": "{}",
            "eventSourceARN": "arn:aws:sqs:us-east-1:1:q",
            "attributes": {"ApproximateReceiveCount": receives},
            "messageAttributes": {
                "bad": {"binaryValue": "%", "dataType": "Binary"},
                "empty": {"stringValue": null, "binaryValue": null},
                "good": {"stringValue": "v"},
                "list": ["v", null, "String"],
                "null": null,
                "object": {"stringValue": {}},
            },
        });
        let mut noted = Vec::new();
        let read = event("m".to_owned(), record, &Context::default(), &mut |it| noted.push(it));
        let names = read.into_iter().flat_map(|event| event.attributes).map(|attribute| attribute.name).collect();
        let noted = noted.into_iter().map(|it| format!("{} {} {}", it.source, it.id, it.attribute)).collect();
        (names, noted)
    }

    #[test]
    fn what_cannot_be_read_of_a_message_is_noted_once() {
        let noted = ["sqs:q m bad", "sqs:q m list", "sqs:q m object"].map(str::to_owned).to_vec();
        assert_eq!(left_out("1"), (vec!["good".to_owned()], noted));
        assert_eq!(left_out("2"), (vec!["good".to_owned()], vec![]));
    }
}
