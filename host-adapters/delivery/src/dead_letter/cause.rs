//! Who gave a record up and why.

use crate::event::Event;
use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

/// The most attempt times that are kept; the last ones are.
const MAX_TIMES: usize = 20;

/// Who gave up on a record and why.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cause<'a> {
    /// The reason, for people to read.
    pub reason: &'a str,
    /// Digest of the component that handled it last.
    pub digest: &'a str,
    /// The W3C trace context in which it was handled last.
    pub traceparent: Option<&'a str>,
    /// When it was handed over, milliseconds since 1970 (UTC).
    pub attempts_ms: &'a [u64],
}

/// What a dead letter's attribute `details` holds, as JSON.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Details {
    /// The ordering key of a record, if its payload does not contain it: the message group of a FIFO queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ordering_key: Option<String>,
    /// When the record was made, milliseconds since 1970 (UTC).
    pub(super) made_ms: Option<u64>,
    /// When it was handed over, RFC 3339.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) attempted: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) traceparent: Option<String>,
}

impl Details {
    pub(super) fn new(event: &Event, cause: &Cause<'_>, ordering_key: Option<String>) -> Self {
        let attempted = cause.attempts_ms.iter().filter_map(|ms| rfc3339(*ms)).collect();
        let traceparent = cause.traceparent.map(str::to_owned);
        Self { ordering_key, made_ms: Some(event.time_ms), attempted, traceparent }
    }
}

/// Adds the time of an attempt, and forgets the first ones if there are many.
pub fn note_attempt(times_ms: &mut Vec<u64>, now_ms: u64) {
    if times_ms.len() >= MAX_TIMES {
        times_ms.remove(0);
    }
    times_ms.push(now_ms);
}

/// A time in RFC 3339.
pub(crate) fn rfc3339(ms: u64) -> Option<String> {
    let time = DateTime::from_timestamp_millis(i64::try_from(ms).ok()?)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}
