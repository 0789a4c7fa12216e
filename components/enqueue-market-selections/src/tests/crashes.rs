//! A task fails or dies at any of its calls, and is repeated.

use super::fans;
use crate::lock::Lock;
use crate::plan::Head;
use crate::testing::{Attempt, Fan, Fault, World, attempt, selection};
use futures::executor::block_on;

/// Long ids fill several pages of a plan, and there are several calls of each kind.
fn world() -> World {
    let id = |n: u32| Some(format!("{n:04}{}", "x".repeat(900)));
    let mut fans: Vec<_> = (0..800).map(|n| Fan { id: id(n % 750), score: n % 7, minute: n % 5 }).collect();
    fans.extend([Fan { id: None, score: 9, minute: 0 }, Fan { id: Some(String::new()), score: 9, minute: 0 }]);
    let world = World::with(fans);
    world.sized(400);
    world
}

/// Runs a task whose attempts have these faults, until it has its answer; returns how many calls its first attempt made.
fn run(world: &World, task: &str, faults: &[(usize, Fault)]) -> usize {
    let mut faults = faults.iter().copied();
    let mut calls = 0;
    for number in 0..10 {
        let ended = attempt(world, &selection(task), faults.next());
        if number == 0 {
            calls = world.steps.get();
        }
        match ended {
            Attempt::Died | Attempt::Answered(Err(_)) => {}
            over => {
                over.output();
                return calls;
            }
        }
    }
    unreachable!("ten attempts")
}

fn check(world: &World, best: &[String]) {
    let plan = world.plans().remove("one").unwrap();
    assert_eq!(plan.iter().map(|(fan, _)| fan.clone()).collect::<Vec<_>>(), best, "the best have won");
    world.check_told("one");
    world.check_all_told();
    world.check_sound();
    assert_eq!(world.reserved_count(), 500, "nothing is reserved twice");
    assert_eq!(world.orphans(), [""; 0]);
    let last = world.reports.borrow().last().cloned().unwrap();
    assert_eq!((&last["status"], &last["PROCESSED"], &last["FAILED"]), (&"FINISHED".into(), &400.into(), &2.into()));
}

/// Whatever happens to any call of an attempt, the next one ends with the same winners, and every fan is told.
#[test]
fn a_task_may_fail_or_die_at_each_of_its_calls() {
    let whole = world();
    let best = whole.best(400);
    let calls = run(&whole, "one", &[]);
    check(&whole, &best);
    assert!(calls > 20, "{calls}");
    for step in 0..calls {
        for fault in Fault::ALL {
            let world = world();
            run(&world, "one", &[(step, fault)]);
            check(&world, &best);
        }
    }
}

/// Once the plan is stored, codes stay with their winners.
#[test]
fn after_the_plan_nobody_gets_another_code() {
    let calls = run(&world(), "one", &[]);
    for step in 0..calls {
        let world = world();
        attempt(&world, &selection("one"), Some((step, Fault::CrashAfter)));
        let (planned, told) = (world.plans().remove("one"), world.messages().len());
        assert!(planned.is_some() || told == 0, "no message before the plan");
        run(&world, "one", &[]);
        assert!(planned.is_none_or(|planned| planned == world.plans()["one"]), "call {step}");
    }
}

/// The second attempt is the one that repeats: it may fail at each of its calls, too.
#[test]
fn the_attempt_that_repeats_may_fail_or_die_at_each_of_its_calls() {
    let best = world().best(400);
    // After the reservation, with half of the plan's pages, before it is committed, after half of the messages.
    for first in [(18, Fault::CrashAfter), (19, Fault::Half), (20, Fault::Crash), (21, Fault::CrashAfter)] {
        let died = world();
        attempt(&died, &selection("one"), Some(first));
        let calls = run(&died, "one", &[]);
        for step in 0..calls {
            for fault in Fault::ALL {
                let world = world();
                attempt(&world, &selection("one"), Some(first));
                run(&world, "one", &[(step, fault)]);
                let orphans = world.orphans();
                assert!(orphans.is_empty() || step < 9, "only where deleting them has failed: {orphans:?}");
                world.table.borrow_mut().retain(|key, _| !orphans.contains(&key.sk));
                check(&world, &best);
            }
        }
    }
}

