//! Tests of whole batches in the small world.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

use crate::ports::Report;
use crate::save::save;
use crate::selection::{Prize, Selection};
use crate::testing::{Change, World, lost, won};
use crate::verdict::is_failed;
use futures::executor::block_on;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use worker_kit::Disposition;
use worker_kit::Disposition::{Ack, GiveUp, Reject, Retry, Skip};
use worker_kit::lambda::{self, Incoming};
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::{ResponseSummary, ServiceError};

fn run(world: &World, selections: impl IntoIterator<Item = Selection>) -> Vec<Disposition> {
    let mut settled = block_on(save(world, selections.into_iter().enumerate().collect()));
    settled.sort_by_key(|(index, _)| *index);
    settled.into_iter().map(|(_, disposition)| disposition).collect()
}

fn is_retried(disposition: &Disposition) -> bool {
    matches!(disposition, Retry(retry) if !retry.reason.is_empty())
}

fn is_skipped(disposition: &Disposition, word: &str) -> bool {
    matches!(disposition, Skip(reason) if reason.split(':').next() == Some(word))
}

fn only(fan: &str) -> BTreeSet<String> {
    BTreeSet::from([fan.to_owned()])
}

fn prize(market: &str, code: &str) -> Option<Prize> {
    won("", market, code).won
}

fn report(market: &str, selected: usize) -> Report {
    Report { campaign_id: "c".to_owned(), market_id: market.to_owned(), selected }
}

fn fans(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("fan-{n:02}")).collect()
}

/// A world of this many fans, all winners of market `m`, and their selections.
fn winners(count: usize) -> (World, Vec<Selection>) {
    let fans = fans(count);
    let selections = fans.iter().map(|fan| won(fan, "m", &format!("CODE-{fan}"))).collect();
    (World::with(fans.iter().map(String::as_str)), selections)
}

/// Whether a fan holds nothing, in the Entry Service and in the table.
fn holds_nothing(world: &World, fan: &str) -> bool {
    world.service.borrow()[fan].is_none() && world.told(fan) == [Value::Null, Value::Null, Value::Null]
}

#[test]
fn a_winner_gets_verdict_code_and_market_and_a_loser_a_verdict_alone() {
    let world = World::with(["u", "v"]);
    assert_eq!(run(&world, [won("u", "m", "A"), lost("v", "m")]), [Ack, Ack]);
    assert_eq!(world.told("u"), [json!(true), json!("A"), json!("m")]);
    assert_eq!(world.told("v"), [json!(false), Value::Null, Value::Null]);
    assert_eq!(world.service.borrow()["u"], prize("m", "A"));
    assert_eq!(world.service.borrow()["v"], None);
}

#[test]
fn the_winners_of_a_campaign_make_one_request() {
    let (world, selections) = winners(25);
    assert_eq!(run(&world, selections), vec![Ack; 25]);
    assert_eq!(*world.requests.borrow(), [25]);
}

/// One invocation takes 25,000 records.
#[test]
fn twenty_five_thousand_records_in_one_invocation() {
    let (world, mut selections) = winners(25_000);
    selections.iter_mut().skip(5_000).for_each(|selection| selection.won = None);
    assert_eq!(run(&world, selections), vec![Ack; 25_000]);
    assert_eq!(*world.requests.borrow(), vec![25; 200], "full requests only");
    assert_eq!(*world.reports.borrow(), [report("m", 5_000)]);
}

/// All or none: what the service cannot take is left out, and the rest is repeated.
#[test]
fn req_009_those_who_keep_a_request_from_being_taken_go_back_and_the_rest_is_repeated() {
    let (mut world, selections) = winners(25);
    world.invalid = only("fan-03");
    world.service.borrow_mut().remove("fan-07");
    world.service.borrow_mut().insert("fan-11".to_owned(), prize("n", "OTHER"));
    let dispositions = run(&world, selections);
    assert!(is_retried(&dispositions[3]) && is_retried(&dispositions[7]), "{dispositions:?}");
    assert!(is_failed(&dispositions[11]), "{dispositions:?}");
    assert_eq!(dispositions.iter().filter(|it| **it == Ack).count(), 22);
    assert_eq!(*world.requests.borrow(), [25, 22]);
    assert_eq!(world.service.borrow()["fan-11"], prize("n", "OTHER"));
    assert!(holds_nothing(&world, "fan-03"));
    assert_eq!(world.told("fan-07")[0], Value::Null);
    assert_eq!(*world.reports.borrow(), [report("m", 22)]);
}

