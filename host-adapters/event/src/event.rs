//! One record of a source.

use crate::{Attribute, json, source_name};
use serde::Deserialize;
#[cfg(feature = "component")]
use wasmtime::component::{ComponentType, Lower};

/// One record of a source.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "component", derive(ComponentType, Lower), component(record))]
pub struct Event {
    /// Names the record within its source.
    pub id: String,
    /// `<kind>:<name>`, for example `sqs:saveEntriesQueue`.
    pub source: String,
    /// Records of one key are handed over in order.
    #[cfg_attr(feature = "component", component(name = "ordering-key"))]
    pub ordering_key: Option<String>,
    /// The record itself.
    pub payload: Payload,
    /// The source's own attributes.
    pub attributes: Vec<Attribute>,
    /// 1 at the first delivery.
    pub attempt: u32,
    /// When the record was made, milliseconds since 1970 (UTC).
    #[cfg_attr(feature = "component", component(name = "time-ms"))]
    pub time_ms: u64,
    /// Follows the record through logs and services.
    #[cfg_attr(feature = "component", component(name = "correlation-id"))]
    pub correlation_id: String,
    /// W3C trace context that came with the record.
    pub traceparent: Option<String>,
}

impl Event {
    /// The sequence number of a stream's record. Several events may be packed into one record, an aggregate: their ids are
    /// `<sequence>#<sub>`, with what was packed first as 0.
    pub fn sequence(&self) -> &str {
        self.id.split_once('#').map_or(&self.id, |(sequence, _)| sequence)
    }

    /// Whether it is a message of a queue, as the queue's own source hands it over.
    pub fn is_of_queue(&self) -> bool {
        self.source.split_once(':').is_some_and(|(kind, _)| kind == source_name::QUEUE)
    }

    /// Of a record of the event log: `<topic>-<partition>` and its offset, by which Lambda names it. Its id is
    /// `<partition>-<offset>`.
    pub fn log_place(&self) -> Option<(String, u64)> {
        let (kind, topic) = self.source.split_once(':')?;
        let (partition, offset) = self.id.split_once('-').filter(|_| kind == source_name::EVENT_LOG)?;
        Some((format!("{topic}-{partition}"), offset.parse().ok()?))
    }

    /// The text of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        Attribute::find(&self.attributes, name)
    }

    /// The payload as JSON. The error is a reason to reject the record, and names the field.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, String> {
        let bytes = match &self.payload {
            Payload::Json(text) => text.as_bytes(),
            Payload::Bytes(bytes) => bytes,
        };
        json::from_slice(bytes).map_err(|problem| format!("malformed: {problem}"))
    }
}

/// The content of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "component", derive(ComponentType, Lower), component(variant))]
pub enum Payload {
    /// JSON text.
    #[cfg_attr(feature = "component", component(name = "json"))]
    Json(String),
    /// Anything else.
    #[cfg_attr(feature = "component", component(name = "bytes"))]
    Bytes(Vec<u8>),
}

impl Payload {
    /// Text that is JSON is JSON. Other text is bytes: it is still delivered to the worker, which may reject it.
    pub fn of_text(text: String) -> Self {
        match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            Ok(_) => Self::Json(text),
            Err(_) => Self::Bytes(text.into_bytes()),
        }
    }

    /// Size in bytes, as it counts towards `max_batch_bytes`.
    pub fn len(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_json_is_bytes() {
        assert_eq!(Payload::of_text(r#"{"a":1}"#.to_owned()), Payload::Json(r#"{"a":1}"#.to_owned()));
        assert_eq!(Payload::of_text("{truncated".to_owned()), Payload::Bytes(b"{truncated".to_vec()));
        assert_eq!(Payload::of_text(String::new()), Payload::Bytes(Vec::new()));
    }
}
