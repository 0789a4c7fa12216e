//! A dead letter in its queue: the record, and in its attributes who gave it up and why.
//!
//! Of the ten attributes that a message may have, up to eight describe why the record was given up. The record's own
//! attributes fill the rest; those that do not fit, or have a name that the host uses, are packed into the last. A
//! redriven record therefore has all its attributes.

mod cause;
mod parts;
mod payload;
mod record;
mod sink;
mod unstored;

pub(crate) use cause::rfc3339;
pub use cause::{Cause, note_attempt};
pub use host_adapters_platform::dead_letter::{RECEIVES_EXHAUSTED, attribute, attributes};
pub use parts::{Part, by_dead_letter, is_whole};
pub(crate) use record::with;
pub use sink::DeadLetterSink;
pub use unstored::Unstored;

use cause::Details;
use host_adapters_platform::Received;
use host_adapters_platform::dead_letter::{MAX_ATTRIBUTES, OURS, unpacked};
use host_adapters_records::{Attribute, source_name};
use serde::{Deserialize, Serialize};

/// What feeds a dead letter queue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// Component id of the worker that gives records up; empty for a queue that no component reads.
    pub worker: String,
    /// `<kind>:<name>` of the source they came from.
    pub source: String,
    /// The queue that the source reads and that records return to; `None` if it reads none.
    pub queue: Option<String>,
}

impl Origin {
    /// A queue that no component reads.
    pub fn of_queue(queue: &str) -> Self {
        Self { worker: String::new(), source: source_name::of_queue(queue), queue: Some(queue.to_owned()) }
    }
}

/// An entry in a list of dead letters.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The dead letter's id in its queue.
    pub id: String,
    /// The dead letter queue.
    pub queue: String,
    /// Component id of the worker that gave the record up; empty if unknown.
    pub worker: String,
    /// `<kind>:<name>` of the source that the record came from; empty if unknown.
    pub source: String,
    /// The record's id in its source: message id or sequence number.
    pub record_id: String,
    /// Why it was given up.
    pub reason: String,
    /// Digest of the component that handled it last, if known.
    pub digest: Option<String>,
    /// How often it was handed over.
    pub attempts: u32,
    /// When the record was created, milliseconds since 1970 (UTC).
    pub first_ms: u64,
    /// When it was given up, milliseconds since 1970 (UTC). Unknown if the queue's own redrive moved it, because SQS
    /// then keeps the time when the message was first sent.
    pub last_ms: Option<u64>,
    /// When it was handed over, RFC 3339; the last times, if there were many.
    #[serde(default)]
    pub attempted: Vec<String>,
    /// The W3C trace context in which it was handled last, if known.
    #[serde(default)]
    pub traceparent: Option<String>,
    /// Which part of a dead letter this is; `None` if it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

impl AsRef<Self> for Summary {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// A whole dead letter.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Who gave up what and why.
    #[serde(flatten)]
    pub summary: Summary,
    /// The record's own attributes.
    pub attributes: Vec<Attribute>,
    /// A message's body, or the envelope of a stream's record with its `payload`.
    pub body: String,
    /// How the body encodes a payload that is not text: `base64`, or `base64-json` if it is JSON. `None` for an
    /// envelope, which has a field for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_encoding: Option<String>,
    /// The message group of a FIFO queue's record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// The ids of all messages that hold its parts, if it was joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
}

impl AsRef<Summary> for DeadLetter {
    fn as_ref(&self) -> &Summary {
        &self.summary
    }
}

impl DeadLetter {
    /// Reads a message of `queue`, which `origins` feed. A message that the queue's own redrive moved has no attributes
    /// for worker and source; they are taken from the origin if there is only one.
    pub fn read(queue: &str, message: Received, origins: &[Origin]) -> Self {
        let is_ours = |attribute: &Attribute| OURS.contains(&attribute.name.as_str());
        let (ours, mut attributes): (Vec<_>, Vec<_>) = message.attributes.into_iter().partition(is_ours);
        let told = OURS.map(|name| Attribute::find(&ours, name).map(str::to_owned));
        let [reason, attempt, worker, source, digest, record_id, first_ms, key, payload_encoding, details, more, part] =
            told;
        let Details { ordering_key, made_ms, attempted, traceparent } =
            details.and_then(|details| serde_json::from_str(&details).ok()).unwrap_or_default();
        attributes.extend(more.as_deref().map(unpacked).unwrap_or_default());
        attributes.sort_unstable();
        // A message that the embedded queue's own redrive moved names its queue, which may also be that of an S3
        // source.
        let is_its = |it: &&Origin| it.queue.as_ref().is_some_and(|queue| source == Some(source_name::of_queue(queue)));
        let mut its = origins.iter().filter(is_its);
        let by_queue = its.next().filter(|_| its.next().is_none());
        let source = by_queue.map(|it| it.source.clone()).or_else(|| source.clone());
        let source = source.or_else(|| only(origins.iter().map(|it| &it.source))).unwrap_or_default();
        let worker = worker.or_else(|| by_queue.map(|it| it.worker.clone()));
        let of_source = origins.iter().filter(|it| it.source == source).map(|it| &it.worker);
        // The host's dead letters name the group in an attribute, because not every dead letter queue has groups.
        let moved_by_the_queue = reason.as_deref().is_none_or(|reason| reason == RECEIVES_EXHAUSTED);
        let ordering_key = ordering_key.or_else(|| message.group.filter(|_| moved_by_the_queue));
        let summary = Summary {
            worker: worker.or_else(|| only(of_source)).unwrap_or_default(),
            source,
            record_id: record_id.unwrap_or_else(|| message.id.clone()),
            reason: reason.unwrap_or_else(|| RECEIVES_EXHAUSTED.to_owned()),
            digest,
            attempts: attempt.and_then(|it| it.parse().ok()).unwrap_or(message.receive_count),
            first_ms: made_ms.or_else(|| first_ms?.parse().ok()).unwrap_or(message.sent_ms),
            last_ms: (!moved_by_the_queue).then_some(message.sent_ms),
            attempted,
            traceparent,
            part: part.and_then(|part| serde_json::from_str(&part).ok()),
            id: message.id,
            queue: queue.to_owned(),
        };
        // Earlier versions had attributes for the key and the time.
        let (ordering_key, messages) = (ordering_key.or(key), Vec::new());
        Self { summary, attributes, body: message.body, payload_encoding, ordering_key, messages }
    }
}

