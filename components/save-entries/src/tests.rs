//! Tests of whole replications in the small world.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use crate::plan::Input;
use crate::record::Record;
use crate::replicate::replicate;
use crate::testing::{Change, World, image, image_of, input};
use futures::executor::block_on;
use proptest::prelude::*;
use registration::entry::Operation;
use std::collections::BTreeSet;
use worker_kit::Disposition;
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::{ResponseSummary, ServiceError};

fn run(world: &World, inputs: Vec<Input>) -> Vec<Disposition> {
    let mut settled = block_on(replicate(world, inputs));
    settled.sort_by_key(|(index, _)| *index);
    settled.into_iter().map(|(_, disposition)| disposition).collect()
}

fn is_stale(disposition: &Disposition) -> bool {
    matches!(disposition, Disposition::Skip(reason) if reason.starts_with("stale"))
}

fn is_retried(disposition: &Disposition) -> bool {
    matches!(disposition, Disposition::Retry(retry) if !retry.reason.is_empty())
}

fn only(fan: &str) -> BTreeSet<String> {
    BTreeSet::from([fan.to_owned()])
}

#[test]
fn an_entry_is_sent_and_unflagged() {
    let image = image("u", 1, "a");
    let world = World::with([image.clone()]);
    assert_eq!(run(&world, vec![input(0, Operation::Insert, &image)]), [Disposition::Ack]);
    world.agreement().unwrap();
    let item = world.table.borrow().values().next().unwrap().clone();
    assert_eq!(item["replicatedAt"], "2024-01-01T11:00:00.000Z");
}

#[test]
fn the_same_record_twice_has_the_effect_of_one() {
    let image = image("u", 1, "a");
    let world = World::with([image.clone()]);
    let record = |index| input(index, Operation::Insert, &image);
    assert_eq!(run(&world, vec![record(0), record(1)]), [Disposition::Ack, Disposition::Ack]);
    assert_eq!(*world.requests.borrow(), [1]);
    assert_eq!(run(&world, vec![record(0)]), [Disposition::Ack]);
    world.agreement().unwrap();
}

/// One invocation takes 25,000 entries of forty campaigns.
#[test]
fn twenty_five_thousand_entries_in_one_invocation() {
    let images: Vec<_> =
        (0..25_000).map(|n| image_of(&format!("campaign-{}", n % 40), &format!("fan-{n}"), n, "a")).collect();
    let world = World::with(images.clone());
    let inputs = images.iter().enumerate().map(|(index, image)| input(index, Operation::Insert, image)).collect();
    let dispositions = run(&world, inputs);
    assert_eq!(dispositions.len(), 25_000);
    assert!(dispositions.iter().all(|disposition| *disposition == Disposition::Ack));
    assert_eq!(*world.requests.borrow(), vec![25; 1000], "full requests only");
    world.agreement().unwrap();
}

#[test]
fn a_failed_read_is_a_retry_and_never_success() {
    let image = image("u", 1, "a");
    let mut world = World::with([image.clone()]);
    world.blind = Some(Error { kind: ErrorKind::Throttled, message: "later".to_owned(), retry_after_ms: Some(20) });
    assert_eq!(run(&world, vec![input(0, Operation::Insert, &image)]), [Disposition::retry_after(Some(20), "later")]);
    assert!(world.service.borrow().is_empty());
}

/// `needsReplication` is cleared only once the Entry Service has the entry.
#[test]
fn a_failed_replication_keeps_its_flag() {
    let image = image("u", 1, "a");
    let unavailable = ServiceError::Unavailable { service: "entry", message: "down".to_owned() };
    let throttled = ServiceError::from_answer(ResponseSummary::new("entry", 429, "later"), Some(2));
    for (outage, after) in [(unavailable, None), (throttled, Some(2000))] {
        let expected = Disposition::retry_after(after, outage.to_string());
        let mut world = World::with([image.clone()]);
        world.outage = Some(outage);
        assert_eq!(run(&world, vec![input(0, Operation::Insert, &image)]), [expected]);
        assert!(world.is_flagged(&image));
    }
}