#[test]
fn d2_6__a_refused_request_is_halved_down_to_one_fan_who_is_retried() {
    let (mut world, selections) = winners(25);
    world.poison = only("fan-13");
    let dispositions = run(&world, selections);
    let failed: Vec<_> = (0..25).filter(|index| dispositions[*index] != Ack).collect();
    assert_eq!(failed, [13]);
    assert_eq!(dispositions[13], Disposition::retry("the entry service refused with status 400: not mine"));
    assert!(world.requests.borrow().len() < 12, "halved, not sent one by one");
    assert!(holds_nothing(&world, "fan-13"));
}

/// The host has retried already.
#[test]
fn use_case_2_entry_service_timeout_winners_are_retried_and_losers_are_written() {
    let unavailable = ServiceError::Unavailable { service: "entry", message: "timed out".to_owned() };
    let throttled = ServiceError::from_answer(ResponseSummary::new("entry", 429, "later"), Some(2));
    for (outage, after) in [(unavailable, None), (throttled, Some(2000))] {
        let expected = Disposition::retry_after(after, outage.to_string());
        let mut world = World::with(["u", "v"]);
        world.outage = Some(outage);
        assert_eq!(run(&world, [won("u", "m", "A"), lost("v", "m")]), [expected, Ack]);
        assert!(holds_nothing(&world, "u"));
        assert_eq!(world.told("v")[0], json!(false));
        assert!(world.reports.borrow().is_empty());
    }
}

/// "DynamoDB Write Failure: Return failed verdict updates in `batchItemFailures` for SQS retry" (use cases).
#[test]
fn use_case_2_dynamodb_write_failure_only_the_failed_updates_go_back() {
    let mut world = World::with(["u", "v", "w", "x"]);
    let throttled = Error { kind: ErrorKind::Throttled, message: "later".to_owned(), retry_after_ms: Some(9) };
    world.stuck = ["v", "x"].map(|fan| (fan.to_owned(), throttled.clone())).into();
    let batch = [won("u", "m", "A"), won("v", "m", "B"), lost("w", "m"), lost("x", "m")];
    let failed = Disposition::retry_after(Some(9), "later");
    assert_eq!(run(&world, batch.clone()), [Ack, failed.clone(), Ack, failed]);
    assert_eq!(*world.reports.borrow(), [report("m", 1)]);
    world.stuck.clear();
    assert_eq!(run(&world, [batch[1].clone(), batch[3].clone()]), [Ack, Ack]);
    assert_eq!(world.told("v"), [json!(true), json!("B"), json!("m")]);
    assert_eq!(world.told("x")[0], json!(false));
}

#[test]
fn the_same_message_twice_has_the_effect_of_one() {
    let world = World::with(["u", "v"]);
    let batch = [won("u", "m", "A"), lost("v", "m"), won("u", "m", "A"), lost("v", "m")];
    assert_eq!(run(&world, batch.clone()), [Ack, Ack, Ack, Ack]);
    assert_eq!(*world.requests.borrow(), [1]);
    let before = world.table.borrow().clone();
    assert_eq!(run(&world, batch), [Ack, Ack, Ack, Ack]);
    assert_eq!(*world.table.borrow(), before);
    assert_eq!(*world.reports.borrow(), [report("m", 1), report("m", 1)], "a lower bound, repeated");
}

