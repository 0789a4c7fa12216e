//! Converts a message to an event.

use crate::lambda::Context;
use host_adapters_event::{Attribute, Event, Payload};

/// A message, received by the host or handed over by Lambda.
pub(super) struct Message {
    pub(super) id: String,
    /// `sqs:<queue>`.
    pub(super) source: String,
    pub(super) payload: Payload,
    pub(super) attributes: Vec<Attribute>,
    /// The message group, in a FIFO queue.
    pub(super) group: Option<String>,
    /// How often it was received, including this time.
    pub(super) receives: u32,
    /// Milliseconds since 1970 (UTC).
    pub(super) sent_ms: u64,
}

/// The event of a message.
pub(super) fn event(message: Message, context: &Context<'_>) -> Event {
    let own = |name: &str| Attribute::find(&message.attributes, name).map(str::to_owned);
    Event {
        correlation_id: context.correlation_id(own("correlationId"), &message.id),
        traceparent: context.traceparent(own("traceparent")),
        source: message.source,
        ordering_key: message.group,
        payload: message.payload,
        attempt: message.receives.max(1),
        time_ms: message.sent_ms,
        id: message.id,
        attributes: message.attributes,
    }
}

/// The event of a message that the host received from `source`.
#[cfg(feature = "host")]
pub(super) fn received(source: &str, message: &host_adapters_platform::Received) -> Event {
    let message = Message {
        id: message.id.clone(),
        source: source.to_owned(),
        payload: Payload::of_text(message.body.clone()),
        attributes: message.attributes.clone(),
        group: message.group.clone(),
        receives: message.receive_count,
        sent_ms: message.sent_ms,
    };
    event(message, &Context::default())
}

#[cfg(all(test, feature = "host"))]
mod tests {
    use super::*;
    use host_adapters_platform::Received;

    fn message(body: &str, attributes: &[(&str, &str)]) -> Received {
        let attributes = attributes.iter().map(|(name, value)| Attribute::text(*name, *value)).collect();
        let (id, receipt, group) = ("msg-1".to_owned(), "receipt".to_owned(), Some("fan-1".to_owned()));
        Received {
            id,
            receipt,
            body: body.to_owned(),
            attributes,
            group,
            receive_count: 2,
            sent_ms: 5,
            ..Received::default()
        }
    }

    #[test]
    fn attributes_give_correlation_and_trace() {
        let attributes = [("correlationId", "c-1"), ("traceparent", "00-a-b-01"), ("type", "CAMPAIGN")];
        let event = received("sqs:q", &message("{}", &attributes));
        assert_eq!(event.correlation_id, "c-1");
        assert_eq!(event.traceparent.as_deref(), Some("00-a-b-01"));
        assert_eq!(event.attributes.len(), 3, "all are kept");
        assert_eq!((event.attempt, event.time_ms, event.ordering_key.as_deref()), (2, 5, Some("fan-1")));
    }

    #[test]
    fn a_message_without_attributes_has_its_id_as_correlation_id() {
        let event = received("sqs:q", &message("{}", &[]));
        assert_eq!((event.correlation_id.as_str(), event.traceparent), ("msg-1", None));
    }

    /// The host's event of a message and a worker's event of Lambda's record are the same.
    #[test]
    fn a_message_is_the_same_event_from_the_host_and_from_lambda() {
        for body in [r#"{"a":1}"#, "{truncated", "7"] {
            let record = serde_json::json!({
                "messageId": "msg-1", "body": body, "eventSourceARN": "arn:aws:sqs:us-east-1:1:q",
                "attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": "5", "MessageGroupId": "fan-1"},
                "messageAttributes": {
                    "correlationId": {"stringValue": "c-1"}, "traceparent": {"stringValue": "00-a-b-01"},
                },
            });
            let ours = received("sqs:q", &message(body, &[("correlationId", "c-1"), ("traceparent", "00-a-b-01")]));
            let theirs = super::super::lambda::event("msg-1".to_owned(), record, &Context::default(), &mut |_| ());
            assert_eq!(Ok(ours), theirs);
        }
    }
}