#[test]
fn point_2_an_invalid_entry_is_retried_and_keeps_its_flag() {
    let images = [image("u", 1, "a"), image("v", 1, "a")];
    let mut world = World::with(images.clone());
    world.invalid = only("u");
    let inputs = images.iter().enumerate().map(|(index, image)| input(index, Operation::Insert, image)).collect();
    let dispositions = run(&world, inputs);
    assert!(is_retried(&dispositions[0]), "{dispositions:?}");
    assert_eq!(dispositions[1], Disposition::Ack);
    assert!(world.is_flagged(&images[0]) && !world.is_flagged(&images[1]));
}

#[test]
fn point_2_an_entry_that_gets_its_request_refused_is_isolated_and_retried() {
    let images: Vec<_> = (0..25).map(|n| image(&format!("fan-{n}"), 1, "a")).collect();
    let mut world = World::with(images.clone());
    world.poison = only("fan-13");
    let inputs = images.iter().enumerate().map(|(index, image)| input(index, Operation::Insert, image)).collect();
    let dispositions = run(&world, inputs);
    let failed: Vec<_> = (0..25).filter(|index| dispositions[*index] != Disposition::Ack).collect();
    assert_eq!(failed, [13]);
    assert_eq!(dispositions[13], Disposition::retry("the entry service refused with status 400: not mine"));
    assert!(world.is_flagged(&images[13]));
    assert!(world.requests.borrow().len() < 12, "halved, not sent one by one");
}