#[test]
fn a_winner_is_never_made_a_loser_and_a_loser_may_become_a_winner() {
    let (winner, loser) = (won("u", "m", "A"), lost("u", "n"));
    for batches in [
        vec![vec![winner.clone(), loser.clone()]],
        vec![vec![loser.clone(), winner.clone()]],
        vec![vec![winner.clone()], vec![loser.clone()]],
        vec![vec![loser.clone()], vec![winner.clone()]],
        vec![vec![winner.clone()], vec![loser.clone(), winner.clone()]],
    ] {
        let world = World::with(["u"]);
        for batch in batches {
            for (selection, disposition) in batch.clone().into_iter().zip(run(&world, batch)) {
                let expected = selection.won.is_some() || world.requests.borrow().is_empty();
                assert!(expected == (disposition == Ack), "{selection:?}: {disposition:?}");
                assert!(expected || is_skipped(&disposition, "winner"), "{selection:?}: {disposition:?}");
            }
        }
        assert_eq!(world.told("u"), [json!(true), json!("A"), json!("m")]);
    }
}

#[test]
fn a_winner_of_two_markets_keeps_the_first_code() {
    for batches in [vec![vec![0, 1]], vec![vec![0], vec![1]]] {
        let world = World::with(["u"]);
        let both = [won("u", "m", "A"), won("u", "n", "B")];
        let batches = batches.into_iter().map(|batch| batch.into_iter().map(|index: usize| both[index].clone()));
        let dispositions: Vec<_> = batches.flat_map(|batch| run(&world, batch)).collect();
        assert_eq!(dispositions[0], Ack);
        assert!(is_failed(&dispositions[1]), "{dispositions:?}");
        assert_eq!(world.told("u"), [json!(true), json!("A"), json!("m")]);
        assert_eq!(world.service.borrow()["u"], prize("m", "A"));
        assert_eq!(*world.reports.borrow(), [report("m", 1)]);
    }
}

/// The documents print the Entry Service's answer without what became of each: the item says who holds another code.
#[test]
fn point_3_a_winner_of_another_market_whom_the_service_does_not_name_is_counted_as_failed() {
    let (mut world, selections) = winners(25);
    run(&world, [won("fan-11", "n", "OTHER")]);
    world.terse = true;
    for _ in 0..2 {
        let dispositions = run(&world, selections.clone());
        assert!(is_failed(&dispositions[11]), "{:?}", dispositions[11]);
        assert_eq!(dispositions.iter().filter(|it| **it == Ack).count(), 24, "nobody pays for another");
    }
    assert_eq!(world.told("fan-11"), [json!(true), json!("OTHER"), json!("n")]);
    assert_eq!(world.service.borrow()["fan-11"], prize("n", "OTHER"));
    assert_eq!(world.reports.borrow().last(), Some(&report("m", 24)));
}

/// The service takes no code twice, not even the same.
#[test]
fn point_3_a_winner_who_holds_the_code_is_done_though_the_service_refuses_to_assign_it_again() {
    let mut world = World::with(["u"]);
    run(&world, [won("u", "m", "A")]);
    world.poison = only("u");
    assert_eq!(run(&world, [won("u", "m", "A")]), [Ack]);
    assert_eq!(*world.reports.borrow(), [report("m", 1), report("m", 1)]);
}

#[test]
fn point_3_a_winner_who_is_refused_for_another_reason_is_retried_with_the_services_words() {
    let mut world = World::with(["u", "v"]);
    world.terse = true;
    world.invalid = only("u");
    let dispositions = run(&world, [won("u", "m", "A"), won("v", "m", "B")]);
    let told = "the entry service answered success: false and 0 of 1 done, not which: status 200: {\"success\":false}";
    assert_eq!(dispositions, [Disposition::retry(told), Ack]);
    assert!(holds_nothing(&world, "u"));
}

/// The fan's entry was removed after the selection, and the Entry Service knows of it already.
#[test]
fn a_winner_whose_entry_is_gone_is_not_retried() {
    let (world, selections) = winners(3);
    world.table.borrow_mut().remove(&World::key("fan-01"));
    world.service.borrow_mut().remove("fan-01");
    let dispositions = run(&world, selections);
    assert!(is_skipped(&dispositions[1], "gone"), "{dispositions:?}");
    assert_eq!((&dispositions[0], &dispositions[2]), (&Ack, &Ack));
    assert_eq!(*world.reports.borrow(), [report("m", 2)]);
}

