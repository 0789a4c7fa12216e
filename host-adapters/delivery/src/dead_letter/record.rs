//! The record inside a dead letter, as its source would hand it over for the first time.

use super::{DeadLetter, MAX_ATTRIBUTES, QUEUE, Summary};
use crate::event::{Event, Payload};
use host_adapters_records::queue::Message;
use serde_json::Value;

const CORRELATION_ID: &str = "correlationId";
/// Before the payload of a stream's record: the last key of its envelope.
const PAYLOAD: &str = r#","payload":"#;

impl DeadLetter {
    /// The queue that the record came from, if it came from one.
    pub fn source_queue(&self) -> Option<&str> {
        self.summary.source.strip_prefix(QUEUE)
    }

    /// The message that the record was. It is followed by the same correlation id as before.
    pub fn message(&self) -> Message {
        let mut attributes: Vec<_> = self.attributes.clone().into_iter().collect();
        if attributes.len() < MAX_ATTRIBUTES && !self.attributes.contains_key(CORRELATION_ID) {
            attributes.push((CORRELATION_ID.to_owned(), self.summary.record_id.clone()));
        }
        Message { body: self.body.clone(), attributes, delay_secs: 0 }
    }

    /// The record as its worker gets it.
    ///
    /// # Errors
    /// When the dead letter does not hold the record: it was too large for a queue, or the message is not a dead letter.
    pub fn event(&self) -> Result<Event, String> {
        let (payload, ordering_key) = match self.source_queue() {
            Some(_) => (payload_of(&self.body), None),
            None => self.change()?,
        };
        let own = |name: &str| self.attributes.get(name).cloned();
        Ok(Event {
            id: self.summary.record_id.clone(),
            source: self.summary.source.clone(),
            ordering_key,
            payload,
            attributes: self.attributes.clone().into_iter().collect(),
            attempt: 1,
            time_ms: self.summary.first_ms,
            correlation_id: own(CORRELATION_ID).unwrap_or_else(|| self.summary.record_id.clone()),
            traceparent: own("traceparent"),
        })
    }

    /// The change that a stream's record is, and the key of its item. Cut out as text: parsing it could round numbers.
    fn change(&self) -> Result<(Payload, Option<String>), String> {
        let (_, payload) = self.body.split_once(PAYLOAD).ok_or_else(|| {
            let Summary { record_id, source, .. } = &self.summary;
            format!(
                "the dead_letter holds no record, only that {record_id} of {source} was too large for a queue; see to the \
                 item itself, then drop the dead_letter"
            )
        })?;
        let payload = payload.strip_suffix('}').unwrap_or(payload);
        let change: Value = serde_json::from_str(payload).map_err(|_| "its body is not a dead letter".to_owned())?;
        let key = |name: &str| change.pointer(name)?.as_str();
        let key = key("/keys/pk").zip(key("/keys/sk")).map(|(pk, sk)| format!("{pk}|{sk}"));
        Ok((Payload::Json(payload.to_owned()), key))
    }
}

/// A body that is not JSON reaches the worker all the same: it is the worker's to reject.
pub fn payload_of(body: &str) -> Payload {
    match serde_json::from_str::<serde::de::IgnoredAny>(body) {
        Ok(_) => Payload::Json(body.to_owned()),
        Err(_) => Payload::Bytes(body.as_bytes().to_vec()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn dead_letter(source: &str, body: &str) -> DeadLetter {
        let text = serde_json::json!({
            "id": "l", "queue": "q", "worker": "w", "source": source, "recordId": "000017", "reason": "r",
            "digest": null, "attempts": 4, "firstMs": 9, "lastMs": 10, "attributes": {"shardId": "s"}, "body": body,
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn a_change_comes_out_of_its_envelope_as_it_was() {
        let change = r#"{"keys":{"pk":"p","sk":"s"},"newImage":{"payload":12345678901234567890123456789.5}}"#;
        let event =
            dead_letter("dynamodb-stream:t", &format!(r#"{{"shardId":"\",\"payload\":","payload":{change}}}"#)).event();
        let event = event.unwrap();
        assert_eq!(event.payload, Payload::Json(change.into()));
        assert_eq!((event.ordering_key.as_deref(), event.attempt, event.time_ms), (Some("p|s"), 1, 9));
        assert_eq!((event.correlation_id.as_str(), event.attributes.len()), ("000017", 1));
    }

    #[test]
    fn a_dead_letter_without_its_record_says_so() {
        let error = dead_letter("dynamodb-stream:t", r#"{"version":"1.0"}"#).event().unwrap_err();
        assert!(error.contains("000017 of dynamodb-stream:t was too large"), "{error}");
        let error = dead_letter("dynamodb-stream:t", r#"{"version":"1.0","payload":{}"#).event().unwrap_err();
        assert!(error.contains("not a dead letter"), "{error}");
    }

    #[test]
    fn a_message_is_followed_by_the_id_it_had() {
        let message = dead_letter("sqs:q", "{truncated").message();
        assert_eq!(message.body, "{truncated");
        assert_eq!(message.attributes, [("shardId".into(), "s".into()), ("correlationId".into(), "000017".into())]);
        let event = dead_letter("sqs:q", "{truncated").event().unwrap();
        assert_eq!((event.payload, event.ordering_key), (Payload::Bytes(b"{truncated".to_vec()), None));
    }
}
