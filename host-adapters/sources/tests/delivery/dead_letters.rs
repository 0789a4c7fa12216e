//! A record that becomes a dead letter comes back as it was, of every kind of source.

use crate::model::{ModelQueues, WORKER};
use host_adapters_delivery::dead_letter::{Cause, DeadLetter, DeadLetterSink, Origin};
use host_adapters_delivery::event::{Event, Payload};
use host_adapters_delivery::redrive::Way;
use host_adapters_platform::Received;
use host_adapters_platform::dead_letter::{MAX_ATTRIBUTES, is_queue_text};
use host_adapters_platform::limits::message::check_message;
use host_adapters_platform::objects::encoded;
use host_adapters_records::queue::Message;
use host_adapters_records::{Attribute, AttributeValue};
use host_adapters_sources::{SourceConfig, event_of, recovery};
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

/// Records without a source.
fn events() -> impl Strategy<Value = Event> {
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
            source: String::new(),
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

/// The name of every source here.
const NAME: &str = "source-1";

/// A record of one kind of source.
struct Case {
    /// What becomes a dead letter.
    given: Event,
    /// What the worker gets of it again.
    back: Event,
    /// Whether its dead letter has the envelope of a stream.
    of_stream: bool,
}

impl Case {
    fn same(event: Event, of_stream: bool) -> Self {
        Self { given: event.clone(), back: event, of_stream }
    }

    fn dead_letter(&self, reason: &str) -> DeadLetter {
        let envelope = json!({"version": "1.0", "batch": {"shardId": "s"}});
        let mut unstored = if self.of_stream {
            sink().stream(&self.given, "s", envelope, &cause(reason))
        } else {
            sink().message(&self.given, &cause(reason))
        };
        stored(unstored.messages.remove(0), &self.given.source)
    }
}

/// Makes `event` a record of a kind of source; `None` if the kind has no dead letters. `key` is what the kind may have:
/// partition key, key of an item or of an object; `part` a number within a record. A kind stands here if its events
/// have more than others.
fn case(kind: &str, event: Event, key: &str, part: Option<u32>) -> Option<Case> {
    let event = Event { source: format!("{kind}:{NAME}"), ..event };
    match kind {
        "sqs" => Some(Case::same(of_queue(event), false)),
        "s3" => Some(of_bucket(event, key)),
        "dynamodb-stream" => Some(Case::same(of_table(event, key), true)),
        "kinesis" => Some(Case::same(of_data_stream(event, key, part), true)),
        "kafka" => Some(Case::same(of_topic(event, key), true)),
        _ => recovery(kind).map(|_| any_case(event)),
    }
}

/// The record of a kind whose events have neither an ordering key nor attributes of its own. Its dead letter is in the
/// form that the kind's recovery reads.
fn any_case(event: Event) -> Case {
    let message = Case::same(Event { ordering_key: None, ..event }, false);
    match event_of(&message.dead_letter("unnamed")) {
        Ok(_) => message,
        Err(_) => Case { of_stream: true, ..message },
    }
}

/// The group of a FIFO queue has no control characters.
fn of_queue(event: Event) -> Event {
    let ordering_key = event.ordering_key.filter(|key| !key.is_empty() && is_queue_text(key));
    Event { ordering_key, ..event }
}

/// The dead letter is the notification, and the worker gets the object.
fn of_bucket(event: Event, key: &str) -> Case {
    let object = json!({"key": encoded(key), "size": 3, "eTag": "etag-1", "sequencer": "00A1"});
    let record = json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": NAME}, "object": object}});
    let notification = json!({ "Records": [record] }).to_string();
    let object = format!(
        r#"{{"bucket":"{NAME}","key":{},"size":3,"etag":"etag-1","sequencer":"00A1","eventName":"ObjectCreated:Put"}}"#,
        json!(key)
    );
    let event = Event { ordering_key: None, ..event };
    let given = Event { payload: Payload::Json(notification), ..event.clone() };
    Case { given, back: Event { payload: Payload::Json(object), ..event }, of_stream: false }
}

/// A change has its key in its JSON.
fn of_table(event: Event, key: &str) -> Event {
    match event.payload {
        Payload::Json(image) => {
            let keys = json!({"pk": key, "sk": "b"});
            let change = format!(r#"{{"eventName":"MODIFY","keys":{keys},"newImage":{image}}}"#);
            Event { payload: Payload::Json(change), ordering_key: Some(format!("{key}|b")), ..event }
        }
        Payload::Bytes(bytes) => Event { payload: Payload::Bytes(bytes), ordering_key: None, ..event },
    }
}

/// The partition key is an attribute, so that it comes back with JSON, too.
fn of_data_stream(mut event: Event, key: &str, part: Option<u32>) -> Event {
    event.ordering_key = Some(key.to_owned());
    event.id = part.map_or("17".to_owned(), |part| format!("17#{part}"));
    event.attributes.retain(|it| it.name != "partitionKey" && it.name != "correlationId");
    event.attributes.push(Attribute::text("partitionKey", key));
    event.attributes.sort_unstable();
    event.correlation_id.clone_from(&event.id);
    event
}

/// The key is an attribute, as a partition key is.
fn of_topic(mut event: Event, key: &str) -> Event {
    event.ordering_key = Some(key.to_owned());
    event.id = "2-17".to_owned();
    event.attributes.retain(|it| it.name != "key" && it.name != "correlationId");
    event.attributes.push(Attribute::text("key", key));
    event.attributes.sort_unstable();
    event.correlation_id.clone_from(&event.id);
    event
}

/// The body of the message that has this payload; `None` if a queue has no such message: its messages are text, not
/// empty, and JSON if they can be read as JSON.
fn body_of(payload: &Payload) -> Option<String> {
    let text = match payload {
        Payload::Json(text) => text.clone(),
        Payload::Bytes(bytes) => String::from_utf8(bytes.clone()).ok()?,
    };
    (!text.is_empty() && Payload::of_text(text.clone()) == *payload).then_some(text)
}

proptest! {
    #[test]
    fn d6_7__a_record_of_every_kind_of_source_comes_back_as_it_was(
        event in events(), key in "\\PC{1,256}", part in any::<Option<u32>>(), reason in any::<String>(),
    ) {
        for kind in SourceConfig::KINDS {
            let (way, case) = (recovery(kind).map(|it| it.way), case(kind, event.clone(), &key, part));
            prop_assert_eq!(way.is_some(), case.is_some(), "{}", kind);
            let Some(case) = case else { continue };
            let dead_letter = case.dead_letter(&reason);
            prop_assert_eq!(event_of(&dead_letter), Ok(Event { attempt: 1, ..case.back }));
            if way != Some(Way::Queue) {
                continue;
            }
            let message = dead_letter.message().ok();
            prop_assert_eq!(message.as_ref().map(|it| it.body.clone()), body_of(&case.given.payload));
            if let Some(message) = message {
                let own = message.attributes.into_iter().filter(|it| case.given.attributes.contains(it)).count();
                prop_assert_eq!(own, case.given.attributes.len());
            }
        }
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
        stored(sink().message(&event, &cause(reason)).messages.remove(0), "sqs:q"),
        stored(sink().stream(&event, "s", json!({"version": "1.0"}), &cause(reason)).messages.remove(0), "sqs:q"),
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
        let message = sink.stream(&event, shard, json!({"version": "1.0"}), &Cause::default()).messages.remove(0);
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
