//! A record that becomes a dead letter comes back as it was, of every kind of source.

use crate::model::{ModelQueues, WORKER};
use host_adapters_delivery::dead_letter::{Cause, DeadLetter, DeadLetterSink, Origin};
use host_adapters_delivery::event::{Event, Payload};
use host_adapters_platform::Received;
use host_adapters_platform::dead_letter::{MAX_ATTRIBUTES, is_queue_text};
use host_adapters_platform::limits::message::check_message;
use host_adapters_records::queue::Message;
use host_adapters_records::{Attribute, AttributeValue};
use host_adapters_sources::event_of;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;
use tokio::time::Instant;

/// JSON, text and bytes, also such that are hard to tell apart.
fn payloads() -> impl Strategy<Value = Payload> {
    let json = prop_oneof![
        any::<String>().prop_map(|text| json!({ "a": text }).to_string()),
        any::<String>().prop_map(|text| json!(text).to_string()),
        Just(" {\"payload\":12345678901234567890123456789.5}\n".to_owned()),
        Just("\"\u{ffff}\"".to_owned()),
    ];
    let bytes = prop_oneof![vec(any::<u8>(), 0..64), any::<String>().prop_map(String::into_bytes)];
    prop_oneof![
        json.clone().prop_map(Payload::Json),
        json.prop_map(|text| Payload::Bytes(text.into_bytes())),
        bytes.prop_map(Payload::Bytes),
    ]
}

fn events(source: &'static str) -> impl Strategy<Value = Event> {
    let name =
        prop_oneof!["[a-zA-Z.]{0,9}", any::<String>(), Just("reason".to_owned()), Just("traceparent".to_owned())];
    let value = prop_oneof![
        4 => any::<String>().prop_map(|text| ("String".to_owned(), AttributeValue::Text(text))),
        1 => "[0-9]{1,9}".prop_map(|text| ("Number.int".to_owned(), AttributeValue::Text(text))),
        1 => vec(any::<u8>(), 0..9).prop_map(|bytes| ("Binary".to_owned(), AttributeValue::Bytes(bytes))),
    ];
    let attribute = |(name, (data_type, value))| Attribute { name, data_type, value };
    let attributes =
        btree_map(name, value, 0..14).prop_map(move |it| it.into_iter().map(attribute).collect::<Vec<_>>());
    (payloads(), attributes, any::<Option<String>>(), 1u32..9).prop_map(move |(payload, attributes, key, attempt)| {
        Event {
            id: "record-1".into(),
            source: source.into(),
            ordering_key: key,
            payload,
            correlation_id: Attribute::find(&attributes, "correlationId").unwrap_or("record-1").into(),
            traceparent: Attribute::find(&attributes, "traceparent").map(str::to_owned),
            attributes,
            attempt,
            time_ms: 5,
        }
    })
}

/// The dead letter as it is read from its queue.
fn stored(message: Message, source: &str) -> DeadLetter {
    let Message { body, attributes, .. } = message;
    assert!(attributes.len() <= MAX_ATTRIBUTES, "{attributes:?}");
    let message = Message { attributes, ..Message::new(body) };
    assert_eq!(check_message("qDlq", &message), Ok(()));
    let Message { body, attributes, .. } = message;
    let id = "dead-letter-1".to_owned();
    let received = Received { id, body, attributes, receive_count: 1, sent_ms: 9, ..Received::default() };
    DeadLetter::read("qDlq", received, &[Origin { worker: WORKER.into(), source: source.into(), queue: None }])
}

fn sink() -> DeadLetterSink {
    let queues = Arc::new(ModelQueues::new(1, Instant::now()));
    DeadLetterSink::new(queues, "qDlq".into(), WORKER)
}

/// A worker may take its reason from a record or from the response of a service.
fn cause(reason: &str) -> Cause<'_> {
    Cause { reason, digest: "d1", traceparent: Some("00-0af7-b7ad-01"), attempts_ms: &[1, 2_000] }
}

