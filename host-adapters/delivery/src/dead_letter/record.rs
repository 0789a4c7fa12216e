//! Turns a dead letter back into its record, as its source would deliver it for the first time.

use super::{DeadLetter, MAX_ATTRIBUTES, Summary, payload};
use crate::event::{Event, Payload};
use host_adapters_platform::limits::message::{MAX_MESSAGE_BYTES, bytes};
use host_adapters_records::Attribute;
use host_adapters_records::queue::Message;

const CORRELATION_ID: &str = "correlationId";

impl DeadLetter {
    /// The message that the record was, with the same correlation id and in the same group.
    ///
    /// # Errors
    /// When the record is not text: queues take only text. Also when this is only a part.
    pub fn message(&self) -> Result<Message, String> {
        self.check_whole()?;
        let payload = payload::of_body(&self.body, self.payload_encoding.as_deref())?;
        let text = match &payload {
            Payload::Json(text) => Some(text.clone()),
            Payload::Bytes(raw) => String::from_utf8(raw.clone()).ok().filter(|text| !text.is_empty()),
        };
        let body = text.filter(|text| Payload::of_text(text.clone()) == payload);
        let body = body.ok_or("its payload is not text, and a queue takes only text")?;
        let group_id = self.ordering_key.clone();
        let message = Message { attributes: self.attributes.clone(), group_id, ..Message::new(body) };
        Ok(with(message, Attribute::text(CORRELATION_ID, &self.summary.record_id)))
    }

    /// The record of a source whose dead letters have the payload as their body.
    ///
    /// # Errors
    /// When the body does not match its declared encoding, or this is only a part.
    pub fn message_event(&self) -> Result<Event, String> {
        self.check_whole()?;
        let payload = payload::of_body(&self.body, self.payload_encoding.as_deref())?;
        Ok(self.event(payload, self.ordering_key.clone()))
    }

    /// The record of a source whose dead letters have Lambda's envelope as their body.
    ///
    /// # Errors
    /// When the dead letter does not contain the record: an earlier version wrote it, which left out records that were
    /// too large for a queue, or the message is not a dead letter, or only a part of one.
    pub fn stream_event(&self) -> Result<Event, String> {
        self.check_whole()?;
        let found = payload::of_envelope(&self.body).ok_or_else(|| {
            let Summary { record_id, source, .. } = &self.summary;
            format!(
                "the dead letter holds no record, only that {record_id} of {source} was too large for a queue; see to the \
                 item itself, then drop the dead letter"
            )
        })?;
        found.map(|(payload, ordering_key)| self.event(payload, ordering_key))
    }

    /// The body in readable form: compressed text is decompressed.
    pub fn readable(&self) -> String {
        let text = |payload| match payload {
            Payload::Json(text) => Some(text),
            Payload::Bytes(bytes) => String::from_utf8(bytes).ok(),
        };
        let readable = match self.payload_encoding.as_deref() {
            Some(encoding) => payload::of_body(&self.body, Some(encoding)).ok().and_then(text),
            None => payload::decoded_in_envelope(&self.body),
        };
        readable.unwrap_or_else(|| self.body.clone())
    }

    fn event(&self, payload: Payload, ordering_key: Option<String>) -> Event {
        let own = |name: &str| Attribute::find(&self.attributes, name).map(str::to_owned);
        Event {
            id: self.summary.record_id.clone(),
            source: self.summary.source.clone(),
            ordering_key,
            payload,
            attributes: self.attributes.clone(),
            attempt: 1,
            time_ms: self.summary.first_ms,
            correlation_id: own(CORRELATION_ID).unwrap_or_else(|| self.summary.record_id.clone()),
            traceparent: own("traceparent"),
        }
    }
}

/// The message with one more attribute, if it does not have one of this name and has room for it.
pub(crate) fn with(mut message: Message, attribute: Attribute) -> Message {
    if message.attributes.iter().all(|it| it.name != attribute.name) {
        message.attributes.push(attribute);
        if message.attributes.len() > MAX_ATTRIBUTES || bytes(&message) > MAX_MESSAGE_BYTES {
            message.attributes.pop();
        }
    }
    message
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn dead_letter(source: &str, body: &str) -> DeadLetter {
        let text = serde_json::json!({
            "id": "l", "queue": "q", "worker": "w", "source": source, "recordId": "000017", "reason": "r",
            "digest": null, "attempts": 4, "firstMs": 9, "lastMs": 10, "attributes": [{"name": "shardId", "data_type": "String", "value": {"Text": "s"}}], "body": body,
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn a_change_comes_out_of_its_envelope_as_it_was() {
        let change = r#"{"keys":{"pk":"p","sk":"s"},"newImage":{"payload":12345678901234567890123456789.5}}"#;
        let event = dead_letter("dynamodb-stream:t", &format!(r#"{{"shardId":"\",\"payload\":","payload":{change}}}"#))
            .stream_event();
        let event = event.unwrap();
        assert_eq!(event.payload, Payload::Json(change.into()));
        assert_eq!((event.attempt, event.time_ms), (1, 9));
        assert_eq!((event.correlation_id.as_str(), event.attributes.len()), ("000017", 1));
    }

    #[test]
    fn a_dead_letter_without_its_record_says_so() {
        let error = dead_letter("dynamodb-stream:t", r#"{"version":"1.0"}"#).stream_event().unwrap_err();
        assert!(error.contains("000017 of dynamodb-stream:t was too large"), "{error}");
        let error = dead_letter("dynamodb-stream:t", r#"{"version":"1.0","payload":{}"#).stream_event().unwrap_err();
        assert!(error.contains("not a dead letter"), "{error}");
    }

    #[test]
    fn a_message_keeps_its_correlation_id() {
        let message = dead_letter("sqs:q", "{truncated").message().unwrap();
        assert_eq!(message.body, "{truncated");
        assert_eq!(message.attributes, [Attribute::text("shardId", "s"), Attribute::text("correlationId", "000017")]);
        let event = dead_letter("sqs:q", "{truncated").message_event().unwrap();
        assert_eq!((event.payload, event.ordering_key), (Payload::Bytes(b"{truncated".to_vec()), None));
    }
}