#[test]
fn d12_4__a_winner_whose_key_no_table_takes_costs_no_other() {
    let (unknown, long) = (won("u", "m", "A"), won(&"x".repeat(1_100), "m", "B"));
    let told = "the entry service answered with status 200, and of the record: unknown: it holds no such entry";
    for batch in [[unknown.clone(), long.clone()], [long.clone(), unknown.clone()]] {
        let world = World::with(["u"]);
        world.service.borrow_mut().clear();
        for (selection, disposition) in batch.clone().into_iter().zip(run(&world, batch)) {
            match disposition {
                GiveUp(reason) => {
                    assert_eq!((selection, reason.as_str()), (long.clone(), "invalid: a key is too long"))
                }
                disposition => assert_eq!((selection, disposition), (unknown.clone(), Disposition::retry(told))),
            }
        }
    }
}

/// "No code is ever given to two fans": it is still to be replicated that the entry is gone, so the Entry Service would
/// assign the code, which is another winner's in the plan of a later task.
#[test]
fn a_winner_whose_entry_is_gone_gets_no_code_and_the_next_winner_gets_it() {
    let world = World::with(["gone", "next"]);
    world.table.borrow_mut().remove(&World::key("gone"));
    let dispositions = run(&world, [won("gone", "m", "A"), won("next", "m", "A")]);
    assert!(is_skipped(&dispositions[0], "gone"), "{dispositions:?}");
    assert_eq!(dispositions[1], Ack);
    assert_eq!((&world.service.borrow()["gone"], &world.service.borrow()["next"]), (&None, &prize("m", "A")));
    assert_eq!(*world.requests.borrow(), [1]);
}

/// Whether they are gone is not known.
#[test]
fn winners_whose_items_cannot_be_read_are_retried_and_get_no_code() {
    let mut world = World::with(["u", "v"]);
    world.blind = Some(Error { kind: ErrorKind::Throttled, message: "later".to_owned(), retry_after_ms: Some(20) });
    let later = Disposition::retry_after(Some(20), "later");
    assert_eq!(run(&world, [won("u", "m", "A"), lost("v", "m")]), [later, Ack]);
    assert!(holds_nothing(&world, "u") && world.requests.borrow().is_empty());
}

#[test]
fn an_attribute_that_is_null_or_empty_is_as_absent() {
    for none in [Value::Null, json!("")] {
        let world = World::with(["u", "v"]);
        for fan in ["u", "v"] {
            let mut table = world.table.borrow_mut();
            let item = table.get_mut(&World::key(fan)).unwrap();
            ["verdict", "accessCode", "marketId"].into_iter().for_each(|name| item[name] = none.clone());
        }
        let batch = [won("u", "m", "A"), lost("v", "m")];
        for _ in 0..2 {
            assert_eq!(run(&world, batch.clone()), [Ack, Ack], "{none}");
            assert_eq!(world.told("u"), [json!(true), json!("A"), json!("m")]);
            assert_eq!(world.told("v"), [json!(false), none.clone(), none.clone()]);
        }
    }
}

/// The Entry Service should have said so.
#[test]
fn a_code_that_an_item_holds_stays() {
    let world = World::with(["u"]);
    let key = World::key("u");
    world.table.borrow_mut().get_mut(&key).unwrap()["accessCode"] = "OTHER".into();
    assert!(is_failed(&run(&world, [won("u", "m", "A")])[0]));
    assert_eq!(world.told("u"), [Value::Null, json!("OTHER"), Value::Null]);
    assert!(world.reports.borrow().is_empty());
}

#[test]
fn an_entry_that_is_gone_is_skipped_and_not_made_again() {
    let world = World::with(["u", "v"]);
    world.table.borrow_mut().clear();
    let dispositions = run(&world, [won("u", "m", "A"), lost("v", "m")]);
    assert!(dispositions.iter().all(|disposition| is_skipped(disposition, "gone")), "{dispositions:?}");
    assert!(world.table.borrow().is_empty());
    assert!(world.reports.borrow().is_empty());
}

