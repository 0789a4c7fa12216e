//! `{type, data}`: a record in `dataQueue`, in the topic and its queues, and the value in the event log.

use crate::kind::Kind;
use crate::object::Object;
use host_adapters_event::{Event, json};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The attribute of the topic's messages that has the type. The filter policies of the queues read it.
pub const TYPE: &str = "type";

/// The reason to reject a record that is not JSON as it should be.
fn malformed(fault: impl std::fmt::Display) -> String {
    format!("malformed: {fault}")
}

/// A message of the topic as SNS wraps it, unless its subscription is raw.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification {
    r#type: String,
    /// Of SNS's messages only notifications have a topic and a message.
    #[serde(rename = "TopicArn")]
    _topic_arn: String,
    message: String,
    #[serde(default)]
    message_attributes: BTreeMap<String, NotifiedAttribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NotifiedAttribute {
    value: String,
}

impl Notification {
    /// What a message wraps; `None` if it is not a notification. A record of the pipeline is not one: it has no
    /// `Message`.
    fn of(event: &Event) -> Option<Self> {
        event.json::<Self>().ok().filter(|it| it.r#type == "Notification")
    }

    fn kind(&self) -> &str {
        self.message_attributes.get(TYPE).map_or("", |attribute| &attribute.value)
    }
}

/// A record of the pipeline.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its type.
    pub kind: Kind,
    /// The entity.
    pub data: Object,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Body<'_> {
    /// The text of `type`; empty if there is none.
    fn kind(&self) -> String {
        self.kind.and_then(|kind| serde_json::from_str(kind.get()).ok()).unwrap_or_default()
    }

    fn data(&self) -> Result<Object, String> {
        let data = self.data.map(RawValue::get).unwrap_or_default();
        match Object::parse(data) {
            Some(object) if !object.is_empty() => Ok(object),
            Some(_) => Err(EMPTY.to_owned()),
            None if is_empty(data) => Err(EMPTY.to_owned()),
            None => Err("invalid: /data is not an object".to_owned()),
        }
    }
}

/// The reason to reject a record without an entity.
const EMPTY: &str = "empty: /data has nothing in it";

/// Whether a value that is not an object has nothing in it.
fn is_empty(json: &str) -> bool {
    let is_blank = |text: String| text.trim().is_empty();
    json.is_empty()
        || serde_json::from_str::<Vec<&RawValue>>(json).is_ok_and(|list| list.is_empty())
        || serde_json::from_str(json).is_ok_and(is_blank)
}

impl Message {
    /// Reads a record of `dataQueue`, whose body has the type.
    ///
    /// # Errors
    /// The reason to reject it: it is not JSON, of an unknown type, or without data.
    pub fn read(event: &Event) -> Result<Self, String> {
        let body: Body<'_> = event.json()?;
        let kind = Kind::parse(&body.kind())?;
        Ok(Self { kind, data: body.data()? })
    }

    /// Reads a record of a type's queue, whose attribute `type` has the type. The body must name the same one. A message
    /// without the attribute may be one that SNS has wrapped, with its attributes.
    ///
    /// # Errors
    /// As [`Self::read`], and when attribute and body differ.
    pub fn read_typed(event: &Event) -> Result<Self, String> {
        let attribute = event.attribute(TYPE);
        if let (None, Some(wrapped)) = (attribute, Notification::of(event)) {
            let body = json::from_slice(wrapped.message.as_bytes()).map_err(malformed)?;
            return Self::of_kind(Kind::parse(wrapped.kind())?, &body);
        }
        Self::of_kind(Kind::parse(attribute.unwrap_or_default())?, &event.json()?)
    }

    fn of_kind(kind: Kind, body: &Body<'_>) -> Result<Self, String> {
        if Kind::parse(&body.kind())? != kind {
            return Err(format!("invalid: /type is not the message's attribute, {kind}"));
        }
        Ok(Self { kind, data: body.data()? })
    }

    /// The text of the data, the members of all objects in the order of their names.
    ///
    /// # Errors
    /// The reason to reject it, when the data cannot be written.
    pub fn data_text(&self) -> Result<String, String> {
        self.data.compact().map_err(|problem| format!("malformed: data: {problem}"))
    }