#[test]
fn a_score_that_failed_is_asked_for_again() {
    let image = image("u", 1, "a");
    let mut world = World::with([image.clone()]);
    world.unscored = only("u");
    assert_eq!(run(&world, vec![input(0, Operation::Insert, &image)]), [Disposition::Ack]);
    let scores = serde_json::to_string(&*world.scores.borrow()).unwrap();
    assert_eq!(scores, r#"[{"campaignId":"c","globalUserId":"u"}]"#);
    assert!(!world.is_flagged(&image));
}

#[test]
fn a_score_that_cannot_be_queued_keeps_the_record() {
    let image = image("u", 1, "a");
    let mut world = World::with([image.clone()]);
    (world.unscored, world.queue_down) = (only("u"), true);
    assert!(is_retried(&run(&world, vec![input(0, Operation::Insert, &image)])[0]));
    assert!(world.is_flagged(&image));
}

#[test]
fn a_removed_entry_leaves_a_tombstone_that_a_late_post_does_not_lift() {
    let image = image("u", 1, "a");
    let world = World::with([image.clone()]);
    run(&world, vec![input(0, Operation::Insert, &image)]);
    world.table.borrow_mut().clear();
    assert_eq!(run(&world, vec![input(0, Operation::Remove, &image)]), [Disposition::Ack]);
    world.agreement().unwrap();
    assert!(is_stale(&run(&world, vec![input(0, Operation::Insert, &image)])[0]));
    world.agreement().unwrap();
}

/// The item changes after it was read and before it is unflagged.
#[test]
fn an_item_that_changes_while_it_is_sent_is_sent_again() {
    let image = image("u", 0, "a");
    let world = World::with([image.clone()]);
    world.changes.borrow_mut().push(Change::Fan("u", "b"));
    // No change before the read and the upsert, one before the update.
    world.choices.set(vec![0, 3, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(run(&world, vec![input(0, Operation::Insert, &image)]), [Disposition::Ack]);
    assert_eq!(world.requests.borrow().len(), 2);
    world.agreement().unwrap();
}

#[test]
fn an_item_that_keeps_changing_is_delivered_again() {
    let image = image("u", 0, "a");
    let world = World::with([image.clone()]);
    *world.changes.borrow_mut() = vec![Change::Fan("u", "b"); 100];
    world.choices.set([0, 3, 0].repeat(100));
    let late = input(0, Operation::Insert, &image);
    assert!(is_retried(&run(&world, vec![Input { attempt: 2, ..late }])[0]));
    assert_eq!(world.requests.borrow().len(), crate::convergence::MAX_ROUNDS);
    assert!(world.is_flagged(&image));
}

#[test]
fn the_flag_stays_set_if_the_service_has_a_newer_version() {
    let image = image("u", 1, "a");
    let world = World::with([image.clone()]);
    let id = ("c".to_owned(), "u".to_owned());
    world.service.borrow_mut().insert(id, ("2024-01-01T10:00:00.009Z".to_owned(), None));
    let reason = "the entry service answered with status 200: stale: it holds a newer version than the table; \
        the flag stays set";
    assert_eq!(run(&world, vec![input(0, Operation::Insert, &image)]), [Disposition::retry(reason)]);
    assert!(world.is_flagged(&image));
}

/// A table whose items have no dates, as in API usage's stream example.
#[test]
fn point_4_an_entry_without_a_date_is_sent_in_the_version_of_its_change_and_unflagged() {
    let mut undated = image("u", 1, "a");
    undated.as_object_mut().unwrap().remove("date");
    let world = World::with([undated.clone()]);
    let change = |operation: Operation, time: &str| {
        let image = std::rc::Rc::new(crate::testing::item(&undated)).or_version(time);
        Input { index: 0, attempt: 1, record: Record { operation, image } }
    };
    let times = ["2024-01-01T10:00:00.001Z", "2024-01-01T10:00:00.002Z"];
    let id = ("c".to_owned(), "u".to_owned());
    assert_eq!(run(&world, vec![change(Operation::Insert, times[0])]), [Disposition::Ack]);
    assert_eq!(world.service.borrow()[&id].0, times[0]);
    assert!(!world.is_flagged(&undated));
    assert_eq!(run(&world, vec![change(Operation::Insert, times[0])]), [Disposition::Ack], "the same record twice");
    world.table.borrow_mut().clear();
    assert_eq!(run(&world, vec![change(Operation::Remove, times[1])]), [Disposition::Ack]);
    assert_eq!(world.service.borrow()[&id], (times[1].to_owned(), None));
}

/// Delivers records in any order, some twice, two invocations at a time, until none is left.
fn deliver(world: &World, mut pending: Vec<(Record, u32)>) {
    loop {
        pending.extend(world.records.borrow_mut().drain(..).map(|record| (record, 1)));
        if let Some(change) = world.changes.borrow_mut().pop_if(|_| pending.is_empty() || world.choices.choose(2) == 1)
        {
            world.happen(&change);
            continue;
        }
        if pending.is_empty() {
            return;
        }
        let batches = [pick(world, &mut pending), pick(world, &mut pending)];
        let [first, second] = batches.clone().map(|batch| replicate(world, batch));
        let (first, second) = block_on(futures::future::join(first, second));
        for (batch, settled) in batches.into_iter().zip([first, second]) {
            assert_eq!(batch.len(), settled.len(), "every record is settled once");
            for (index, disposition) in settled {
                let input = &batch[index];
                match disposition {
                    Disposition::Ack => {}
                    Disposition::Retry(_) => pending.push((input.record.clone(), input.attempt + 1)),
                    Disposition::Skip(reason) | Disposition::Reject(reason) | Disposition::GiveUp(reason) => {
                        assert!(reason.starts_with("stale"), "{reason}");
                    }
                }
            }
        }
    }
}

fn pick(world: &World, pending: &mut Vec<(Record, u32)>) -> Vec<Input> {
    let mut batch = Vec::new();
    for index in 0..=usize::from(world.choices.choose(3)) {
        if pending.is_empty() {
            break;
        }
        let place = usize::from(world.choices.choose(16)) % pending.len();
        let twice = world.choices.choose(5) == 4;
        let (record, attempt) = if twice { pending[place].clone() } else { pending.remove(place) };
        batch.push(Input { index, attempt, record });
    }
    batch
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let fan = prop::sample::select(vec!["u", "v"]);
    let change = (fan, prop::sample::select(vec!["a", "b", "c"]), 0_u8..6).prop_map(|(fan, market, kind)| match kind {
        0 => Change::Remove(fan),
        1 => Change::Verdict(fan),
        _ => Change::Fan(fan, market),
    });
    prop::collection::vec(change, 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever changes, in whatever order records are delivered and whatever fails: in the end the service has exactly
    /// the entries of the table, and none is flagged.
    #[test]
    fn flag_and_service_agree_in_the_end(
        changes in changes(),
        choices in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let world = World::default();
        *world.changes.borrow_mut() = changes;
        world.choices.set(choices);
        deliver(&world, vec![]);
        prop_assert_eq!(world.agreement(), Ok(()));
    }
}
