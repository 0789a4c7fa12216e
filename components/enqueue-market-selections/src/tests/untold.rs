//! Winners whom no message can tell, because their codes hold what no queue takes.

use super::{fans, statuses};
use crate::testing::{World, attempt, selection};
use serde_json::{Value, json};
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::entry::StatsStatus;

/// 50 fans, of whom 10 win; no message can hold the code of the fourth.
fn world() -> World {
    let world = World::with(fans(50));
    world.pool.borrow_mut()[3].0.push('\u{fffe}');
    world
}

/// Status, winners and failures of the last report.
fn last(world: &World) -> [Value; 3] {
    let report = world.reports.borrow().last().cloned().unwrap();
    ["status", "PROCESSED", "FAILED"].map(|name| report[name].clone())
}

fn finished(winners: u64) -> [Value; 3] {
    [json!("FINISHED"), json!(winners), json!(1)]
}

#[test]
fn point_1_a_winner_who_cannot_be_told_counts_as_failed_in_every_later_report() {
    let world = world();
    attempt(&world, &selection("one"), None).output();
    assert_eq!((last(&world), world.messages().len()), (finished(10), 49));
    attempt(&world, &selection("one"), None).output();
    assert_eq!(last(&world), finished(10), "it is the same winner");
    world.sized(13);
    attempt(&world, &selection("two"), None).output();
    assert_eq!(last(&world), finished(13));
    let world = World { campaign: None, ..world };
    attempt(&world, &selection("three"), None).failure();
    assert_eq!(last(&world), [json!("FAILED"), json!(13), json!(1)]);
}

#[test]
fn point_1_a_winner_of_an_earlier_task_who_cannot_be_told_counts_as_failed() {
    let mut world = World { queue: Some(Error::new(ErrorKind::Unavailable, "down")), ..world() };
    attempt(&world, &selection("one"), None).retry();
    world.queue = None;
    world.sized(13);
    // The attempt that tells of the earlier winners is not the one that reports.
    world.refused_report = Some(StatsStatus::Finished);
    attempt(&world, &selection("two"), None).retry();
    assert_eq!(last(&world), [json!("FAILED"), json!(13), json!(1)]);
    world.refused_report = None;
    attempt(&world, &selection("two"), None).output();
    assert_eq!(last(&world), finished(13));
    let named: Vec<_> = world.logs.borrow().iter().filter_map(|(_, data)| data.get("globalUserIds").cloned()).collect();
    assert_eq!(named, [json!(["fan-00003"])], "once");
}

/// What all messages of a send share: nobody is told, so nothing is done.
#[test]
fn point_1_a_selection_of_whom_nobody_is_told_is_not_finished() {
    let world = World { unusable: true, ..World::with(fans(50)) };
    let why = attempt(&world, &selection("one"), None).retry();
    assert!(why.starts_with("none of 50 messages is queued: "), "{why}");
    assert!(world.heads().iter().all(|plan| !plan.queued));
    assert_eq!(statuses(&world), ["PROCESSING", "FAILED"]);
    let world = World { unusable: false, ..world };
    attempt(&world, &selection("two"), None).output();
    world.check_all_told();
}