proptest! {
    #[test]
    fn d6_7__a_message_comes_back_as_it_was(event in events("sqs:q"), reason in any::<String>()) {
        // The group of a FIFO queue has no control characters.
        let ordering_key = event.ordering_key.filter(|key| !key.is_empty() && is_queue_text(key));
        let event = Event { ordering_key, ..event };
        let dead_letter = stored(sink().message(&event, &cause(&reason)).message, "sqs:q");
        prop_assert_eq!(event_of(&dead_letter), Ok(Event { attempt: 1, ..event.clone() }));
        if let Ok(message) = dead_letter.message() {
            prop_assert_eq!(Payload::of_text(message.body), event.payload);
            let own = message.attributes.into_iter().filter(|it| event.attributes.contains(it)).count();
            prop_assert_eq!(own, event.attributes.len());
        }
    }

    #[test]
    fn d6_7__a_record_of_a_stream_comes_back_as_it_was(event in events("dynamodb-stream:t"), reason in any::<String>()) {
        let envelope = json!({"version": "1.0", "batch": {"shardId": "s"}});
        let message = sink().stream(&event, "s", envelope, &cause(&reason)).message;
        let dead_letter = stored(message, "dynamodb-stream:t");
        let back = dead_letter.stream_event().unwrap();
        // A JSON payload contains its key.
        let ordering_key = if matches!(event.payload, Payload::Bytes(_)) { event.ordering_key } else { back.ordering_key.clone() };
        prop_assert_eq!(back, Event { attempt: 1, ordering_key, ..event });
    }
}

proptest! {
    /// The partition key is an attribute, so that it comes back with JSON, too.
    #[test]
    fn d6_7__a_record_of_a_data_stream_comes_back_as_it_was(
        event in events("kinesis:s"), key in "\\PC{1,256}", part in any::<Option<u32>>(), reason in any::<String>(),
    ) {
        let mut event = Event { ordering_key: Some(key.clone()), ..event };
        event.id = part.map_or("17".to_owned(), |part| format!("17#{part}"));
        event.attributes.retain(|it| it.name != "partitionKey" && it.name != "correlationId");
        event.attributes.push(Attribute::text("partitionKey", key));
        event.attributes.sort_unstable();
        event.correlation_id.clone_from(&event.id);
        let message = sink().stream(&event, "s", json!({"version": "1.0"}), &cause(&reason)).message;
        prop_assert_eq!(event_of(&stored(message, "kinesis:s")), Ok(Event { attempt: 1, ..event }));
    }
}

/// Why, when and in which trace.
#[test]
fn d6_8__a_dead_letter_says_why_and_when_and_names_its_trace() {
    let attributes = (0..9).map(|n| Attribute::text(format!("own{n}"), "v")).collect();
    let event = Event {
        id: "record-1".into(),
        source: "sqs:q".into(),
        ordering_key: Some("group".into()),
        payload: Payload::Json("{}".into()),
        attributes,
        attempt: 2,
        time_ms: 5,
        correlation_id: "c".into(),
        traceparent: None,
    };
    let reason = "the entry service refused with status 422: no such market";
    for dead_letter in [
        stored(sink().message(&event, &cause(reason)).message, "sqs:q"),
        stored(sink().stream(&event, "s", json!({"version": "1.0"}), &cause(reason)).message, "sqs:q"),
    ] {
        assert_eq!((dead_letter.summary.reason.as_str(), dead_letter.attributes.len()), (reason, 9));
        assert_eq!(dead_letter.summary.attempted, ["1970-01-01T00:00:00.001Z", "1970-01-01T00:00:02.000Z"]);
        assert_eq!(dead_letter.summary.traceparent.as_deref(), Some("00-0af7-b7ad-01"));
    }
}

/// A sequence number names a record of one shard, and several workers may give the record up.
#[test]
fn d3_16__dead_letters_of_streams_differ_in_worker_source_shard_and_record() {
    let id = |worker: &str, source: &str, shard: &str, record: &str| {
        let queues = Arc::new(ModelQueues::new(1, Instant::now()));
        let event = Event {
            id: record.into(),
            source: source.into(),
            ordering_key: None,
            payload: Payload::Json("{}".into()),
            attributes: vec![],
            attempt: 1,
            time_ms: 5,
            correlation_id: "c".into(),
            traceparent: None,
        };
        let sink = DeadLetterSink::new(queues, "dead.fifo".into(), worker);
        let message = sink.stream(&event, shard, json!({"version": "1.0"}), &Cause::default()).message;
        assert_eq!(check_message("dead.fifo", &message), Ok(()));
        message.deduplication_id.unwrap()
    };
    let same = || id("w", "dynamodb-stream:t", "s", "000017");
    let all = [
        same(),
        id("v", "dynamodb-stream:t", "s", "000017"),
        id("w", "dynamodb-stream:u", "s", "000017"),
        id("w", "dynamodb-stream:t", "r", "000017"),
        id("w", "dynamodb-stream:t", "s", "000018"),
        id("w", "dynamodb-stream:t", "s0", "00017"),
    ];
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len(), "{all:?}");
    assert_eq!(all[0], same(), "the same dead letter again is stored once");
}
