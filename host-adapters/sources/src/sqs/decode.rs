//! From a message as received to an event.

use host_adapters_delivery::dead_letter::payload_of;
use host_adapters_delivery::event::Event;
use host_adapters_platform::Received;

/// The event of a message of `source`.
pub fn event(source: &str, message: &Received) -> Event {
    let attribute = |name: &str| message.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    Event {
        id: message.id.clone(),
        source: source.to_owned(),
        ordering_key: None,
        payload: payload_of(&message.body),
        attributes: message.attributes.clone(),
        attempt: message.receive_count.max(1),
        time_ms: message.sent_ms,
        correlation_id: attribute("correlationId").unwrap_or_else(|| message.id.clone()),
        traceparent: attribute("traceparent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_adapters_delivery::event::Payload;

    fn message(body: &str, attributes: &[(&str, &str)]) -> Received {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (id, receipt) = ("msg-1".to_owned(), "receipt".to_owned());
        Received { id, receipt, body: body.to_owned(), attributes, receive_count: 2, sent_ms: 5 }
    }

    #[test]
    fn attributes_give_correlation_and_trace() {
        let attributes = [("correlationId", "c-1"), ("traceparent", "00-a-b-01"), ("type", "CAMPAIGN")];
        let event = event("sqs:q", &message("{}", &attributes));
        assert_eq!(event.correlation_id, "c-1");
        assert_eq!(event.traceparent.as_deref(), Some("00-a-b-01"));
        assert_eq!(event.attributes.len(), 3, "all are kept");
        assert_eq!((event.attempt, event.time_ms, event.ordering_key), (2, 5, None));
    }

    #[test]
    fn a_message_without_attributes_is_followed_by_its_id() {
        let event = event("sqs:q", &message("{}", &[]));
        assert_eq!((event.correlation_id.as_str(), event.traceparent), ("msg-1", None));
    }

    #[test]
    fn a_body_that_is_no_json_is_bytes() {
        assert_eq!(payload_of(r#"{"a":1}"#), Payload::Json(r#"{"a":1}"#.to_owned()));
        assert_eq!(payload_of("{truncated"), Payload::Bytes(b"{truncated".to_vec()));
        assert_eq!(payload_of(""), Payload::Bytes(Vec::new()));
    }
}
