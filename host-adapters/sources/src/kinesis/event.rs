//! Converts a record to events: one, or one for each record that is packed into it.

use super::aggregate::Part;
#[cfg(feature = "host")]
use super::aggregate::{is_misplaced, open};
use crate::dynamodb_stream::{ChangeInRecord, change_in};
use crate::lambda::Context;
use host_adapters_event::{Attribute, Event, Payload};

/// The attribute that holds an event's partition key.
pub(super) const PARTITION_KEY: &str = "partitionKey";

/// A record, from the host's own reader or from Lambda.
pub(super) struct Record {
    pub(super) sequence: String,
    pub(super) partition_key: Option<String>,
    pub(super) data: Vec<u8>,
    /// When it arrived, milliseconds since 1970 (UTC).
    pub(super) time_ms: u64,
}

/// What the records of one shard have in common.
pub(super) struct Origin<'a> {
    /// `kinesis:<stream>`; `None` where that is not known.
    pub(super) source: Option<&'a str>,
    /// What is known of the shard.
    pub(super) shard: &'a [Attribute],
    /// How often the records were handed over, this time included.
    pub(super) attempt: u32,
    pub(super) context: &'a Context<'a>,
}

/// An event, and the time of the change in it, if it is a change.
pub(super) type Made = (Event, Option<String>);

impl Record {
    /// The event of the whole record.
    pub(super) fn made(self, origin: &Origin<'_>) -> Made {
        let Self { sequence: id, partition_key, data, time_ms } = self;
        let payload = match String::from_utf8(data) {
            Ok(text) => match change_in(&text, &id, origin.source, origin.shard, origin.context) {
                Some(ChangeInRecord { event, made }) => {
                    // An item of a table with other keys gets the record's own key.
                    let ordering_key = event.ordering_key.or(partition_key);
                    return (Event { ordering_key, attempt: origin.attempt, ..event }, made);
                }
                None => Payload::of_text(text),
            },
            Err(error) => Payload::Bytes(error.into_bytes()),
        };
        let key = partition_key.as_ref().map(|key| Attribute::text(PARTITION_KEY, key));
        let event = Event {
            correlation_id: origin.context.correlation_id(None, &id),
            traceparent: origin.context.traceparent(None),
            id,
            source: origin.source.unwrap_or("kinesis:http").to_owned(),
            ordering_key: partition_key,
            payload,
            attributes: origin.shard.iter().cloned().chain(key).collect(),
            attempt: origin.attempt,
            time_ms,
        };
        (event, None)
    }
}

/// The events of the records that are packed into the one with this sequence number.
pub(super) fn made_of(
    parts: Vec<Part>,
    sequence: &str,
    time_ms: u64,
    origin: &Origin<'_>,
) -> impl Iterator<Item = Made> {
    parts.into_iter().enumerate().map(move |(number, Part { partition_key, data, .. })| {
        let sequence = format!("{sequence}#{number}");
        Record { sequence, partition_key: Some(partition_key), data, time_ms }.made(origin)
    })
}

/// The events of the records that the host read from a shard, in order. Their attempt is 0, because they have not been
/// handed over. A stream for DynamoDB may contain a change several times: repeats among these records, with the same
/// key, time and images, are handed over once.
#[cfg(feature = "host")]
pub(super) fn events_of(
    stream: &str,
    shard: &host_adapters_platform::Shard,
    records: Vec<host_adapters_platform::StreamRecord>,
) -> Vec<Event> {
    let source = host_adapters_event::source_name::of_data_stream(stream);
    let attributes = host_adapters_delivery::stream::shard_attributes(shard);
    let context = Context::default();
    let origin = Origin { source: Some(&source), shard: &attributes, attempt: 0, context: &context };
    let mut made = Vec::with_capacity(records.len());
    for record in records {
        let host_adapters_platform::StreamRecord { sequence, partition_key, data, time_ms } = record;
        match open(&data) {
            None => made.push(Record { sequence, partition_key: Some(partition_key), data, time_ms }.made(&origin)),
            Some(parts) if shard.hash_keys.as_ref().is_some_and(|ours| is_misplaced(&parts, ours)) => {
                host_adapters_platform::left_out(&source, MISPLACED);
            }
            Some(parts) => made.extend(made_of(parts, &sequence, time_ms, &origin)),
        }
    }
    without_repeats(made)
}

/// Why a record is left out whose parts belong to another shard.
#[cfg(feature = "host")]
const MISPLACED: &str = "an aggregate with keys of another shard";

#[cfg(feature = "host")]
fn without_repeats(made: Vec<Made>) -> Vec<Event> {
    let mut seen = std::collections::HashSet::new();
    let is_first = |(event, time): &Made| match (&event.payload, time) {
        (Payload::Json(change), Some(time)) => seen.insert((time.clone(), change.clone())),
        _ => true,
    };
    made.into_iter().filter(is_first).map(|(event, _)| event).collect()
}

