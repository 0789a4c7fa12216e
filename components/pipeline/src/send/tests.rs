//! Tests of send-data, with a fake event log.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::*;
use crate::kind::Kind;
use crate::process;
use crate::testing::{entity, event, message, published, typed};
use futures::executor::block_on;
use serde_json::{Value, json};
use std::cell::RefCell;

/// An event log whose records are kept.
#[derive(Default)]
struct World {
    /// Records whose value has this text fail in this way.
    failing: Option<(&'static str, Disposition)>,
    log: RefCell<Vec<LogRecord>>,
}

impl Ports for World {
    async fn produce(&self, records: Vec<LogRecord>) -> Vec<Result<(), Disposition>> {
        let produce = |record: LogRecord| match &self.failing {
            Some((text, disposition)) if record.value.contains(text) => Err(disposition.clone()),
            _ => {
                self.log.borrow_mut().push(record);
                Ok(())
            }
        };
        records.into_iter().map(produce).collect()
    }
}

fn run(world: &World, batch: &[Event]) -> Outcomes {
    block_on(handle(world, &Topics::new(None, None).unwrap(), batch))
}

/// A record of a type's queue.
fn record_of(kind: Kind, data: &Value) -> Event {
    typed(kind.name(), &message(kind, data))
}

fn entry(user: &str) -> Event {
    let mut entry = published(Kind::Registration);
    let id = format!("REGISTRATION:campaign-123/{user}:2024-01-15T10:30:00.000Z");
    (entry["globalUserId"], entry["recordId"]) = (json!(user), json!(id));
    record_of(Kind::Registration, &entry)
}

fn is_rejected(disposition: &Disposition, with: &str) -> bool {
    matches!(disposition, Disposition::Reject(reason) if reason.contains(with))
}

#[test]
fn use_case_5_each_type_goes_to_its_topic_with_key_value_and_dedup_id() {
    let world = World::default();
    let outcomes = run(&world, &Kind::ALL.map(|kind| record_of(kind, &published(kind))));
    assert_eq!(outcomes.dispositions, vec![Disposition::Ack; 5]);
    assert_eq!(outcomes.published, 5);
    let log = world.log.borrow();
    let told: Vec<_> = log.iter().map(|it| format!("{} {} {}", it.topic, it.key, it.headers[0].1)).collect();
    assert_eq!(
        told,
        [
            "prd2011.dmnd.campaigns campaign-789 CAMPAIGN:campaign-789:2024-01-15T10:30:00.000Z",
            "prd2011.dmnd.event-mappings campaign-789 EVENT_MAPPING:campaign-789/market-123/event-1:2024-01-15T10:30:00.000Z",
            "prd2011.dmnd.markets campaign-789 MARKET:market-123:2024-01-15T10:30:00.000Z",
            "prd2011.dmnd.registered-markets campaign-789 REGISTERED_MARKET:campaign-789/market-123:2024-01-15T10:30:00.000Z",
            "prd2011.dmnd.registrations campaign-123 REGISTRATION:campaign-123/user-456:2024-01-15T10:30:00.000Z",
        ]
    );
    for (record, kind) in log.iter().zip(Kind::ALL) {
        assert_eq!(record.headers[0].0, "dedup-id");
        let value: Value = serde_json::from_str(&record.value).unwrap();
        assert_eq!(value, json!({"type": kind.name(), "data": published(kind)}), "API usage, Kafka Publishing");
    }
}

/// What one worker publishes, the other one takes.
#[test]
fn workflow_4_from_the_queue_to_the_event_log() {
    struct Topic<'a>(&'a World);
    impl process::Ports for Topic<'_> {
        async fn campaign(&self, _: &str) -> Result<Option<String>, Disposition> {
            Ok(None)
        }

        async fn publish(&self, messages: Vec<process::TopicMessage>) -> Vec<Result<(), Disposition>> {
            let deliver = |message: &process::TopicMessage| Event {
                attributes: message.attributes.clone(),
                ..event(&message.body)
            };
            let queue: Vec<_> = messages.iter().map(deliver).collect();
            let outcomes = handle(self.0, &Topics::new(None, None).unwrap(), &queue).await;
            assert_eq!(outcomes.dispositions, vec![Disposition::Ack; messages.len()]);
            outcomes.dispositions.iter().map(|_| Ok(())).collect()
        }
    }
    let world = World::default();
    let batch = Kind::ALL.map(|kind| event(&message(kind, &entity(kind))));
    let outcomes = block_on(process::handle(&Topic(&world), &batch));
    assert_eq!(outcomes.dispositions, vec![Disposition::Ack; 5]);
    assert_eq!(world.log.borrow().len(), 5);
}

