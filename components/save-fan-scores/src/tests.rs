//! Batches in a table in memory, and workers of several shards that interrupt each other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use futures::executor::block_on;
use futures::future::join;
use proptest::prelude::*;
use scoring::fan::{Name, SCORE};
use scoring::table::Key;
use scoring::testing::record;
use scoring_io::testing::World;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use worker_kit::lambda::{self, Context, Incoming};
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::{Attribute, Payload};

fn fixture() -> Vec<Event> {
    let event = include_bytes!("../fixtures/kinesis.json");
    let incoming = lambda::parse(event, &Context::default(), &mut |_| ()).unwrap();
    incoming.iter().filter_map(Incoming::event).cloned().collect()
}

/// The event of a record, as the source kinesis makes it.
fn event(payload: String, key: &str) -> Event {
    Event {
        id: "1".to_owned(),
        source: "kinesis:scoresStream".to_owned(),
        ordering_key: Some(key.to_owned()),
        payload: Payload::of_text(payload),
        attributes: vec![Attribute::text("partitionKey", key)],
        attempt: 1,
        time_ms: 0,
        correlation_id: "1".to_owned(),
        traceparent: None,
    }
}

/// The event of a record that has the names in a list such as `m1 g1 e1`.
fn score(names: &str, sequencer: &str, score: i32) -> Event {
    let record = record(names, sequencer, score);
    let (Name::Member(key) | Name::User(key) | Name::Email(key)) = Name::all_of(&record).pop_first().unwrap();
    event(serde_json::to_string(&record).unwrap(), &key)
}

/// The score items: key, score, verification.
fn items(world: &World) -> Vec<String> {
    let table = world.table.borrow();
    let items = table.items.iter().filter(|(key, _)| key.sk.starts_with(SCORE));
    items.map(|(key, item)| format!("{} {} {}", &key.sk[SCORE.len()..], item["score"], item["verification"])).collect()
}