/// The task is never repeated. Its market is another task's after a while, and nothing of it is lost.
#[test]
fn a_task_that_is_given_up_at_any_of_its_calls_blocks_no_other() {
    let calls = run(&world(), "one", &[]);
    for step in 0..calls {
        let world = world();
        attempt(&world, &selection("one"), Some((step, Fault::CrashAfter)));
        let is_free = attempt(&world, &selection("two"), None).is_over();
        world.pass(chrono::TimeDelta::minutes(16));
        if !is_free {
            attempt(&world, &selection("two"), None).output();
        }
        world.check_told("two");
        world.check_all_told();
        world.check_sound();
        let winners: usize = world.plans().values().map(Vec::len).sum();
        assert_eq!((winners, world.orphans().len()), (400, 0), "call {step}");
        assert!(world.reserved_count() <= 500, "call {step}");
    }
}

/// As the test before; but the next task fails or dies at each of its calls, too.
#[test]
fn the_task_that_tells_anothers_winners_may_fail_or_die_at_each_of_its_calls() {
    let died = || {
        let world = world();
        attempt(&world, &selection("one"), Some((21, Fault::Crash)));
        assert!(!world.heads()[0].queued && world.messages().iter().all(|message| !message.verdict));
        world.pass(chrono::TimeDelta::minutes(16));
        world
    };
    let calls = run(&died(), "two", &[]);
    for step in 0..calls {
        for fault in Fault::ALL {
            let world = died();
            run(&world, "two", &[(step, fault)]);
            world.check_told("two");
            world.check_all_told();
            world.check_sound();
        }
    }
}

#[test]
fn messages_of_fifty_thousand_fans_survive_a_crash_in_their_midst() {
    let world = World::with(fans(50_000));
    world.sized(500);
    attempt(&world, &selection("one"), Some((110, Fault::Crash)));
    let told = world.messages().len();
    assert!((1..50_000).contains(&told), "{told}");
    attempt(&world, &selection("one"), None).output();
    world.check_told("one");
    assert_eq!(world.verdicts()["one"].len(), 50_000);
}

/// Its plan may be stored although the commit failed: then the winners stand, and count.
#[test]
fn a_failed_report_counts_the_winners_whose_plan_was_stored_without_a_response() {
    let mut reports = 0;
    for step in 0..60 {
        let world = World::with(fans(50));
        let _ended = attempt(&world, &selection("one"), Some((step, Fault::ResponseLost)));
        let winners: usize = world.heads().iter().map(|plan| plan.winners).sum();
        let report = world.reports.borrow().last().cloned().unwrap_or_default();
        if report["status"] == "FAILED" {
            let processed = report["PROCESSED"].as_u64().unwrap_or_default();
            assert_eq!(processed, winners as u64, "step {step}: {report}");
            reports += u32::from(winners > 0);
        }
    }
    assert!(reports >= 3, "the commit, the messages, what is noted of them: {reports}");
}

/// As long as that is not known, nothing is reported that might be wrong.
#[test]
fn while_it_is_not_known_whether_a_plan_is_stored_nothing_is_reported() {
    let world = World::default();
    let mut lock = block_on(Lock::take(&world, &selection("one"))).unwrap();
    let plan = Head {
        task_id: "one".to_owned(),
        fence: 1,
        pages: 0,
        winners: 2,
        rejected: 0,
        total: 9,
        queued: false,
        lost: 0,
    };
    let before = world.steps.get();
    world.fault.set(Some((before, Fault::ResponseLost)));
    assert!(block_on(lock.commit(&world, plan.clone())).is_err() && lock.plans.is_empty());
    world.fault.set(Some((before + 1, Fault::Lost)));
    assert!(block_on(lock.update_plans(&world)).is_err());
    assert_eq!((block_on(lock.update_plans(&world)), lock.plans), (Ok(()), vec![plan]));
}
