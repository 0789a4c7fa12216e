//! What a worker is handed and what it answers; meanings as in `wit/events.wit`.

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