#[cfg(all(test, feature = "host"))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::super::aggregate::tests::packed;
    use super::*;
    use host_adapters_platform::{Shard, StreamRecord};
    use serde_json::{Value, json};

    fn shard() -> Shard {
        let hash_keys = Some(0..=u128::MAX / 2);
        Shard { id: "shardId-2".to_owned(), parents: vec!["shardId-0".to_owned()], hash_keys }
    }

    fn record(sequence: u64, data: &[u8]) -> StreamRecord {
        let (sequence, partition_key) = (sequence.to_string(), "fan-1".to_owned());
        StreamRecord { sequence, partition_key, data: data.to_vec(), time_ms: 9 }
    }

    fn read(data: &[&[u8]]) -> Vec<Event> {
        events_of("scores", &shard(), (1..).zip(data).map(|(sequence, data)| record(sequence, data)).collect())
    }

    fn change(time: u64, score: u64) -> Vec<u8> {
        let item = json!({"pk": {"S": "p"}, "sk": {"S": "s"}, "score": {"N": score.to_string()}});
        json!({
            "awsRegion": "us-east-1", "eventID": "e", "eventName": "INSERT", "userIdentity": null, "recordFormat": "application/json",
            "tableName": "demand-table",
            "dynamodb": {
                "ApproximateCreationDateTime": time, "Keys": {"pk": {"S": "p"}, "sk": {"S": "s"}}, "NewImage": item, "SizeBytes": 26,
                "ApproximateCreationDateTimePrecision": "MICROSECOND",
            },
            "eventSource": "aws:dynamodb",
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn data_is_json_or_bytes() {
        let events = read(&[br#" {"n":12345678901234567890.50} "#, b"{truncated", b"\xff", b"", b"7"]);
        let bytes = |bytes: &[u8]| Payload::Bytes(bytes.to_vec());
        let expected = [
            Payload::Json(r#" {"n":12345678901234567890.50} "#.to_owned()),
            bytes(b"{truncated"),
            bytes(b"\xff"),
            bytes(b""),
            Payload::Json("7".to_owned()),
        ];
        assert_eq!(events.iter().map(|event| event.payload.clone()).collect::<Vec<_>>(), expected);
        let first = &events[0];
        assert_eq!(
            (first.source.as_str(), first.id.as_str(), first.time_ms, first.attempt),
            ("kinesis:scores", "1", 9, 0)
        );
        assert_eq!(first.ordering_key.as_deref(), Some("fan-1"));
        let attributes = [("shardId", "shardId-2"), ("parentShardId", "shardId-0"), ("partitionKey", "fan-1")];
        assert_eq!(first.attributes, attributes.map(|(name, value)| Attribute::text(name, value)));
    }

    #[test]
    fn parts_have_their_own_keys_and_numbers() {
        let events = read(&[&packed(&[("fan-1", None, b"{}"), ("fan-2", Some(5), b"\xff")]), b"1"]);
        let shown: Vec<_> =
            events.iter().map(|it| (it.id.as_str(), it.sequence(), it.ordering_key.as_deref())).collect();
        assert_eq!(shown, [("1#0", "1", Some("fan-1")), ("1#1", "1", Some("fan-2")), ("2", "2", Some("fan-1"))]);
        assert_eq!(events[1].attribute(PARTITION_KEY), Some("fan-2"));
        assert_eq!(events[1].payload, Payload::Bytes(vec![0xff]));
    }

    #[test]
    fn a_misplaced_record_holds_up_no_other() {
        let events = read(&[b"1", &packed(&[("fan-1", None, b"{}"), ("fan-2", None, b"{}")]), b"2"]);
        assert_eq!(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["1", "3"]);
    }

    #[test]
    fn a_change_of_a_table_is_the_event_of_its_own_stream() {
        let event = read(&[&change(1_705_314_600_123_456, 7)]).remove(0);
        let payload = r#"{"eventName":"INSERT","keys":{"pk":"p","sk":"s"},"newImage":{"pk":"p","score":7,"sk":"s"}}"#;
        assert_eq!(event.payload, Payload::Json(payload.to_owned()));
        assert_eq!((event.source.as_str(), event.ordering_key.as_deref()), ("kinesis:scores", Some("p|s")));
        assert_eq!(event.time_ms, 1_705_314_600_123);
        let attributes = [("eventName", "INSERT"), ("shardId", "shardId-2"), ("parentShardId", "shardId-0")];
        assert_eq!(event.attributes, attributes.map(|(name, value)| Attribute::text(name, value)));
    }

    /// By key, time (to the microsecond) and images.
    #[test]
    fn a_change_that_comes_again_in_a_read_is_handed_over_once() {
        let at = |micros: u64| 1_705_314_600_123_000 + micros;
        let packed = packed(&[("fan-1", None, &change(at(1), 7)), ("fan-1", None, &change(at(4), 7))]);
        let events = read(&[&change(at(1), 7), &change(at(1), 8), &change(at(2), 7), &change(at(1), 7), &packed]);
        assert_eq!(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3", "5#1"]);
        assert_eq!(read(&[b"1", b"1"]).len(), 2, "other data may be the same on purpose");
    }

    /// It is another record that happens to use the same words.
    #[test]
    fn what_only_looks_like_a_change_is_data() {
        let whole: Value = serde_json::from_slice(&change(1, 2)).unwrap();
        let with = |pointer: &str, value: Value| {
            let mut change = whole.clone();
            *change.pointer_mut(pointer).unwrap() = value;
            change
        };
        for change in [
            with("/dynamodb/NewImage", json!({"n": {"N": "many"}})),
            with("/dynamodb/Keys", json!({"pk": "p"})),
            with("/dynamodb", json!([{}])),
            with("/eventName", Value::Null),
            json!({"dynamodb": "likes"}),
            json!([{"dynamodb": {}}]),
        ] {
            let data = change.to_string();
            let event = read(&[data.as_bytes()]).remove(0);
            assert_eq!((event.payload, event.ordering_key.as_deref()), (Payload::Json(data), Some("fan-1")));
        }
    }
}