#[test]
fn req_007_the_records_of_an_event_are_items_of_their_campaigns() {
    let world = World::default();
    assert_eq!(block_on(handle(&world, fixture())), [Disposition::Ack, Disposition::Ack]);
    let item: Value =
        serde_json::from_str(&world.table.borrow().get(&Key::of_campaign("campaign-123", "SCORE#member-456")).unwrap())
            .unwrap();
    assert_eq!((&item["score"], &item["verification"], &item["rank"]), (&850.5.into(), &"verified".into(), &0.into()));
    assert_eq!(items(&world), [r#"member-456 850.5 "verified""#, r#"user-789 120 "rejected""#]);
}

#[test]
fn req_008_records_that_cannot_be_saved_are_rejected_by_name_and_cost_no_other() {
    let world = World::default();
    let nameless = r#"{"campaignId":"c","score":1,"verification":"verified","file":"b/k","sequencer":""}"#;
    let batch = vec![
        score("m1 e1", "1", 5),
        event("no JSON".to_owned(), "m2"),
        event(r#"{"campaignId":"c","memberId":"m2","score":"high"}"#.to_owned(), "m2"),
        event(nameless.to_owned(), "m2"),
        score("m3", "1", 7),
    ];
    let dispositions = block_on(handle(&world, batch));
    let rejected = |index: usize, field: &str| matches!(&dispositions[index], Disposition::Reject(reason) if reason.starts_with("malformed: ") && reason.contains(field));
    assert!(rejected(1, "") && rejected(2, "score") && rejected(3, "memberId"), "{dispositions:?}");
    assert_eq!((&dispositions[0], &dispositions[4]), (&Disposition::Ack, &Disposition::Ack));
    assert_eq!(items(&world), [r#"m1 5 "verified""#, r#"m3 7 "verified""#]);
}

#[test]
fn req_008_a_fan_whose_item_cannot_be_written_is_retried_and_costs_no_other() {
    let busy = Error::new(ErrorKind::Unavailable, "busy");
    let world = World { stuck: BTreeMap::from([("SCORE#m1".to_owned(), busy)]), ..World::default() };
    let batch = vec![score("m1", "1", 5), score("m2", "1", 6), score("m1", "1", 9)];
    let dispositions = block_on(handle(&world, batch));
    assert_eq!(dispositions, [Disposition::retry("busy"), Disposition::Ack, Disposition::retry("busy")]);
    assert_eq!(items(&world), [r#"m2 6 "verified""#]);
}

#[test]
fn req_005_of_a_fans_records_the_highest_of_the_latest_file_is_held() {
    let world = World::default();
    for (batch, held) in [
        (vec![score("m1", "1", 5), score("m1", "1", 9), score("m1", "1", 7)], r#"m1 9 "verified""#),
        (vec![score("m1", "1", 8)], r#"m1 9 "verified""#),
        (vec![score("m1", "2", -1)], r#"m1 -1 "rejected""#),
        (vec![score("m1", "1", 10)], r#"m1 -1 "rejected""#),
    ] {
        let count = batch.len();
        assert_eq!(block_on(handle(&world, batch)), vec![Disposition::Ack; count]);
        assert_eq!(items(&world), [held]);
    }
}

/// A batch as large as the source hands over.
#[test]
fn a_batch_of_500_records_makes_few_calls() {
    let world = World::default();
    let names: Vec<_> = (0..500).map(|n| format!("m{n} g{n} e{n}")).collect();
    let batch = || names.iter().map(|names| score(names, "1", 5)).collect::<Vec<_>>();
    assert_eq!(block_on(handle(&world, batch())), vec![Disposition::Ack; 500]);
    assert_eq!(items(&world).len(), 500);
    let first = *world.calls.borrow();
    assert_eq!(block_on(handle(&world, batch())), vec![Disposition::Ack; 500], "again");
    let again = *world.calls.borrow() - first;
    assert!(first < 30 && again < 20, "{first} {again}");
}

/// Hands over the batches of a shard in their order, and what failed again, until all is settled: of a key group the first
/// record that is retried decides, as the source does it.
async fn shard(world: &World, events: Vec<Event>, batch_size: usize) {
    for batch in events.chunks(batch_size) {
        let mut open = batch.to_vec();
        while !open.is_empty() {
            let dispositions = handle(world, open.clone()).await;
            let mut behind = BTreeSet::new();
            let is_open = |(event, disposition): (Event, Disposition)| match disposition {
                Disposition::Retry(_) => {
                    behind.insert(event.ordering_key.clone());
                    Some(event)
                }
                Disposition::Ack => Some(event).filter(|event| behind.contains(&event.ordering_key)),
                other => unreachable!("{other:?}"),
            };
            open = open.into_iter().zip(dispositions).filter_map(is_open).collect();
        }
    }
}

/// Fans, by all their names.
const FANS: [&str; 4] = ["m1 g1 e1", "m2 g2 e2", "m3 e3", "g4 e4"];

/// A record: a fan, which of the names it has, its file and its score.
type Drawn = (usize, u8, u8, i32);

/// The names of a record: some of its fan's, and one at least.
fn named((fan, names, ..): Drawn) -> String {
    let all: Vec<_> = FANS[fan].split(' ').collect();
    let some: Vec<_> = all.iter().enumerate().filter(|(n, _)| names >> n & 1 == 1).map(|(_, name)| *name).collect();
    if some.is_empty() { all[usize::from(names >> 3) % all.len()].to_owned() } else { some.join(" ") }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// One fan is named by memberId, by globalUserId and by e-mail alone. The partition keys differ, so two shards have the
    /// records, whose workers write at once; calls fail, and some take effect unheard.
    #[test]
    fn req_005_no_fan_has_two_score_items_whatever_the_shards(
        records in prop::collection::vec((0..FANS.len(), 0..32_u8, 1..3_u8, -20..20_i32), 1..16),
        batch_size in 1..6_usize,
        choices in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut shards: [Vec<Event>; 2] = Default::default();
        let mut expected = BTreeMap::new();
        // The rows that say which names are one fan's come at any time, with the lowest score.
        let links = FANS.iter().enumerate().map(|(fan, names)| ((*names).to_owned(), fan, 0, -50));
        let drawn = records.iter().map(|drawn| (named(*drawn), drawn.0, drawn.2, drawn.3));
        let mut all: Vec<_> = drawn.chain(links).collect();
        let count = all.len();
        all.rotate_right(usize::from(choices.first().copied().unwrap_or_default()) % count);
        for (names, fan, file, number) in all {
            let event = score(&names, &file.to_string(), number);
            let key = event.ordering_key.clone().unwrap_or_default();
            shards[usize::from(key.bytes().fold(0_u8, u8::wrapping_add)) % 2].push(event);
            let best = expected.entry(fan).or_insert((file, number));
            *best = (*best).max((file, number));
        }
        let world = World::default();
        world.choices.set(choices);
        let [one, two] = shards;
        block_on(join(shard(&world, one, batch_size), shard(&world, two, batch_size)));
        let held = expected.into_iter().map(|(fan, (_, number))| {
            let name = FANS[fan].split(' ').next().unwrap_or_default();
            format!("{name} {number} \"{}\"", if number > 0 { "verified" } else { "rejected" })
        });
        prop_assert_eq!(items(&world).into_iter().collect::<BTreeSet<_>>(), held.collect());
    }
}
