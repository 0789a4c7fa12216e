//! Batches of changes, counted in a small world.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use crate::batch::Batch;
use crate::handle;
use futures::executor::block_on;
use futures::future::join;
use proptest::prelude::*;
use scoring::counts::{Counts, Totals};
use scoring_io::testing::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use worker_kit::lambda::{self, Context, Incoming};
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::{Attribute, Disposition, Event, Payload};

/// A change of an item of a campaign.
fn change(campaign: &str, sk: &str, old: Value, new: Value) -> Value {
    json!({"eventName": "MODIFY", "keys": {"pk": format!("CAMPAIGN#{campaign}"), "sk": sk}, "oldImage": old, "newImage": new})
}

fn verified(campaign: &str, fan: &str) -> Value {
    change(campaign, &format!("SCORE#{fan}"), Value::Null, json!({"verification": "verified"}))
}

/// The event of a change, with these attributes.
fn event_with(sequence: usize, change: &Value, attributes: &[(&str, &str)]) -> Event {
    Event {
        id: sequence.to_string(),
        source: "dynamodb-stream:demand-table".to_owned(),
        ordering_key: None,
        payload: Payload::Json(change.to_string()),
        attributes: attributes.iter().map(|(name, value)| Attribute::text(*name, *value)).collect(),
        attempt: 1,
        time_ms: 1_000 * sequence as u64,
        correlation_id: sequence.to_string(),
        traceparent: None,
    }
}

fn event(shard: &str, sequence: usize, change: &Value) -> Event {
    event_with(sequence, change, &[("shardId", shard)])
}

fn run(world: &World, events: &[Event]) -> Vec<Disposition> {
    block_on(handle(world, Batch::read(events)))
}

fn counts(world: &World, campaign: &str) -> Counts {
    Counts::read(world.table.borrow().get(&Counts::key(campaign)).as_deref()).unwrap()
}

fn totals(world: &World, campaign: &str) -> (i64, i64, i64) {
    let Totals { verified, rejected, selected } = counts(world, campaign).totals;
    (verified, rejected, selected)
}