    /// The text of the record, around that of its data.
    pub fn text(&self, data_text: &str) -> String {
        format!(r#"{{"type":"{}","data":{data_text}}}"#, self.kind)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{event, typed};
    use serde_json::json;

    fn reason(body: &str) -> String {
        Message::read(&event(body)).unwrap_err()
    }

    #[test]
    fn use_case_5_a_record_is_its_type_and_its_data() {
        let read = Message::read(&event(r#"{"data": {"b": 1.50, "a": [ ]}, "type": "MARKET", "more": 1}"#)).unwrap();
        assert_eq!(read.kind, Kind::Market);
        assert_eq!(read.text(&read.data_text().unwrap()), r#"{"type":"MARKET","data":{"a":[],"b":1.50}}"#);
    }

    #[test]
    fn use_case_5_invalid_record_type() {
        for body in [
            r#"{"data":{"id":"c"}}"#,
            r#"{"type":null,"data":{"id":"c"}}"#,
            r#"{"type":7,"data":{}}"#,
            r#"{"type":""}"#,
        ] {
            assert!(reason(body).starts_with("unknown type: is none of CAMPAIGN, "), "{body}");
        }
        assert!(reason(r#"{"type":"VENUE","data":{}}"#).starts_with("unknown type: VENUE is none of "));
    }

    #[test]
    fn use_case_5_empty_data_payload() {
        for data in ["null", "{}", " { } ", "[]", r#""""#, r#"" ""#] {
            assert_eq!(reason(&format!(r#"{{"type":"MARKET","data":{data}}}"#)), EMPTY, "{data}");
        }
        assert_eq!(reason(r#"{"type":"MARKET"}"#), EMPTY);
        for data in ["7", "false", r#""text""#, "[1]"] {
            let expected = "invalid: /data is not an object";
            assert_eq!(reason(&format!(r#"{{"type":"MARKET","data":{data}}}"#)), expected, "{data}");
        }
    }

    #[test]
    fn what_is_not_a_json_object_is_malformed() {
        for body in ["", "{", "7", "[1,2]", "null"] {
            assert!(reason(body).starts_with("malformed: "), "{body}: {}", reason(body));
        }
    }

    #[test]
    fn use_case_5_the_type_is_that_of_the_attribute() {
        let body = r#"{"type":"MARKET","data":{"id":"m"}}"#;
        assert_eq!(Message::read_typed(&typed("MARKET", body)).unwrap().kind, Kind::Market);
        let reason = |event| Message::read_typed(&event).unwrap_err();
        assert!(reason(event(body)).starts_with("unknown type: is none of "));
        assert!(reason(typed("VENUE", body)).starts_with("unknown type: VENUE is none of "));
        assert_eq!(reason(typed("CAMPAIGN", body)), "invalid: /type is not the message's attribute, CAMPAIGN");
        assert_eq!(reason(typed("MARKET", r#"{"type":"MARKET","data":{}}"#)), EMPTY);
    }

    /// As a subscription of SNS delivers it that is not raw.
    fn wrapped(kind: Option<&str>, body: &str) -> Event {
        let attribute = kind.map(|kind| json!({"type": {"Type": "String", "Value": kind}}));
        let mut notification = json!({
            "Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:us-east-1:1:dataSns", "Message": body,
            "Timestamp": "2024-01-15T10:30:00.000Z", "SignatureVersion": "1",
        });
        notification["MessageAttributes"] = attribute.unwrap_or_else(|| json!({}));
        event(&notification.to_string())
    }

    #[test]
    fn use_case_5_a_wrapped_record_is_read_as_a_raw_one() {
        let body = r#"{"type":"MARKET","data":{"id":"m","n":1.50}}"#;
        let [raw, read] =
            [typed("MARKET", body), wrapped(Some("MARKET"), body)].map(|event| Message::read_typed(&event).unwrap());
        assert_eq!((read.kind, read.data_text()), (raw.kind, raw.data_text()));
        let reason = |event| Message::read_typed(&event).unwrap_err();
        assert!(reason(wrapped(None, body)).starts_with("unknown type: is none of "));
        assert_eq!(reason(wrapped(Some("CAMPAIGN"), body)), "invalid: /type is not the message's attribute, CAMPAIGN");
        for body in ["", "{", "[1]"] {
            let reason = reason(wrapped(Some("MARKET"), body));
            assert!(reason.starts_with("malformed: "), "{reason}");
        }
    }

    #[test]
    fn what_is_not_wrapped_by_a_topic_is_not_unwrapped() {
        let body = r#"{"type":"MARKET","data":{"id":"m"}}"#;
        let mut other: serde_json::Value = event_value(wrapped(Some("MARKET"), body));
        other["Type"] = json!("SubscriptionConfirmation");
        let reason = Message::read_typed(&event(&other.to_string())).unwrap_err();
        assert!(reason.starts_with("unknown type: is none of "), "{reason}");
    }

    fn event_value(event: Event) -> serde_json::Value {
        event.json().unwrap()
    }
}
