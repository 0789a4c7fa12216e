//! Tests of whole tasks in the small world.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod crashes;
mod schedules;
mod untold;

use crate::input::Selection;
use crate::testing::{Attempt, Fan, Fault, State, World, attempt, both, market, selection};
use chrono::TimeDelta;
use futures::executor::block_on;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use worker_kit::Response;
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::entry::StatsStatus;

/// This many fans; the first one has the best score.
fn fans(count: u32) -> Vec<Fan> {
    (0..count).map(|n| Fan { id: Some(format!("fan-{n:05}")), score: count - n, minute: 0 }).collect()
}

fn statuses(world: &World) -> Vec<String> {
    world.reports.borrow().iter().map(|report| report["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_best_fans_win_codes_and_all_others_are_told_that_they_have_lost() {
    let mut world = World::with(fans(1_000));
    world.fans.push(Fan { id: None, score: 9_999, minute: 0 });
    let best = world.best(10);
    let output = attempt(&world, &selection("one"), None).output();
    let stats = json!({"marketId": "m", "status": "FINISHED", "total": 1_001, "PROCESSED": 10, "FAILED": 1});
    assert_eq!(output, json!({"stats": stats, "errors": []}));
    let processing = json!({"marketId": "m", "status": "PROCESSING", "total": 1_001});
    assert_eq!(*world.reports.borrow(), [processing, stats], "use case 2");
    assert_eq!(world.plans()["one"].iter().map(|(fan, _)| fan.clone()).collect::<Vec<_>>(), best);
    let messages = world.messages();
    let first: Vec<_> = messages.iter().take(10).map(|message| message.fan.clone()).collect();
    assert_eq!((messages.len(), first), (1_000, best), "one a fan, winners first");
    world.check_told("one");
    world.check_sound();
    assert_eq!(world.reserved_count(), 500);
}

/// Scenario 1.
#[test]
fn fifty_thousand_registrations_for_five_hundred_places() {
    let world = World::with(fans(50_000));
    world.sized(500);
    let output = attempt(&world, &selection("one"), None).output();
    assert_eq!((&output["stats"]["PROCESSED"], &output["stats"]["total"]), (&json!(500), &json!(50_000)));
    let verdicts = world.verdicts().remove("one").unwrap();
    assert_eq!(verdicts.len(), 50_000);
    assert_eq!(verdicts.values().filter(|code| code.is_none()).count(), 49_500);
    assert_eq!(world.reserved_count(), 500);
}

/// The most that is promised (docs/selection.md, "Sizes"): all of them win, and the attempt is repeated from its plan.
#[test]
fn two_hundred_thousand_winners() {
    let world = World { fans: fans(200_000), per_page: 1_000, ..World::with_codes(200_000) };
    world.sized(200_000);
    let first = attempt(&world, &selection("one"), None).output();
    assert_eq!(first["stats"]["PROCESSED"], 200_000);
    assert_eq!((world.messages().len(), world.reserved_count()), (200_000, 200_000));
    assert_eq!(world.reservations.borrow().len(), 10, "20,000 in each");
    let [head] = &world.heads()[..] else { unreachable!() };
    assert!(head.pages < 45, "{} items of at most 400 KB", head.pages);
    let calls = world.steps.get();
    assert!(calls < 700, "{calls} calls, of which 400 are of the queue and 201 of the Entry Service");
    assert_eq!(attempt(&world, &selection("one"), None).output(), first);
    world.check_told("one");
    let verdicts = world.verdicts().remove("one").unwrap();
    assert_eq!(verdicts.values().flatten().collect::<BTreeSet<_>>().len(), 200_000, "each has a code of their own");
}

#[test]
fn a_tm_market_has_one_code_for_all_winners_and_reserves_none() {
    let world = World::with(fans(30));
    let shared =
        json!({"id": "m", "campaignId": "c", "ticketer": "TM", "selectionRatio": 0.25, "sharedCode": "SHARED"});
    *world.market.borrow_mut() = Some(shared);
    attempt(&world, &selection("one"), None).output();
    let codes: Vec<_> = world.messages().into_iter().filter_map(|message| message.code).collect();
    assert_eq!(codes, ["SHARED"; 8]);
    assert!(world.reservations.borrow().is_empty());
    world.check_told("one");
}

#[test]
fn what_cannot_succeed_fails_at_once_is_reported_and_queues_nothing() {
    let open = |status: &str| Some(json!({"id": "c", "slug": "s", "status": status}));
    let with_market = |market: Value| {
        let world = World::with(fans(3));
        *world.market.borrow_mut() = Some(market);
        world
    };
    let nothing = || World::with(fans(3));
    let closing = "close it before selecting its winners";
    for (world, status, code, message) in [
        (World { campaign: None, ..nothing() }, 404, "CAMPAIGN_NOT_FOUND", "there is no campaign c"),
        (World { campaign: open("ACTIVE"), ..nothing() }, 409, "CAMPAIGN_NOT_CLOSED", closing),
        (
            World { campaign: open("TRANSFERRING"), ..nothing() },
            409,
            "CAMPAIGN_NOT_CLOSED",
            "campaign c is TRANSFERRING",
        ),
        (World { market: None.into(), ..nothing() }, 404, "MARKET_NOT_FOUND", "campaign c has no market m"),
        (with_market(market(None)), 422, "NO_COUNT", "neither capacity nor selectionRatio"),
        (
            with_market(json!({"id": "m", "campaignId": "c", "ticketer": "TM", "capacity": 1})),
            422,
            "NO_SHARED_CODE",
            "m",
        ),
        (World { pool: vec![].into(), ..nothing() }, 409, "TOO_FEW_CODES", "only 0 codes are free. Add codes"),
    ] {
        let (answered, body) = attempt(&world, &selection("one"), None).failure();
        assert_eq!((answered, &body["error"]["code"]), (status, &json!(code)), "{body}");
        assert!(body["error"]["message"].as_str().unwrap().contains(message), "{body}");
        assert_eq!(body["stats"]["status"], "FAILED");
        assert_eq!(world.reports.borrow().last(), Some(&body["stats"]), "{code}");
        assert!(world.messages().is_empty() && world.plans().is_empty() && world.reserved_count() == 0, "{code}");
        assert!(world.logs.borrow().iter().any(|(message, _)| message == "Selection failed"));
    }
}

#[test]
fn a_failure_that_cannot_be_reported_is_still_answered() {
    let world = World { campaign: None, refused_report: Some(StatsStatus::Failed), ..World::default() };
    assert_eq!(attempt(&world, &selection("one"), None).failure().0, 404);
    assert_eq!(world.logs.borrow()[0].0, "Failure not reported");
}

/// Stats are `FAILED` when the selection has failed ("Failed selections must report stats with `FAILED` status"), not when
/// an attempt has that another one follows.
#[test]
fn failed_is_reported_with_the_last_attempt_or_with_what_no_attempt_changes() {
    let mut world = World { queue: Some(Error::new(ErrorKind::Unavailable, "down")), ..World::with(fans(50)) };
    let more = Selection { attempts_remain: true, ..selection("one") };
    attempt(&world, &more, None).retry();
    assert_eq!(statuses(&world), ["PROCESSING"]);
    attempt(&world, &selection("one"), None).retry();
    assert_eq!(statuses(&world), ["PROCESSING", "PROCESSING", "FAILED"], "perhaps the last one");
    world.queue = None;
    attempt(&world, &more, None).output();
    assert_eq!(statuses(&world).last().unwrap(), "FINISHED");
    world.campaign = None;
    attempt(&world, &Selection { attempts_remain: true, ..selection("two") }, None).failure();
    assert_eq!(statuses(&world).last().unwrap(), "FAILED");
}

/// The winners have their codes, so nothing is final any more: not what the queue refuses for good, nor a report that the
/// Entry Service takes for wrong.
#[test]
fn once_the_winners_are_known_every_failure_is_tried_again_to_the_last_attempt() {
    let too_large = || Some(Error::new(ErrorKind::Invalid, "too large"));
    let refused = Some(StatsStatus::Finished);
    for world in [
        World { queue: too_large(), ..World::with(fans(50)) },
        World { refused_report: refused, ..World::with(fans(50)) },
    ] {
        let more = Selection { attempts_remain: true, ..selection("one") };
        attempt(&world, &more, None).retry();
        attempt(&world, &more, None).retry();
        assert_eq!(statuses(&world), ["PROCESSING", "PROCESSING"]);
        attempt(&world, &selection("one"), None).retry();
        assert_eq!(statuses(&world).last().unwrap(), "FAILED", "the last one");
        let world = World { queue: None, refused_report: None, ..world };
        assert_eq!(attempt(&world, &more, None).output()["stats"]["PROCESSED"], 10);
        world.check_told("one");
    }
}

/// The host would end the attempt without a word: it comes to its end by itself before that, wherever it is, and reports if
/// it is the last one. Each call takes a minute.
#[test]
fn an_attempt_that_is_out_of_time_fails_by_itself_and_the_last_one_reports_it() {
    for minutes in 10..200 {
        let world = World { per_page: 10, ..World::with(fans(60)) };
        attempt(&world, &selection("one"), None).output();
        world.sized(13);
        let end = world.clock.get() + TimeDelta::minutes(minutes);
        let slow = |attempts_remain| {
            world.end.set(Some(end));
            world.delays.replace(vec![(0, 1); 300]);
            let ended = attempt(&world, &Selection { attempts_remain, ..selection("two") }, None);
            world.delays.take();
            ended
        };
        let ended = slow(minutes % 2 == 0);
        if ended.is_over() {
            assert!(minutes > 60, "it had {minutes} minutes for its 50 pages of codes");
            assert_eq!(ended.output()["stats"]["PROCESSED"], 13);
            return;
        }
        let why = ended.retry();
        assert!(why.contains("out of time"), "{minutes}: {why}");
        let late = world.clock.get() - end;
        assert!(late <= TimeDelta::minutes(6), "{minutes}: {late}");
        let last = if minutes % 2 == 0 { "PROCESSING" } else { "FAILED" };
        assert_eq!(statuses(&world).last().unwrap(), last, "{minutes}");
        world.end.set(None);
        assert_eq!(attempt(&world, &selection("two"), None).output()["stats"]["PROCESSED"], 13);
        world.check_told("two");
        world.check_sound();
    }
    unreachable!("it never has time enough");
}

/// Its first report is refused, though its plan is stored.
#[test]
fn a_refusal_of_an_attempt_that_repeats_is_tried_again_too() {
    let mut world = World { queue: Some(Error::new(ErrorKind::Unavailable, "down")), ..World::with(fans(50)) };
    attempt(&world, &selection("one"), None).retry();
    (world.queue, world.refused_report) = (None, Some(StatsStatus::Processing));
    attempt(&world, &selection("one"), None).retry();
    world.refused_report = None;
    attempt(&world, &selection("one"), None).output();
    world.check_told("one");
}

/// The last report of a market counts. An attempt of a task may come when a later task has finished.
#[test]
fn a_task_that_is_repeated_after_a_later_one_reports_the_winners_of_both() {
    let whole = World::with(fans(50));
    attempt(&whole, &selection("one"), None).output();
    let calls = whole.steps.get();
    for fault in [Fault::Crash, Fault::Lost] {
        let world = World::with(fans(50));
        // The last two calls report and give the market back.
        attempt(&world, &selection("one"), Some((calls - 2, fault)));
        assert!(world.heads()[0].queued && !statuses(&world).contains(&"FINISHED".to_owned()), "{fault:?}");
        world.pass(TimeDelta::minutes(16));
        world.sized(13);
        attempt(&world, &selection("two"), None).output();
        let before = world.reports.borrow().len();
        assert_eq!(attempt(&world, &selection("one"), None).output()["stats"]["PROCESSED"], 13);
        let stats = json!({"marketId": "m", "status": "FINISHED", "total": 50, "PROCESSED": 13, "FAILED": 0});
        assert_eq!(world.reports.borrow()[before..], [stats], "it is not under way again");
    }
}

#[test]
fn a_task_that_fails_after_a_later_one_has_finished_leaves_its_stats_alone() {
    let mut world = World::with(fans(50));
    attempt(&world, &selection("one"), Some((20, Fault::Crash)));
    assert_eq!(world.plans()["one"].len(), 10);
    world.pass(TimeDelta::minutes(16));
    world.sized(13);
    attempt(&world, &selection("two"), None).output();
    world.queue = Some(Error::new(ErrorKind::Unavailable, "down"));
    attempt(&world, &selection("one"), None).retry();
    let last = world.reports.borrow().last().cloned().unwrap();
    assert_eq!((&last["status"], &last["PROCESSED"]), (&json!("FINISHED"), &json!(13)));
}

/// "Campaign stats reflect processed selection counts": winners of an earlier task stand.
#[test]
fn a_later_task_that_fails_reports_the_winners_who_stand() {
    let finished = || {
        let mut world = World::with(fans(50));
        world.fans.push(Fan { id: None, score: 9, minute: 0 });
        attempt(&world, &selection("one"), None).output();
        world
    };
    let check = |world: &World, code: &str, total: u32| {
        let stats = json!({"marketId": "m", "status": "FAILED", "total": total, "PROCESSED": 10, "FAILED": 1});
        let (_, body) = attempt(world, &selection("two"), None).failure();
        assert_eq!((&body["error"]["code"], &body["stats"]), (&json!(code), &stats));
        assert_eq!(world.reports.borrow().last(), Some(&stats), "{code}");
    };
    check(&World { campaign: None, ..finished() }, "CAMPAIGN_NOT_FOUND", 51);
    check(&World { market: None.into(), ..finished() }, "MARKET_NOT_FOUND", 51);
    let mut world = finished();
    world.fans.extend((50..700).map(|n| Fan { id: Some(format!("fan-{n:05}")), score: 1, minute: 0 }));
    world.sized(700);
    world.pool.borrow_mut().retain(|(_, state)| *state != State::Free);
    check(&world, "TOO_FEW_CODES", 701);
    let mut world = World { queue: Some(Error::new(ErrorKind::Unavailable, "down")), ..finished() };
    world.sized(13);
    attempt(&world, &selection("two"), None).retry();
    let last = world.reports.borrow().last().cloned().unwrap();
    assert_eq!((&last["status"], &last["PROCESSED"]), (&json!("FAILED"), &json!(13)), "its own plan stands, too");
    world.queue = None;
    assert_eq!(attempt(&world, &selection("two"), None).output()["stats"]["PROCESSED"], 13);
}

/// Nothing has become of them, and the malformed task cannot say how many there are.
#[test]
fn malformed_input_leaves_the_stats_of_a_market_with_winners_alone() {
    let world = World::with(fans(50));
    attempt(&world, &selection("one"), None).output();
    let problem = "selectionCount is not a whole number".to_owned();
    let refused = Attempt::Answered(block_on(crate::refuse(&world, &selection("bad"), problem)));
    assert_eq!(refused.failure().0, 400);
    assert_eq!(statuses(&world), ["PROCESSING", "FINISHED"]);
}

/// Whose input names campaign and market.
#[test]
fn failed_is_reported_of_malformed_input_unless_the_market_is_another_tasks() {
    let world = World::with(fans(50));
    let refuse = || {
        let problem = "selectionCount is not a whole number".to_owned();
        Attempt::Answered(block_on(crate::refuse(&world, &selection("bad"), problem))).failure()
    };
    let (status, body) = refuse();
    assert_eq!((status, &body["error"]["code"]), (400, &json!("MALFORMED_INPUT")));
    assert_eq!(*world.reports.borrow(), [json!({"marketId": "m", "status": "FAILED", "total": 0})]);
    attempt(&world, &selection("one"), Some((10, Fault::Crash)));
    assert_eq!(refuse().0, 400);
    assert_eq!(statuses(&world), ["FAILED", "PROCESSING"]);
}

#[test]
fn failed_is_reported_of_a_market_whose_item_cannot_be_read() {
    let world = World::with(fans(50));
    let item = json!({"pk": "CAMPAIGN#c", "sk": "SELECTION#m", "plans": 7});
    world.table.borrow_mut().insert(serde_json::from_value(item.clone()).unwrap(), item);
    let (status, body) = attempt(&world, &Selection { attempts_remain: true, ..selection("one") }, None).failure();
    assert_eq!((status, &body["error"]["code"]), (422, &json!("MALFORMED_ITEM")));
    assert_eq!(statuses(&world), ["FAILED"]);
}

/// Before it reports that the selection is in progress: its successor has finished meanwhile.
#[test]
fn a_task_that_has_lost_its_market_reports_nothing() {
    let world = World::with(fans(50));
    // The first one is suspended when it has counted the eligible fans.
    world.delays.replace([vec![(0, 0); 100], vec![(200, 16)], vec![(0, 0); 5]].concat());
    let [one, two] = both(&world, [&selection("one"), &selection("two")]);
    two.output();
    assert!(one.retry().contains("too slow"));
    assert_eq!(statuses(&world), ["PROCESSING", "FINISHED"]);
}

/// decisions.md, "Selection": a later task of the market first uses up codes that the market has reserved and not assigned.
#[test]
fn the_code_of_a_winner_whose_entry_is_removed_before_it_was_given_is_a_later_winners() {
    let world = World { fans: fans(600), ..World::with_codes(500) };
    world.sized(500);
    attempt(&world, &selection("one"), None).output();
    let (lost, code) = world.plans()["one"][7].clone();
    world.remove(&lost);
    world.sized(501);
    assert_eq!(attempt(&world, &selection("early"), None).failure().1["error"]["code"], "TOO_FEW_CODES");
    world.replicate();
    world.deliver_all();
    assert_eq!(world.codes("reserved"), std::slice::from_ref(&code));
    assert_eq!(attempt(&world, &selection("two"), None).output()["stats"]["PROCESSED"], 501);
    assert_eq!(world.plans()["two"], [("fan-00500".to_owned(), code)]);
    world.deliver_all();
    assert_eq!((world.reserved_count(), world.codes("assigned").len()), (0, 500), "none leaks");
    world.check_sound();
}

/// "No code is ever given to two fans": a code that its fan has got is used, whatever becomes of the entry, and whether the
/// Code Service and the table know of it or not.
#[test]
fn the_code_of_a_winner_who_leaves_afterwards_is_nobody_elses() {
    // The entry is removed after its code was marked as assigned; before that, for the Code Service was down; and after the
    // Entry Service has given the code, but before the table has it.
    for (is_written, is_marked) in [(true, true), (true, false), (false, false)] {
        let world = World { fans: fans(600), ..World::with_codes(500) };
        world.sized(500);
        attempt(&world, &selection("one"), None).output();
        let (lost, code) = world.plans()["one"][7].clone();
        if !is_written {
            world.assign(&lost, &code);
            world.remove(&lost);
        }
        world.messages().iter().for_each(|message| world.deliver(message));
        if is_marked {
            world.mark();
        }
        world.remove(&lost);
        for is_replicated in [false, true] {
            if is_replicated {
                world.replicate();
            }
            world.sized(501);
            assert_eq!(attempt(&world, &selection("early"), None).failure().1["error"]["code"], "TOO_FEW_CODES");
        }
        world.add_codes(500);
        assert_eq!(attempt(&world, &selection("two"), None).output()["stats"]["PROCESSED"], 501);
        let [(winner, other)] = &world.plans()["two"][..] else { unreachable!() };
        assert!(winner == "fan-00500" && *other != code, "{winner} has {other}");
        world.deliver_all();
        assert_eq!(world.codes("reserved").contains(&code), !is_written, "nobody tells the Code Service");
        world.check_sound();
    }
}

/// The same of a winner who is in neither list of the Entry Service, because a later scored file has rejected the fan, or
/// the fan has chosen another market. The winner's message is still on its way, and so is it that the entry is gone.
#[test]
fn the_code_of_a_winner_who_was_rejected_and_leaves_is_given_to_one_fan_only() {
    let mut world = World { fans: fans(600), ..World::with_codes(500) };
    world.sized(500);
    attempt(&world, &selection("one"), None).output();
    let (lost, code) = world.plans()["one"][7].clone();
    world.fans.retain(|fan| fan.id.as_ref() != Some(&lost));
    world.put_entry(&lost, None);
    world.sized(501);
    assert_eq!(attempt(&world, &selection("early"), None).failure().1["error"]["code"], "TOO_FEW_CODES", "it is here");
    world.remove(&lost);
    attempt(&world, &selection("two"), None).output();
    assert_eq!(world.plans()["two"], [("fan-00500".to_owned(), code.clone())]);
    world.deliver_all();
    assert_eq!(world.entry("fan-00500")["accessCode"], json!(code));
    assert_eq!((world.reserved_count(), world.codes("assigned").len()), (0, 500), "none leaks");
    world.check_sound();
}

/// All or nothing (use case 2, "Insufficient Codes").
#[test]
fn use_case_2_insufficient_codes_nobody_is_told_anything_and_a_later_task_uses_what_was_reserved() {
    let world = World { fans: fans(25_000), ..World::with_codes(24_000) };
    world.sized(25_000);
    let (status, body) = attempt(&world, &selection("one"), None).failure();
    assert_eq!((status, &body["error"]["code"]), (409, &json!("TOO_FEW_CODES")));
    assert_eq!(statuses(&world), ["PROCESSING", "FAILED"]);
    assert_eq!(body["stats"]["total"], 25_000);
    assert_eq!((world.messages().len(), world.reserved_count()), (0, 20_000));
    world.add_codes(1_000);
    attempt(&world, &selection("two"), None).output();
    assert_eq!(world.reserved_count(), 25_000, "none leaks");
    world.check_told("two");
    world.check_sound();
}

#[test]
fn a_second_selection_after_more_capacity_selects_only_what_is_more() {
    let world = World::with(fans(100));
    attempt(&world, &selection("one"), None).output();
    let first = world.plans()["one"].clone();
    // Some of the first winners have their codes already, one took another market's.
    world.messages().iter().take(5).for_each(|message| world.deliver(message));
    world.mark();
    world.win_elsewhere(&first[7].0);
    world.sized(13);
    let best = world.best(13);
    let output = attempt(&world, &selection("two"), None).output();
    assert_eq!(output["stats"]["PROCESSED"], 13, "the market's");
    let second = world.plans()["two"].clone();
    assert_eq!(second.iter().map(|(fan, _)| fan.clone()).collect::<Vec<_>>(), best);
    assert_eq!(second[0].1, first[7].1, "the code that its winner could not take is used first");
    assert_eq!(world.reserved_count(), 495, "of those that were reserved, 491 are free: no more are needed");
    world.check_told("two");
    world.check_sound();
    world.messages().iter().for_each(|message| world.deliver(message));
}

/// The queue delivers them again before or after those of the later task, in which some of their losers have won.
#[test]
fn messages_of_an_earlier_task_that_come_again_take_nothing_from_a_later_ones_winners() {
    for comes_first in [true, false] {
        let world = World::with(fans(30));
        attempt(&world, &selection("one"), None).output();
        let first = world.messages();
        first.iter().for_each(|message| world.deliver(message));
        world.sized(13);
        attempt(&world, &selection("two"), None).output();
        let second = world.messages().split_off(first.len());
        let order = if comes_first { [&first, &second] } else { [&second, &first] };
        order.into_iter().flatten().for_each(|message| world.deliver(message));
        world.mark();
        let winners: BTreeMap<_, _> = world.plans().into_values().flatten().collect();
        assert_eq!((winners.len(), world.codes("assigned").len()), (13, 13));
        for fan in world.ranking() {
            let (entry, code) = (world.entry(&fan), winners.get(&fan));
            assert_eq!((&entry["verdict"], &entry["accessCode"]), (&json!(code.is_some()), &json!(code)), "{fan}");
        }
        world.check_sound();
    }
}

#[test]
fn the_tasks_count_is_that_of_the_market_in_all() {
    let world = World::with(fans(100));
    let counted = |task: &str, count| Selection { count: Some(count), ..selection(task) };
    attempt(&world, &counted("one", 20), None).output();
    assert_eq!(attempt(&world, &counted("two", 15), None).output()["stats"]["PROCESSED"], 20);
    assert_eq!(attempt(&world, &counted("three", 21), None).output()["stats"]["PROCESSED"], 21);
    assert_eq!(world.plans()["three"].len(), 1);
    assert_eq!(attempt(&world, &counted("one", 20), None).output()["stats"]["PROCESSED"], 21, "those of all tasks");
}

#[test]
fn a_task_that_has_finished_and_is_repeated_tells_the_same() {
    let world = World::with(fans(50));
    let first = attempt(&world, &selection("one"), None).output();
    let (verdicts, plans) = (world.verdicts(), world.plans());
    world.sized(20);
    assert_eq!(attempt(&world, &selection("one"), None).output(), first);
    assert_eq!((world.verdicts(), world.plans()), (verdicts, plans));
    assert_eq!(world.messages().len(), 100);
}

/// Its task has failed permanently, or was not attempted again.
#[test]
fn winners_whom_their_task_has_not_told_are_told_by_the_next_one_whatever_becomes_of_it() {
    for (status, ends) in [("CLOSED", 200), ("ACTIVE", 409)] {
        let mut world = World { queue: Some(Error::new(ErrorKind::Invalid, "too large")), ..World::with(fans(50)) };
        attempt(&world, &selection("one"), None).retry();
        assert!(world.messages().is_empty() && world.plans()["one"].len() == 10);
        world.queue = None;
        world.campaign = Some(json!({"id": "c", "slug": "s", "status": status}));
        let two = attempt(&world, &selection("two"), None);
        assert!(matches!(two, Attempt::Answered(Ok(Response { status, .. })) if status == ends), "{two:?}");
        assert_eq!(world.verdicts()["one"].len(), 10);
        world.check_all_told();
        world.check_sound();
    }
}

/// Who has won has won.
#[test]
fn a_task_that_has_its_plan_goes_on_though_its_campaign_is_open_again_or_unknown() {
    for campaign in [None, Some(json!({"id": "c", "slug": "s", "status": "ACTIVE"}))] {
        let mut world = World { queue: Some(Error::new(ErrorKind::Unavailable, "down")), ..World::with(fans(50)) };
        attempt(&world, &selection("one"), None).retry();
        (world.queue, world.campaign) = (None, campaign);
        attempt(&world, &selection("one"), None).output();
        world.check_told("one");
        world.check_all_told();
    }
}

#[test]
fn of_two_tasks_of_a_market_at_once_one_waits_for_the_other_and_wins_nothing() {
    let world = World::with(fans(50));
    world.delays.replace(vec![(1, 0); 200]);
    let [one, two] = both(&world, [&selection("one"), &selection("two")]);
    one.output();
    assert!(two.waits().contains("MARKET_BUSY"));
    assert!(world.logs.borrow().is_empty(), "nothing is wrong: {:?}", world.logs.borrow());
    assert_eq!(attempt(&world, &selection("two"), None).output()["stats"]["PROCESSED"], 10);
    assert_eq!(statuses(&world), ["PROCESSING", "FINISHED", "PROCESSING", "FINISHED"], "one after the other");
    assert!(world.plans()["two"].is_empty());
    world.check_told("one");
    world.check_told("two");
    world.check_sound();
}

/// Its holder has died.
#[test]
fn a_market_that_stays_held_is_waited_for_until_its_holders_time_is_over() {
    let world = World::with(fans(50));
    attempt(&world, &selection("one"), Some((10, Fault::Crash)));
    let told = attempt(&world, &selection("two"), None).waits();
    assert!(told.contains("market m is held by task one, until 2024-03-01T12:16:00.000Z"), "{told}");
    assert_eq!(statuses(&world), ["PROCESSING"], "the other task's stats are left alone");
    world.pass(TimeDelta::minutes(16));
    attempt(&world, &selection("two"), None).output();
    world.check_told("two");
}

/// A task that was suspended for longer than it may run, and continues in parallel to its successor.
#[test]
fn a_task_that_has_lost_its_market_stores_no_plan() {
    let world = World::with(fans(50));
    // The first one is suspended while it reads the scoring records.
    world.delays.replace([vec![(0, 0); 100], vec![(200, 16)], vec![(0, 0); 8]].concat());
    let [one, two] = both(&world, [&selection("one"), &selection("two")]);
    two.output();
    assert!(one.retry().contains("too slow"));
    assert_eq!(world.plans().into_keys().collect::<Vec<_>>(), ["two"]);
    world.check_sound();
    assert_eq!(statuses(&world).last().unwrap(), "FINISHED", "its successor's report is left alone");
    world.pass(TimeDelta::minutes(20));
    assert_eq!(attempt(&world, &selection("one"), None).output()["stats"]["PROCESSED"], 10);
}
