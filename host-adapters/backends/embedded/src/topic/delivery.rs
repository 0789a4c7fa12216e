//! What a queue gets of a published message: the message itself, or the JSON object in which SNS wraps it (Amazon SNS
//! developer guide, "Parsing message formats"). Signatures are left out: the host is the only sender.

use chrono::{DateTime, SecondsFormat};
use host_adapters_filter::{Attribute as Filtered, SubscriptionFilter};
use host_adapters_platform::topic::{NUMBER, STRING_ARRAY};
use host_adapters_records::queue::Message;
use host_adapters_records::topic::TopicMessage;
use host_adapters_records::{Attribute, AttributeValue};
use serde::Serialize;
use std::collections::BTreeMap;

/// A message as it was published.
pub(super) struct Published<'a> {
    pub(super) topic_arn: &'a str,
    pub(super) id: &'a str,
    pub(super) message: &'a TopicMessage,
    pub(super) now_ms: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    r#type: &'static str,
    message_id: &'a str,
    topic_arn: &'a str,
    message: &'a str,
    timestamp: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<&'a str, EnvelopeAttribute<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EnvelopeAttribute<'a> {
    r#type: &'a str,
    /// Bytes are base64.
    value: String,
}

impl Published<'_> {
    /// Whether a subscription with this filter gets it.
    pub(super) fn is_for(&self, filter: Option<&SubscriptionFilter>) -> bool {
        let TopicMessage { body, attributes } = self.message;
        filter.is_none_or(|filter| filter.matches(body, attributes.iter().filter_map(compared)))
    }

    /// The message for a queue. A queue takes at least 1 MiB, which the wrapped form of the largest message does not reach:
    /// JSON needs two bytes at most for one of the characters that a message may have.
    pub(super) fn delivery(&self, is_raw: bool) -> Message {
        let TopicMessage { body, attributes } = self.message;
        match is_raw {
            true => Message { attributes: attributes.clone(), ..Message::new(body.as_str()) },
            // Texts can always be serialised.
            false => Message::new(serde_json::to_string(&self.envelope()).unwrap_or_default()),
        }
    }

    fn envelope(&self) -> Envelope<'_> {
        let time = DateTime::from_timestamp_millis(self.now_ms).unwrap_or_default();
        let attribute = |it| {
            let Attribute { name, data_type, value }: &Attribute = it;
            (name.as_str(), EnvelopeAttribute { r#type: data_type.as_str(), value: value.to_string() })
        };
        Envelope {
            r#type: "Notification",
            message_id: self.id,
            topic_arn: self.topic_arn,
            message: &self.message.body,
            timestamp: time.to_rfc3339_opts(SecondsFormat::Millis, true),
            message_attributes: self.message.attributes.iter().map(attribute).collect(),
        }
    }
}

/// An attribute as filters compare it; bytes are not compared.
fn compared(attribute: &Attribute) -> Option<(&str, Filtered<'_>)> {
    let AttributeValue::Text(text) = &attribute.value else { return None };
    let filtered = match attribute.data_type.as_str() {
        STRING_ARRAY => Filtered::List(text),
        NUMBER => Filtered::Number(text),
        _ => Filtered::Text(text),
    };
    Some((attribute.name.as_str(), filtered))
}