#[test]
fn a_failed_read_of_the_cause_is_a_retry() {
    let mut world = World::with(["u"]);
    run(&world, [won("u", "m", "A")]);
    world.blind = Some(Error { kind: ErrorKind::Throttled, message: "later".to_owned(), retry_after_ms: Some(20) });
    assert_eq!(run(&world, [lost("u", "n")]), [Disposition::retry_after(Some(20), "later")]);
}

/// The entry changes after its code is assigned and before the verdict is written.
#[test]
fn a_fans_own_change_survives() {
    // A winner's item is looked at, and the code is assigned, before the change; of each call there are three choices.
    for (selection, calls_before) in [(won("u", "m", "A"), 2), (won("u", "m", "A"), 0), (lost("u", "m"), 0)] {
        let world = World::with(["u"]);
        world.changes.borrow_mut().push(Change::Modify("u"));
        world.choices.set([vec![3, 0], vec![0; 3 * calls_before]].concat());
        assert_eq!(run(&world, [selection.clone()]), [Ack]);
        let item = world.item("u").unwrap();
        assert_eq!((&item["fields"], &item["needsReplication"]), (&json!(r#"{"version":1}"#), &json!(true)));
        assert_eq!(item["date"]["updated"], "2024-01-01T10:00:00.001Z");
        assert_eq!(item["verdict"], selection.won.is_some());
    }
}

#[test]
fn winners_are_reported_once_a_market_and_losers_are_not() {
    let world = World::with(["u", "v", "w", "x"]);
    run(&world, [won("u", "m", "A"), won("v", "n", "B"), won("w", "m", "C"), lost("x", "m"), won("u", "m", "A")]);
    assert_eq!(*world.reports.borrow(), [report("m", 2), report("n", 1)]);
    let body = serde_json::to_string(&world.reports.borrow()[0]).unwrap();
    assert_eq!(body, r#"{"campaignId":"c","expected":{"selected":2},"marketId":"m","source":"selection"}"#);
    run(&world, [lost("x", "m")]);
    assert_eq!(world.reports.borrow().len(), 2, "nobody is selected");
}

/// decisions.md, "Scoring": `expected` holds minimum totals. The total of a campaign counts the winners of all selections of
/// all its markets.
#[test]
fn what_is_reported_is_never_more_than_the_campaigns_total() {
    let fans = fans(9);
    let world = World::with(fans.iter().map(String::as_str));
    let win = |market: &str, fans: &[String]| {
        let selections = fans.iter().map(|fan| won(fan, market, &format!("CODE-{fan}")));
        assert!(run(&world, selections).iter().all(|disposition| *disposition == Ack));
        let total = world.service.borrow().values().flatten().count();
        let reports = world.reports.borrow();
        let last = reports.last().unwrap();
        assert_eq!(last, &report(market, fans.len()), "the winners of this batch");
        assert!(last.selected <= total, "{last:?} of {total}");
    };
    win("m", &fans[..4]);
    win("m", &fans[4..5]); // A second selection.
    win("n", &fans[5..]);
    win("m", &fans[..4]); // Delivered again.
}

#[test]
fn winners_whose_report_is_not_queued_go_back_and_are_reported_with_the_same_number() {
    let mut world = World::with(["u", "v", "w"]);
    world.mute = Some(Error::new(ErrorKind::Unavailable, "no queue"));
    let batch = [won("u", "m", "A"), lost("w", "m"), won("v", "m", "B")];
    let back = Disposition::retry("no queue");
    assert_eq!(run(&world, batch.clone()), [back.clone(), Ack, back]);
    let before = world.table.borrow().clone();
    world.mute = None;
    assert_eq!(run(&world, [batch[0].clone(), batch[2].clone()]), [Ack, Ack]);
    assert_eq!(*world.reports.borrow(), [report("m", 2)]);
    assert_eq!(*world.table.borrow(), before);
}

#[test]
fn a_malformed_message_is_rejected_and_the_others_are_saved() {
    let winner = json!({"taskId": "t", "campaignId": "c", "marketId": "m", "globalUserId": "u", "verdict": true});
    let mut whole = winner.clone();
    whole["code"] = "A".into();
    let world = World::with(["u"]);
    let records = [winner, json!({}), whole].map(|body| json!({"messageId": "m", "body": body.to_string()}));
    let event = json!({"Records": records}).to_string();
    let incoming = lambda::parse(event.as_bytes(), &lambda::Context::default(), &mut |_| ()).unwrap();
    let batch = incoming.iter().filter_map(Incoming::event).cloned().collect();
    let dispositions = block_on(crate::handle(&world, batch));
    let reasons = ["code is missing or empty, but verdict is true", "missing field `campaignId` at line 1 column 2"];
    let [code, field] = reasons.map(|reason| Reject(format!("malformed: {reason}")));
    assert_eq!(dispositions, [code, field, Ack]);
}

/// The selections of a test: each fan, the market and the code; `None` for a loser.
type Told = (&'static str, &'static str, Option<&'static str>);

fn selection((fan, market, code): Told) -> Selection {
    code.map_or_else(|| lost(fan, market), |code| won(fan, market, code))
}

/// Delivers selections in any order, some twice, two invocations at a time, some of which crash between two steps, until
/// none is left. Returns the selections that were counted as failed.
fn deliver(world: &World, mut pending: Vec<Told>) -> BTreeSet<Told> {
    let mut failed = BTreeSet::new();
    loop {
        if let Some(change) = world.changes.borrow_mut().pop_if(|_| pending.is_empty() || world.choices.choose(2) == 1)
        {
            world.happen(change);
            continue;
        }
        if pending.is_empty() {
            return failed;
        }
        let batches = [pick(world, &mut pending), pick(world, &mut pending)];
        let calls = batches.clone().map(|batch| save(world, batch.into_iter().map(selection).enumerate().collect()));
        let [first, second] = calls.map(|call| with_crash(world, call));
        let (first, second) = block_on(futures::future::join(first, second));
        for (batch, settled) in batches.into_iter().zip([first, second]) {
            let Some(settled) = settled else {
                pending.extend(batch);
                continue;
            };
            assert_eq!(batch.len(), settled.len(), "every record is settled once");
            for (index, disposition) in settled {
                match disposition {
                    Retry(_) => pending.push(batch[index]),
                    disposition if is_failed(&disposition) => drop(failed.insert(batch[index])),
                    Ack | Skip(_) => {}
                    Reject(reason) | GiveUp(reason) => unreachable!("{reason}"),
                }
            }
        }
    }
}

/// The outcome of a call; `None` if it crashed at one of its waits, of which every request may have some.
async fn with_crash<T>(world: &World, call: impl Future<Output = T>) -> Option<T> {
    let mut steps = (world.choices.choose(4) == 3).then(|| world.choices.choose(8));
    let mut call = pin!(call);
    std::future::poll_fn(|context| {
        if steps == Some(0) {
            return Poll::Ready(None);
        }
        steps = steps.map(|steps| steps - 1);
        call.as_mut().poll(context).map(Some)
    })
    .await
}

fn pick(world: &World, pending: &mut Vec<Told>) -> Vec<Told> {
    let mut batch = Vec::new();
    for _ in 0..=world.choices.choose(4) {
        if pending.is_empty() {
            break;
        }
        let place = usize::from(world.choices.choose(16)) % pending.len();
        let twice = world.choices.choose(5) == 4;
        batch.push(if twice { pending[place] } else { pending.remove(place) });
    }
    batch
}

const FANS: [&str; 3] = ["u", "v", "w"];

/// What two tasks, one a market, and a refresh may have queued: a market gives each of its winners one code.
fn selections() -> impl Strategy<Value = Vec<Told>> {
    let codes =
        [("u", "m", "MU"), ("v", "m", "MV"), ("w", "m", "MW"), ("u", "n", "NU"), ("v", "n", "NV"), ("w", "n", "NW")];
    // Whether the fan wins in the market, and how many messages say so; none if he is not of the market.
    let outcomes = prop::collection::vec((any::<bool>(), 0_usize..3), codes.len());
    outcomes.prop_map(move |outcomes| {
        let told = |((fan, market, code), (wins, copies))| vec![(fan, market, Some(code).filter(|_| wins)); copies];
        codes.into_iter().zip(outcomes).flat_map(told).collect()
    })
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = (prop::sample::select(FANS.to_vec()), 0_u8..6);
    let change = change.prop_map(|(fan, kind)| if kind == 0 { Change::Remove(fan) } else { Change::Modify(fan) });
    prop::collection::vec(change, 0..6)
}

/// `Ok` if what a fan holds is what the fan's selections say.
fn check(world: &World, fan: &str, told: &[Told], failed: &BTreeSet<Told>) -> Result<(), String> {
    let prizes: BTreeSet<_> = told.iter().filter(|it| it.2.is_some()).collect();
    let held = world.service.borrow()[fan].clone();
    let won: Vec<_> = prizes.iter().filter(|(_, market, code)| prize(market, code.unwrap()) == held).collect();
    let item = world.item(fan);
    // Who has left before the code was assigned gets none.
    let is_without = held.is_none() && item.is_none();
    if won.len() != prizes.len().min(1) && !is_without {
        return Err(format!("{fan} has won {prizes:?} and holds {held:?}"));
    }
    let Some(item) = item else { return Ok(()) };
    let shown = world.told(fan);
    let expected = match (won.first(), told.is_empty()) {
        (Some((_, market, code)), _) => [json!(true), json!(code), json!(market)],
        (None, true) => [Value::Null, Value::Null, Value::Null],
        (None, false) => [json!(false), Value::Null, Value::Null],
    };
    if shown != expected {
        return Err(format!("{fan}: the table has {shown:?}, not {expected:?}"));
    }
    if prizes.iter().filter(|it| failed.contains(**it)).count() + won.len() != prizes.len() {
        return Err(format!("{fan} has won {prizes:?}, of which {won:?} holds and {failed:?} are counted"));
    }
    let version = world.versions.borrow().get(fan).copied().unwrap_or_default();
    let fields = json!(json!({"version": version}).to_string());
    let flagged = json!(version > 0);
    if (&item["fields"], &item["needsReplication"]) != (&fields, &flagged) {
        return Err(format!("{fan}'s own change {version} is lost: {item}"));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is delivered twice or out of order, fails or crashes, and whatever fans do meanwhile: in the end each
    /// winner has one code, the same in the Entry Service and in the table, losers have a verdict and none, and what fans
    /// changed is there.
    #[test]
    fn each_winner_has_one_code_and_losers_none_in_the_end(
        selections in selections(),
        changes in changes(),
        choices in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let world = World::with(FANS);
        *world.changes.borrow_mut() = changes;
        world.choices.set(choices);
        let failed = deliver(&world, selections.clone());
        for fan in FANS {
            let told: Vec<_> = selections.iter().filter(|it| it.0 == fan).copied().collect();
            prop_assert_eq!(check(&world, fan, &told, &failed), Ok(()));
        }
        let mut reported: BTreeMap<_, usize> = BTreeMap::new();
        for report in world.reports.borrow().iter() {
            let most = reported.entry(report.market_id.clone()).or_default();
            *most = report.selected.max(*most);
        }
        for (market, selected) in reported {
            let service = world.service.borrow();
            let holders = service.values().flatten().filter(|prize| prize.market_id == market).count();
            prop_assert!(selected <= holders, "{} says {}, {} hold codes", market, selected, holders);
        }
    }
}

#[test]
fn a_call_may_crash_in_the_middle() {
    let world = World::with(["u"]);
    // The table answers after two waits; the call has crashed after one.
    world.choices.set(vec![2, 1, 3]);
    let call = with_crash(&world, save(&world, vec![(0, won("u", "m", "A"))]));
    let mut call = pin!(call);
    let mut context = Context::from_waker(Waker::noop());
    let mut polls = 0;
    while call.as_mut().poll(&mut context).is_pending() {
        polls += 1;
    }
    assert_eq!(polls, 1);
    assert!(holds_nothing(&world, "u"));
}