fn rejected(disposition: &Disposition) -> &str {
    match disposition {
        Disposition::Reject(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn req_002_a_batch_counts_all_its_campaigns_in_two_calls() {
    let world = World::default();
    let (none, yes, no) = (Value::Null, json!({"verification": "verified"}), json!({"verification": "rejected"}));
    let (won, lost) = (json!({"verdict": true}), json!({"verdict": false}));
    let events = [
        change("c", "SCORE#1", none.clone(), yes.clone()),
        change("c", "SCORE#2", none.clone(), yes.clone()),
        change("c", "SCORE#1", yes.clone(), no.clone()),
        change("d", "SCORE#1", none.clone(), no),
        change("c", "USER#u", lost.clone(), won.clone()),
        change("d", "USER#u", none.clone(), won.clone()),
        change("d", "USER#u", won, lost),
        // DynamoDB removes an item whose time to live has ended.
        change("c", "SCORE#2", yes, none),
    ];
    let events: Vec<_> = events.iter().enumerate().map(|(sequence, change)| event("a", sequence, change)).collect();
    assert_eq!(run(&world, &events), vec![Disposition::Ack; 8]);
    assert_eq!(*world.calls.borrow(), 2, "one read and one update");
    assert_eq!((totals(&world, "c"), totals(&world, "d")), ((0, 1, 1), (0, 1, 0)));
    assert_eq!(run(&world, &events), vec![Disposition::Ack; 8]);
    assert_eq!((totals(&world, "c"), totals(&world, "d")), ((0, 1, 1), (0, 1, 0)), "nothing is counted twice");
}

#[test]
fn what_counts_nothing_costs_no_call() {
    let world = World::default();
    let both = json!({"verification": "verified", "verdict": true});
    let events = [
        change("c", "meta:counts", Value::Null, json!({"verified": 5, "position": {"a": "1"}})),
        change("c", "meta:slack:counts", Value::Null, both.clone()),
        change("c", "ALIAS#user:g", Value::Null, both.clone()),
        change("c", "PLAN#m#t#1-1", Value::Null, both.clone()),
        change("c", "SCORE#1", both.clone(), both),
        json!({"eventName": "INSERT", "keys": {"pk": "FILE#b/k", "sk": "progress"}, "newImage": {"offset": 7}}),
    ];
    // It does not matter from where they come, either.
    let events: Vec<_> =
        events.iter().enumerate().map(|(sequence, change)| event_with(sequence, change, &[])).collect();
    assert_eq!(run(&world, &events), vec![Disposition::Ack; 6]);
    assert_eq!(*world.calls.borrow(), 0);
}

#[test]
fn req_008_a_record_that_cannot_be_read_is_rejected_by_name_and_stops_no_other() {
    let world = World::default();
    let broken = Event { payload: Payload::Bytes(b"{".to_vec()), ..event("a", 2, &Value::Null) };
    let events = [
        event("a", 1, &verified("c", "1")),
        broken.clone(),
        event("a", 3, &json!({"keys": {"pk": "CAMPAIGN#c"}})),
        event("a", 4, &verified("c", "2")),
    ];
    let dispositions = run(&world, &events);
    assert_eq!(rejected(&dispositions[1]), "malformed: the payload is not JSON");
    assert!(rejected(&dispositions[2]).starts_with("malformed: missing field `sk`"), "{dispositions:?}");
    assert_eq!((&dispositions[0], &dispositions[3]), (&Disposition::Ack, &Disposition::Ack));
    assert_eq!(totals(&world, "c"), (2, 0, 0));
    // A later version can read it. It may be counted or not, as far as the position tells.
    let redriven = event_with(2, &verified("c", "3"), &[("shardId", "a"), ("redriven", "true")]);
    assert!(rejected(&run(&world, &[redriven])[0]).starts_with("late: "));
    assert_eq!(totals(&world, "c"), (2, 0, 0));
}

#[test]
fn req_008_a_campaign_whose_item_is_broken_stops_no_other() {
    let world = World::default();
    let item = json!({"verified": "many"});
    world.table.borrow_mut().items.insert(Counts::key("c"), item.as_object().unwrap().clone());
    let dispositions = run(&world, &[event("a", 1, &verified("c", "1")), event("a", 2, &verified("d", "1"))]);
    let reason = rejected(&dispositions[0]);
    assert!(reason.starts_with("malformed: meta:counts: ") && reason.ends_with("; recount campaign c"), "{reason}");
    assert_eq!((&dispositions[1], totals(&world, "d")), (&Disposition::Ack, (1, 0, 0)));

    let too_large = Error::new(ErrorKind::Invalid, "the item has too many bytes");
    let world = World { stuck: [("meta:counts".to_owned(), too_large)].into(), ..World::default() };
    let dispositions = run(&world, &[event("a", 1, &verified("c", "1"))]);
    assert_eq!(rejected(&dispositions[0]), "invalid: the item has too many bytes; recount campaign c");
}

#[test]
fn nothing_is_given_up_while_the_table_fails() {
    for kind in [ErrorKind::Unavailable, ErrorKind::Throttled, ErrorKind::NotFound, ErrorKind::Denied] {
        let world = World { stuck: [("meta:counts".to_owned(), Error::new(kind, "no"))].into(), ..World::default() };
        let dispositions = run(&world, &[event("a", 1, &verified("c", "1")), event("a", 2, &verified("d", "1"))]);
        assert!(dispositions.iter().all(|it| matches!(it, Disposition::Retry(_))), "{kind:?}: {dispositions:?}");
    }
}

/// Lambda tells the shard of a DynamoDB stream only with a tumbling window.
#[test]
fn a_change_of_no_shard_is_not_counted() {
    let world = World::default();
    let events = [event_with(1, &verified("c", "1"), &[]), event_with(2, &verified("c", "2"), &[("shardId", "a.b")])];
    for disposition in run(&world, &events) {
        assert!(matches!(&disposition, Disposition::Retry(retry) if retry.reason.contains("tumbling window")));
    }
    assert_eq!(*world.calls.borrow(), 0);
}

#[test]
fn an_event_of_a_tumbling_window_is_counted() {
    let event = include_bytes!("../fixtures/dynamodb-stream.json");
    let incoming = lambda::parse(event, &Context::default(), &mut |_| ()).unwrap();
    let events: Vec<_> = incoming.iter().filter_map(Incoming::event).cloned().collect();
    let world = World::default();
    assert_eq!(run(&world, &events), [Disposition::Ack]);
    assert_eq!(totals(&world, "campaign-123"), (-1, 1, 0));
    let positions = counts(&world, "campaign-123").positions.unwrap();
    assert_eq!(positions.keys().collect::<Vec<_>>(), ["shardId-00000001705314000000-a1b2c3d4"]);
}

/// Lambda tells the shard of a DynamoDB stream only so.
#[test]
fn an_event_of_a_tumbling_window_names_the_shard_of_its_records() {
    let mut event: Value = serde_json::from_slice(include_bytes!("../fixtures/dynamodb-stream.json")).unwrap();
    let read = |event: &Value| {
        let call = lambda::parse_call(event.to_string().as_bytes(), &Context::default(), &mut |_| ()).unwrap();
        let shard = call.incoming[0].event().unwrap().attribute("shardId").map(str::to_owned);
        (shard, call.has_window)
    };
    assert_eq!(read(&event), (Some("shardId-00000001705314000000-a1b2c3d4".to_owned()), true));
    for shard in [json!(null), json!(7), json!(["a"])] {
        event["shardId"] = shard;
        assert_eq!(read(&event), (None, true), "{event}");
    }
    event["window"] = Value::Null;
    assert_eq!(read(&event), (None, false));
    let last = r#"{"Records": [], "shardId": "a", "window": {}, "state": {}, "isFinalInvokeForWindow": true}"#;
    let call = lambda::parse_call(last.as_bytes(), &Context::default(), &mut |_| ()).unwrap();
    assert!(call.incoming.is_empty() && call.has_window);
}

#[test]
fn a_childs_records_close_its_parents() {
    let world = World::default();
    let from = |shard, sequence| event(shard, sequence, &verified("c", &sequence.to_string()));
    run(&world, &[from("left", 1)]);
    run(&world, &[from("right", 2)]);
    let child = |sequence: usize| {
        let attributes = [("shardId", "merged"), ("parentShardId", "left,right")];
        event_with(sequence, &verified("c", &sequence.to_string()), &attributes)
    };
    assert_eq!(run(&world, &[child(3), child(4)]), [Disposition::Ack, Disposition::Ack]);
    assert_eq!(run(&world, &[from("left", 1)]), [Disposition::Ack], "by a host that was suspended");
    assert_eq!(totals(&world, "c"), (4, 0, 0));
    let closed = counts(&world, "c").positions.unwrap().into_iter().filter(|(_, place)| place.counted.is_none());
    assert_eq!(closed.map(|(shard, _)| shard).collect::<Vec<_>>(), ["left", "right"]);
}

/// Delivers the events of a shard in batches, each again until all of it is settled, as the source does.
async fn deliver(world: &World, events: &[Event], size: usize) {
    let mut rest = events;
    while !rest.is_empty() {
        let batch = &rest[..size.min(rest.len())];
        let dispositions = handle(world, Batch::read(batch)).await;
        let settled = dispositions.iter().position(|it| *it != Disposition::Ack).unwrap_or(batch.len());
        rest = &rest[settled..];
    }
}

proptest! {
    /// Two hosts get the same records of two shards: one has lost the leases and does not know it. Calls fail, and some
    /// take effect unheard.
    #[test]
    fn req_002_counts_are_exact_whatever_fails(
        choices in prop::collection::vec(any::<u8>(), 0..400),
        history in prop::collection::vec((0..2_usize, 0..5_usize, 0..3_usize), 1..40),
        sizes in (1..9_usize, 1..9_usize),
    ) {
        let world = World::default();
        world.choices.set(choices);
        let states = [Value::Null, json!({"verification": "verified"}), json!({"verification": "rejected"})];
        let mut items: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut shards: [Vec<Event>; 2] = Default::default();
        for (sequence, (campaign, fan, state)) in history.into_iter().enumerate() {
            let old = items.insert((campaign, fan), state).unwrap_or(0);
            let (name, sk) = (["c", "d"][campaign], format!("SCORE#{fan}"));
            let change = change(name, &sk, states[old].clone(), states[state].clone());
            let shard = fan % 2;
            shards[shard].push(event(["a", "b"][shard], sequence, &change));
        }
        let host = |size| join(deliver(&world, &shards[0], size), deliver(&world, &shards[1], size));
        block_on(join(host(sizes.0), host(sizes.1)));
        for (campaign, name) in ["c", "d"].into_iter().enumerate() {
            let of = |state| items.iter().filter(|(item, it)| item.0 == campaign && **it == state).count() as i64;
            prop_assert_eq!(totals(&world, name), (of(1), of(2), 0));
        }
    }
}