#[test]
fn use_case_5_schema_validation_failure_rejects_with_the_path_and_publishes_the_others() {
    let world = World::default();
    let mut invalid = published(Kind::Registration);
    (invalid["score"], invalid["fields"]) = (json!("high"), json!("fan@example.com"));
    let Outcomes { dispositions, published, .. } =
        run(&world, &[entry("u1"), record_of(Kind::Registration, &invalid), entry("u2")]);
    assert_eq!((&dispositions[0], &dispositions[2], published), (&Disposition::Ack, &Disposition::Ack, 2));
    let Disposition::Reject(reason) = &dispositions[1] else { panic!("{:?}", dispositions[1]) };
    assert!(reason.starts_with("invalid: ") && !reason.contains("fan@"), "{reason}");
    assert!(reason.contains(r#"/data/score is not of type "number""#), "{reason}");
    assert!(reason.contains(r#"/data/fields is not of type "object""#), "{reason}");
}

#[test]
fn use_case_5_invalid_record_type_and_empty_data_payload_are_rejected() {
    let world = World::default();
    let body = message(Kind::Market, &published(Kind::Market));
    let batch = [
        typed("VENUE", &body),
        event(&body),
        typed("CAMPAIGN", &body),
        typed("MARKET", &message(Kind::Market, &json!({}))),
        typed("MARKET", "nonsense"),
    ];
    let Outcomes { dispositions, .. } = run(&world, &batch);
    for (disposition, with) in dispositions.iter().zip([
        "unknown type: VENUE",
        "unknown type: ",
        "invalid: /type is not the message's attribute",
        "empty: /data",
        "malformed: not JSON",
    ]) {
        assert!(is_rejected(disposition, with), "{disposition:?}");
    }
    assert!(world.log.borrow().is_empty());
}

#[test]
fn use_case_5_kafka_publish_failure_only_those_records_go_back() {
    let failed = Disposition::retry("event log: no leader for partition 3");
    let world = World { failing: Some(("u2", failed.clone())), ..World::default() };
    let outcomes = run(&world, &[entry("u1"), entry("u2"), entry("u3")]);
    assert_eq!(outcomes.dispositions, [Disposition::Ack, failed, Disposition::Ack]);
    assert_eq!(outcomes.published, 2);
}

#[test]
fn use_case_5_kafka_client_unavailable_all_valid_records_go_back() {
    let down = Disposition::retry("event log: no broker can be reached");
    let world = World { failing: Some(("", down.clone())), ..World::default() };
    let invalid = record_of(Kind::Registration, &json!({"campaignId": "c"}));
    let outcomes = run(&world, &[entry("u1"), invalid, entry("u2")]);
    assert_eq!((&outcomes.dispositions[0], &outcomes.dispositions[2]), (&down, &down));
    assert!(is_rejected(&outcomes.dispositions[1], "invalid: "), "it never succeeds");
    assert_eq!(outcomes.published, 0);
}

#[test]
fn purpose_a_record_that_is_in_a_batch_twice_is_written_once() {
    let world = World::default();
    let outcomes = run(&world, &[entry("u1"), entry("u2"), entry("u1")]);
    assert_eq!(outcomes.dispositions, vec![Disposition::Ack; 3]);
    assert_eq!(world.log.borrow().len(), 2);
    let failed = Disposition::retry("down");
    let world = World { failing: Some(("u1", failed.clone())), ..World::default() };
    let outcomes = run(&world, &[entry("u1"), entry("u2"), entry("u1")]);
    assert_eq!(outcomes.dispositions, [failed.clone(), Disposition::Ack, failed]);
}

#[test]
fn decisions_a_record_id_that_is_not_the_dedup_id_is_invalid() {
    for (name, value) in
        [("recordId", json!("REGISTRATION:x")), ("globalUserId", json!("other")), ("version", json!(4))]
    {
        let mut data = published(Kind::Registration);
        data[name] = value;
        let Outcomes { dispositions, .. } = run(&World::default(), &[record_of(Kind::Registration, &data)]);
        assert!(is_rejected(&dispositions[0], "invalid: /data/recordId is not made of"), "{dispositions:?}");
    }
}

#[test]
fn records_keep_their_order_and_their_digits() {
    let world = World::default();
    let body = message(Kind::Registration, &published(Kind::Registration));
    let digits = body.replace("850", "0.12345678901234567890123");
    run(&world, &[entry("u2"), typed("REGISTRATION", &digits), entry("u1")]);
    let log = world.log.borrow();
    assert!(log[0].value.contains("u2") && log[2].value.contains("u1"));
    assert!(log[1].value.contains(r#""score":0.12345678901234567890123"#), "{}", log[1].value);
}
