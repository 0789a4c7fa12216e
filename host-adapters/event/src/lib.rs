//! What a worker is handed and what it answers; meanings as in `wit/events.wit`. The host and the guests' library make
//! events by the same functions, those of `host-adapters-sources`, so this crate compiles for both.

pub mod json;

use std::time::Duration;

/// One record of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Names the record within its source.
    pub id: String,
    /// `<kind>:<name>`, for example `sqs:saveEntriesQueue`.
    pub source: String,
    /// Records of one key are handed over in order.
    pub ordering_key: Option<String>,
    /// The record itself.
    pub payload: Payload,
    /// The source's own attributes.
    pub attributes: Vec<(String, String)>,
    /// 1 at the first delivery.
    pub attempt: u32,
    /// When the record was made, milliseconds since 1970 (UTC).
    pub time_ms: u64,
    /// Follows the record through logs and services.
    pub correlation_id: String,
    /// W3C trace context that came with the record.
    pub traceparent: Option<String>,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// JSON text.
    Json(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Payload {
    /// Text that is JSON is JSON. Other text is bytes: it reaches the worker all the same, which may reject it.
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

/// A worker's decision on one record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Disposition {
    /// Done.
    Ack,
    /// Deliver again, not before `after` if given; after the last attempt, the DLQ.
    Retry {
        /// How long to wait at least. A stream, which waits with all that follows, waits a second at least.
        after: Option<Duration>,
    },
    /// Can never succeed.
    Reject {
        /// For the log and the metric.
        reason: String,
    },
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
