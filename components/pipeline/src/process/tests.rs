//! Tests of process-data, with a fake topic.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::testing::{entity, event, message, published};
use futures::executor::block_on;
use serde_json::{Value, json};
use std::cell::RefCell;

/// A topic and campaigns. Calls are kept.
#[derive(Default)]
struct World {
    campaigns: BTreeMap<&'static str, Result<Value, Disposition>>,
    /// Bodies with this text fail in this way.
    failing: Option<(&'static str, Disposition)>,
    /// The topic accepts at most this many messages at once.
    answers: Option<usize>,
    asked: RefCell<Vec<String>>,
    published: RefCell<Vec<TopicMessage>>,
}

impl Ports for World {
    async fn campaign(&self, id: &str) -> Result<Option<String>, Disposition> {
        self.asked.borrow_mut().push(id.to_owned());
        self.campaigns.get(id).cloned().transpose().map(|found| found.map(|campaign| campaign.to_string()))
    }

    async fn publish(&self, messages: Vec<TopicMessage>) -> Vec<Result<(), Disposition>> {
        let answer = |message: &TopicMessage| match &self.failing {
            Some((text, disposition)) if message.body.contains(text) => Err(disposition.clone()),
            _ => Ok(()),
        };
        let answers = messages.iter().map(answer).take(self.answers.unwrap_or(usize::MAX)).collect();
        self.published.borrow_mut().extend(messages);
        answers
    }
}

fn run(world: &World, bodies: &[String]) -> Outcomes {
    let batch: Vec<_> = bodies.iter().map(|body| event(body)).collect();
    block_on(handle(world, &batch))
}

fn entry(campaign: &str, user: &str) -> String {
    message(Kind::Registration, &json!({"campaignId": campaign, "globalUserId": user, "fields": "{}"}))
}

fn is_rejected(disposition: &Disposition, with: &str) -> bool {
    matches!(disposition, Disposition::Reject(reason) if reason.contains(with))
}

#[test]
fn use_case_5_each_type_is_formatted_and_published_with_its_type_as_attribute() {
    let world = World::default();
    let outcomes = run(&world, &Kind::ALL.map(|kind| message(kind, &entity(kind))));
    assert_eq!(outcomes.dispositions, vec![Disposition::Ack; 5]);
    assert_eq!((outcomes.published, outcomes.off), (5, 0));
    for (message, kind) in world.published.borrow().iter().zip(Kind::ALL) {
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(body, json!({"type": kind.name(), "data": published(kind)}));
        assert!(body["data"]["recordId"].as_str().unwrap().starts_with(kind.name()));
        let expected = [Attribute::text("type", kind.name()), Attribute::text("correlationId", "correlation-1")];
        assert_eq!(message.attributes, expected);
    }
}

/// The first attempt may have been published although it failed.
#[test]
fn purpose_a_redriven_record_keeps_the_dedup_id_of_its_first_message() {
    let record_id = |time_ms: u64, attributes: &[(&str, &str)]| {
        let world = World::default();
        let attributes = attributes.iter().map(|(name, value)| Attribute::text(*name, *value)).collect();
        block_on(handle(&world, &[Event { time_ms, attributes, ..event(&entry("c", "u")) }]));
        let body: Value = serde_json::from_str(&world.published.borrow()[0].body).unwrap();
        body["data"]["recordId"].as_str().unwrap().to_owned()
    };
    let (first, later) = (record_id(5_000, &[]), record_id(9_000, &[]));
    assert_ne!(first, later);
    assert_eq!(record_id(9_000, &[("redriven", "true"), ("sourceTimestamp", "5000")]), first);
    for attributes in [
        &[("sourceTimestamp", "5000")][..],
        &[("redriven", "true")],
        &[("redriven", "true"), ("sourceTimestamp", "9001")],
        &[("redriven", "true"), ("sourceTimestamp", "0")],
        &[("redriven", "true"), ("sourceTimestamp", "-5")],
        &[("redriven", "true"), ("sourceTimestamp", "yesterday")],
    ] {
        assert_eq!(record_id(9_000, attributes), later, "{attributes:?}");
    }
}

#[test]
fn use_case_5_the_trace_goes_on() {
    let world = World::default();
    let event = Event { traceparent: Some("00-1-2-01".to_owned()), ..event(&entry("c", "u")) };
    block_on(handle(&world, &[event]));
    assert_eq!(world.published.borrow()[0].attributes[2], Attribute::text("traceparent", "00-1-2-01"));
}

#[test]
fn point_1_a_correlation_id_or_a_trace_that_no_message_can_carry_costs_no_message() {
    let world = World::default();
    let (correlation_id, traceparent) = ("two\nlines".to_owned(), Some(String::new()));
    block_on(handle(&world, &[Event { correlation_id, traceparent, ..event(&entry("c", "u")) }]));
    let names: Vec<_> = world.published.borrow()[0].attributes.iter().map(|it| it.name.clone()).collect();
    assert_eq!(names, ["type"]);
}

#[test]
fn use_case_5_invalid_record_type_and_empty_data_payload_are_rejected_and_cost_no_other() {
    let world = World::default();
    let bodies = [
        entry("c", "u1"),
        message(Kind::Market, &json!({})).replace("MARKET", "VENUE"),
        message(Kind::Campaign, &json!({})),
        "nonsense".to_owned(),
        message(Kind::Registration, &json!({"campaignId": "c"})),
        message(Kind::Registration, &json!({"globalUserId": "u"})),
        entry("c", "u2"),
    ];
    let Outcomes { dispositions, published, .. } = run(&world, &bodies);
    assert_eq!((&dispositions[0], &dispositions[6], published), (&Disposition::Ack, &Disposition::Ack, 2));
    for (index, with) in [
        (1, "unknown type: VENUE"),
        (2, "empty: /data"),
        (3, "malformed: not JSON"),
        (4, "invalid: /data/globalUserId is missing"),
        (5, "invalid: /data/campaignId is missing"),
    ] {
        assert!(is_rejected(&dispositions[index], with), "{:?}", dispositions[index]);
    }
    assert_eq!(world.published.borrow().len(), 2);
}

#[test]
fn use_case_5_nothing_to_publish_makes_no_call_of_the_topic() {
    let world = World { answers: Some(0), ..World::default() };
    assert_eq!(run(&world, &[]), Outcomes::default());
    assert!(is_rejected(&run(&world, &["{}".to_owned()]).dispositions[0], "unknown type"));
}

#[test]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
fn d12_11__options_data_pipeline_off_is_acknowledged_and_counted() {
    let campaign = |id: &str, on: bool| Ok(json!({"id": id, "options": {"dataPipeline": on}}));
    let world = World {
        campaigns: BTreeMap::from([("off", campaign("off", false)), ("on", campaign("on", true))]),
        ..World::default()
    };
    let own = |on| {
        let mut own = entity(Kind::Campaign);
        own["options"]["dataPipeline"] = json!(on);
        message(Kind::Campaign, &own)
    };
    // Records that are not published are not checked.
    let invalid = message(Kind::Registration, &json!({"campaignId": "off"}));
    let bodies = [entry("off", "u"), entry("on", "u"), entry("none", "u"), own(false), own(true), invalid];
    let outcomes = run(&world, &bodies);
    assert_eq!(outcomes.dispositions, vec![Disposition::Ack; 6]);
    assert_eq!((outcomes.published, outcomes.off), (3, 3));
    let expected = json!({"received": 6, "published": 3, "off": 3, "failed": 0, "rejected": 0});
    assert_eq!(outcomes.counts(), expected);
    assert_eq!(*world.asked.borrow(), ["none", "off", "on"], "each campaign once");
    assert!(world.published.borrow().iter().all(|message| !message.body.contains("\"off\"")));
}

#[test]
fn a_campaign_that_cannot_be_read_keeps_back_its_own_records_only() {
    let down = Disposition::retry("documents campaigns: down");
    let world = World {
        campaigns: BTreeMap::from([("down", Err(down.clone())), ("other", Ok(json!({"id": "another"})))]),
        ..World::default()
    };
    let Outcomes { dispositions, .. } = run(&world, &[entry("down", "u"), entry("other", "u"), entry("c", "u")]);
    assert_eq!((&dispositions[0], &dispositions[2]), (&down, &Disposition::Ack));
    assert_eq!(dispositions[1], Disposition::retry("the document of campaign \"other\" is another one's"));
}

#[test]
fn what_the_topic_does_not_take_is_delivered_again_alone() {
    let throttled = Disposition::retry_after(Some(50), "topic dataSns is busy");
    let world = World { failing: Some(("u2", throttled.clone())), answers: Some(3), ..World::default() };
    let bodies = ["u1", "u2", "u3", "u4"].map(|user| entry("c", user));
    let outcomes = run(&world, &bodies);
    let unmentioned = Disposition::retry("the response does not mention the record");
    assert_eq!(outcomes.dispositions, [Disposition::Ack, throttled, Disposition::Ack, unmentioned]);
    assert_eq!(outcomes.counts()["failed"], 2);
}

/// So that its repeats have one dedup id.
#[test]
fn a_record_that_is_delivered_again_is_published_as_before() {
    let world = World::default();
    let body = [entry("c", "u")];
    run(&world, &body);
    run(&world, &body);
    assert_eq!(world.published.borrow()[0], world.published.borrow()[1]);
}