/// The common value of all, if they are equal.
fn only<'a>(mut values: impl Iterator<Item = &'a String>) -> Option<String> {
    let first = values.next()?;
    values.all(|value| value == first).then(|| first.clone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use host_adapters_records::AttributeValue;

    fn own(names: &[&str]) -> Vec<Attribute> {
        names.iter().map(|name| Attribute::text(*name, format!("own {name}"))).collect()
    }

    fn received(attributes: Vec<Attribute>) -> Received {
        let (id, body) = ("dead-letter-1".to_owned(), "{}".to_owned());
        Received { id, body, attributes, sent_ms: 7, ..Received::default() }
    }

    fn origin(worker: &str, source: &str) -> Origin {
        let queue = source.strip_prefix("sqs:").map(str::to_owned);
        Origin { worker: worker.to_owned(), source: source.to_owned(), queue }
    }

    #[test]
    fn no_attribute_of_the_record_is_lost() {
        let told = || vec![("reason", "trap".to_owned()), ("attempt", "3".to_owned()), ("digest", String::new())];
        let number = Attribute::typed("h", "Number.float", AttributeValue::Text("1.50".into()));
        let bytes = Attribute::typed("reason", "Binary.png", AttributeValue::Bytes(vec![0, 255]));
        for own in [
            own(&[]),
            own(&["a", "b", "c", "d", "e", "f", "g", "h"]),
            own(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]),
            own(&["a", "moreAttributes", "reason"]),
            [own(&["a", "b", "c", "d", "e", "f", "g"]), vec![number, bytes]].concat(),
        ] {
            let attributes = attributes(told(), own.clone());
            assert!(
                attributes.len() <= MAX_ATTRIBUTES && attributes.iter().all(|it| !it.value.is_empty()),
                "{attributes:?}"
            );
            let dead_letter = DeadLetter::read("qDlq", received(attributes), &[]);
            assert_eq!(dead_letter.attributes, own);
            assert_eq!((dead_letter.summary.reason.as_str(), dead_letter.summary.attempts), ("trap", 3));
        }
    }

    #[test]
    fn a_moved_message_gets_worker_and_source_from_its_only_origin() {
        let (first, second) = (origin("save-entries", "sqs:q"), origin("other", "sqs:r"));
        let dead_letter = DeadLetter::read("qDlq", received(own(&["a"])), std::slice::from_ref(&first)).summary;
        assert_eq!((dead_letter.worker.as_str(), dead_letter.source.as_str()), ("save-entries", "sqs:q"));
        assert_eq!(
            (dead_letter.reason.as_str(), dead_letter.record_id.as_str()),
            (RECEIVES_EXHAUSTED, "dead-letter-1")
        );
        assert_eq!((dead_letter.first_ms, dead_letter.last_ms), (7, None));
        let dead_letter = DeadLetter::read("qDlq", received(vec![]), &[first, second]).summary;
        assert_eq!((dead_letter.worker.as_str(), dead_letter.source.as_str()), ("", ""), "two origins: nobody knows");
    }
    #[test]
    fn a_moved_message_gets_the_name_of_the_source_that_reads_its_queue() {
        let reads =
            |worker: &str, queue: &str| Origin { queue: Some(queue.to_owned()), ..origin(worker, "s3:scoring") };
        let origins = [reads("load-scores", "q"), reads("save-fanlist-scores", "r")];
        let moved =
            |from: &str| DeadLetter::read("dlq", received(vec![Attribute::text("source", from)]), &origins).summary;
        assert_eq!(
            (moved("sqs:r").worker.as_str(), moved("sqs:r").source.as_str()),
            ("save-fanlist-scores", "s3:scoring")
        );
        assert_eq!((moved("sqs:z").worker.as_str(), moved("sqs:z").source.as_str()), ("", "sqs:z"));
    }
}
