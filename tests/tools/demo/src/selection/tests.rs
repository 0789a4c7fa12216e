//! Tests of the checks: on an outcome in which everything is right, and with one fault at a time.

use super::check::check;
use super::found::{CodeState, Ended, EntryCode, Found, Sent, Stats, Task};
use super::inject::Spoils;
use super::rank::Contest;
use crate::check::{ByEntry, Failures, Item, Kind, entry_name};
use crate::generate::{World, generate, scenario_1};
use serde_json::{Value, json};

/// A market without a shared code, by its place among the markets.
const UNIQUE: usize = 1;
/// The market with too few codes.
const FAILED: usize = 3;

/// What should come of the selections of a world.
struct Run {
    items: ByEntry<Item>,
    found: Found,
}

type Name = (String, String);

fn world() -> World {
    generate(3_000, 5)
}

fn key(contest: &Contest<'_>) -> Name {
    (contest.campaign().to_owned(), contest.market().to_owned())
}

impl Run {
    /// As if the markets were selected one after the other.
    fn new(contests: &[Contest<'_>]) -> Self {
        let mut run = Self { items: ByEntry::default(), found: Found::default() };
        for contest in contests {
            for fan in &contest.ranked {
                if run.items.get((contest.campaign(), fan)).is_none() {
                    run.items.insert(contest.campaign(), fan, Item::default());
                }
            }
            run.select(contest);
        }
        for contest in contests {
            for fan in &contest.ranked {
                let name = (contest.campaign().to_owned(), (*fan).to_owned());
                run.found.sent.insert(name, Sent { before: 2, after: 2, changed: false });
            }
        }
        run
    }

    fn select(&mut self, contest: &Contest<'_>) {
        let stats = |status: &str, processed, failed| Stats {
            status: status.to_owned(),
            total: contest.total(),
            processed,
            failed,
        };
        let last = match contest.fails() {
            true => stats("FAILED", 0, 0),
            false => stats("FINISHED", contest.seats, contest.nameless),
        };
        // A repeated attempt reports again.
        let processing = stats("PROCESSING", 0, 0);
        let mut told = vec![processing.clone(), processing.clone()];
        if let Some(first) = contest.first {
            let first = stats("FINISHED", first, contest.nameless);
            told.extend([first.clone(), processing.clone(), first, processing]);
        }
        told.push(last);
        self.found.stats.insert(key(contest), told);
        let ended = if contest.fails() { Ended::Failed } else { Ended::Succeeded };
        self.found.tasks.insert(key(contest), Task { ended, failures: 0 });
        let name = |code: usize| format!("{}-{code:06}", contest.market());
        let state = |code| match code < contest.needed_codes() && !contest.fails() {
            true => CodeState::Reserved,
            false => CodeState::Free,
        };
        let mut codes = (0..contest.selection.codes).map(|code| (name(code), state(code))).collect();
        if !contest.fails() {
            let mut won = 0;
            for fan in &contest.ranked {
                let item = self.item(contest.campaign(), fan);
                if item.verdict == true {
                    continue;
                }
                item.verdict = json!(won < contest.seats);
                if won < contest.seats {
                    let code = contest.selection.shared_code.clone().unwrap_or_else(|| name(won));
                    self.win(contest, fan, &code, &mut codes);
                    won += 1;
                }
            }
        }
        self.found.codes.insert(key(contest), codes);
    }

    fn win(
        &mut self,
        contest: &Contest<'_>,
        fan: &str,
        code: &str,
        codes: &mut std::collections::BTreeMap<String, CodeState>,
    ) {
        let item = self.item(contest.campaign(), fan);
        (item.access_code, item.market) = (Some(code.to_owned()), Some(contest.market().to_owned()));
        let held = EntryCode { market_id: contest.market().to_owned(), value: code.to_owned() };
        let name = (contest.campaign().to_owned(), fan.to_owned());
        if contest.first.is_some_and(|first| contest.ranked.iter().take(first).any(|it| *it == fan)) {
            self.found.first_codes.insert(name.clone(), held.clone());
        }
        self.found.entry_codes.insert(name, held);
        if contest.selection.shared_code.is_none() {
            codes.insert(code.to_owned(), CodeState::Assigned);
        }
    }

    fn item(&mut self, campaign: &str, fan: &str) -> &mut Item {
        self.items.get_mut((campaign, fan)).unwrap()
    }

    fn failures(&self, contests: &[Contest<'_>]) -> Failures {
        let mut failures = Failures::default();
        check(contests, &self.items, &self.found, &mut failures);
        failures
    }

    /// Spoils a right outcome; checks that exactly these failures are found, by kind and subject.
    #[track_caller]
    fn finds(contests: &[Contest<'_>], spoil: impl FnOnce(&mut Self), expected: &[(Kind, &str)]) {
        let mut run = Self::new(contests);
        spoil(&mut run);
        let failures = run.failures(contests);
        let lines = failures.lines();
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
        for (kind, subject) in expected {
            let found = failures.of(*kind).iter().any(|failure| failure.subject == *subject);
            assert!(found, "{kind:?} of {subject} is not among {lines:#?}");
        }
    }
}

/// The campaign, a market's winner of this place from the end, and the best fan without a code who named this market.
fn fans(run: &Run, contest: &Contest<'_>, place: usize) -> (String, String) {
    let verdict = |fan: &str| run.items.get((contest.campaign(), fan)).unwrap().clone();
    let won = |fan: &&&str| verdict(fan).market.as_deref() == Some(contest.market());
    let winner = contest.ranked.iter().rev().filter(won).nth(place).unwrap();
    let loser = contest.ranked.iter().find(|fan| verdict(fan).verdict == false).unwrap();
    (winner.to_string(), loser.to_string())
}

#[test]
fn a_right_outcome_has_no_failures() {
    for seed in 1..6 {
        let world = generate(2_000, seed);
        let contests = Contest::all(&world);
        let run = Run::new(&contests);
        assert_eq!(run.failures(&contests).lines(), [""; 0]);
        let outcomes = check(&contests, &run.items, &run.found, &mut Failures::default());
        for (outcome, contest) in outcomes.iter().zip(&contests) {
            let winners = if contest.fails() { 0 } else { contest.seats };
            assert_eq!((outcome.market.as_str(), outcome.winners), (contest.market(), winners));
            assert_eq!(outcome.stats.as_ref().unwrap().processed, winners);
        }
    }
}

#[test]
fn a_verdict_that_is_missing_or_wrong_is_found() {
    let world = world();
    let contests = Contest::all(&world);
    let contest = &contests[UNIQUE];
    let (winner, loser) = fans(&Run::new(&contests), contest, 0);
    let campaign = contest.campaign();
    let subject = entry_name((campaign, &loser));
    Run::finds(&contests, |run| run.item(campaign, &loser).verdict = Value::Null, &[(Kind::Verdict, &subject)]);
    Run::finds(&contests, |run| run.item(campaign, &loser).verdict = json!(true), &[(Kind::Verdict, &subject)]);
    Run::finds(&contests, |run| run.item(campaign, &loser).verdict = json!("LOSER"), &[(Kind::Verdict, &subject)]);
    let nobody = |fan: &&&str| contests.iter().all(|it| it.fails() || !it.ranked.contains(*fan));
    let unjudged = contests[FAILED].ranked.iter().find(nobody).unwrap();
    let subject = entry_name((campaign, unjudged));
    Run::finds(&contests, |run| run.item(campaign, unjudged).verdict = json!(false), &[(Kind::Verdict, &subject)]);
    let (subject, code) = (entry_name((campaign, &winner)), code_of(&contests, &winner));
    let missing = [(Kind::Code, subject.as_str()), (Kind::Code, &code)];
    Run::finds(&contests, |run| run.item(campaign, &winner).access_code = None, &missing);
}

#[test]
fn a_rejected_fan_who_is_judged_or_wins_is_found() {
    let world = world();
    let contests = Contest::all(&world);
    let (contest, campaign) = (&contests[UNIQUE], contests[UNIQUE].campaign());
    let rejected = world
        .fans_of(campaign, contest.market())
        .into_iter()
        .find(|fan| world.scores.iter().any(|it| it.rejected && it.global_user_id.as_deref() == Some(fan)));
    let rejected = rejected.unwrap();
    let subject = entry_name((campaign, rejected));
    let put = |item: Item| move |run: &mut Run| run.items.insert(campaign, rejected, item);
    Run::finds(&contests, put(Item::default()), &[]);
    let lost = Item { verdict: json!(false), ..Item::default() };
    Run::finds(&contests, put(lost), &[(Kind::Verdict, &subject)]);
    let market = Some(contest.market().to_owned());
    let won = Item { verdict: json!(true), market, ..Item::default() };
    Run::finds(&contests, put(won), &[(Kind::Winner, &subject)]);
}

/// The code of a winner.
fn code_of(contests: &[Contest<'_>], fan: &str) -> String {
    let run = Run::new(contests);
    run.items.get((contests[UNIQUE].campaign(), fan)).unwrap().access_code.clone().unwrap()
}

#[test]
fn a_winner_who_is_not_among_the_best_is_found() {
    let world = world();
    let contests = vec![Contest::all(&world).remove(UNIQUE)];
    let contest = &contests[0];
    let campaign = contest.campaign();
    let (winner, loser) = fans(&Run::new(&contests), contest, 3);
    let swap = |run: &mut Run| {
        let (code, name) = (run.item(campaign, &winner).access_code.take(), (campaign.to_owned(), winner.clone()));
        (run.item(campaign, &winner).verdict, run.item(campaign, &winner).market) = (json!(false), None);
        let item = run.item(campaign, &loser);
        (item.verdict, item.access_code, item.market) = (json!(true), code, Some(contest.market().to_owned()));
        let held = run.found.entry_codes.remove(&name).unwrap();
        run.found.entry_codes.insert((campaign.to_owned(), loser.clone()), held);
    };
    // One of the two is named.
    let mut run = Run::new(&contests);
    swap(&mut run);
    let failures = run.failures(&contests);
    let named = failures.of(Kind::Winner);
    assert_eq!((failures.lines().len(), named.len()), (1, 1), "{:?}", failures.lines());
    assert!([&winner, &loser].iter().any(|fan| named[0].subject == entry_name((campaign, fan))));
}

#[test]
fn a_seat_that_is_empty_without_a_reason_is_found() {
    let world = world();
    let contests = vec![Contest::all(&world).remove(UNIQUE)];
    Run::finds(&contests, |run| empty_last(run, &contests[0]), &[(Kind::Winner, contests[0].market())]);
}

/// Takes the code from the last winner of the only market.
fn empty_last(run: &mut Run, contest: &Contest<'_>) {
    let (last, _) = fans(run, contest, 0);
    let name = (contest.campaign().to_owned(), last.clone());
    let code = run.item(contest.campaign(), &last).access_code.clone().unwrap();
    *run.item(contest.campaign(), &last) = Item { verdict: json!(false), ..Item::default() };
    run.found.entry_codes.remove(&name);
    run.found.codes.get_mut(&key(contest)).unwrap().insert(code, CodeState::Reserved);
}

#[test]
fn what_two_tasks_and_a_later_one_should_not_do_is_found() {
    let world = scenario_1(200, 5, true);
    let contests = Contest::all(&world);
    let contest = &contests[0];
    assert_eq!((contest.first, contest.seats, contest.needed_codes()), (Some(50), 75, 500));
    let twice = scenario_1(2_000, 5, true);
    let reserves_twice = &Contest::all(&twice)[0];
    let (first, seats, codes) = (reserves_twice.first, reserves_twice.seats, reserves_twice.needed_codes());
    assert_eq!((first, seats, codes, reserves_twice.fails()), (Some(400), 600, 900, false));
    Run::finds(&contests, |_| {}, &[]);
    let name = |place: usize| (contest.campaign().to_owned(), contest.ranked[place].to_owned());
    let subject = |place: usize| entry_name((contest.campaign(), contest.ranked[place]));
    let early = |run: &mut Run| {
        let code = run.found.entry_codes[&name(50)].clone();
        run.found.first_codes.insert(name(50), code);
    };
    Run::finds(&contests, early, &[(Kind::Winner, &subject(50))]);
    let late = |run: &mut Run| drop(run.found.first_codes.remove(&name(49)));
    Run::finds(&contests, late, &[(Kind::Winner, &subject(49))]);
    let other = |run: &mut Run| run.found.first_codes.get_mut(&name(7)).unwrap().value = "OTHER".to_owned();
    Run::finds(&contests, other, &[(Kind::Code, &subject(7))]);
    let wrong = [(Kind::Stats, contest.market())];
    let stats =
        |change: fn(&mut Vec<Stats>)| move |run: &mut Run| change(run.found.stats.get_mut(&key(contest)).unwrap());
    Run::finds(&contests, stats(|told| told[4].processed += 1), &wrong);
    Run::finds(&contests, stats(|told| drop(told.remove(4))), &wrong);
    Run::finds(&contests, stats(|told| told.extend([told[4].clone(), told[6].clone()])), &wrong);
    Run::finds(&contests, stats(|told| told[6] = told[4].clone()), &wrong);
}

#[test]
fn a_code_with_the_wrong_fan_or_with_none_is_found() {
    let world = world();
    let contests = Contest::all(&world);
    let contest = &contests[UNIQUE];
    let (campaign, market) = (contest.campaign(), contest.market());
    let (winner, loser) = fans(&Run::new(&contests), contest, 0);
    let (other, _) = fans(&Run::new(&contests), contest, 1);
    let names = [&winner, &loser, &other].map(|fan| entry_name((campaign, fan)));
    let [of_winner, of_loser, of_other] = names.each_ref().map(String::as_str);
    let (code, others) = (code_of(&contests, &winner), code_of(&contests, &other));

    let gift = |run: &mut Run| run.item(campaign, &loser).access_code = Some("NOBODYS-CODE".to_owned());
    Run::finds(&contests, gift, &[(Kind::Code, of_loser)]);

    let twins = |run: &mut Run| run.item(campaign, &winner).access_code = Some(others.clone());
    // Both hold it; the Entry Service says otherwise; and the one's own is with nobody.
    let expected = [(Kind::Code, of_winner), (Kind::Code, of_other), (Kind::Code, of_winner), (Kind::Code, &code)];
    Run::finds(&contests, twins, &expected);

    let name = (campaign.to_owned(), winner.clone());
    let lost = |run: &mut Run| drop(run.found.entry_codes.remove(&name));
    Run::finds(&contests, lost, &[(Kind::Code, of_winner)]);

    let held = EntryCode { market_id: market.to_owned(), value: "NOBODYS-CODE".to_owned() };
    let only_there = |run: &mut Run| drop(run.found.entry_codes.insert((campaign.to_owned(), loser.clone()), held));
    Run::finds(&contests, only_there, &[(Kind::Code, of_loser)]);

    let state = |state| {
        let code = code.clone();
        move |run: &mut Run| *run.found.codes.get_mut(&key(contest)).unwrap().get_mut(&code).unwrap() = state
    };
    Run::finds(&contests, state(CodeState::Reserved), &[(Kind::Code, of_winner)]);
    Run::finds(&contests, state(CodeState::Free), &[(Kind::Code, of_winner), (Kind::Code, market)]);

    let spare = format!("{market}-{:06}", contest.selection.codes - 1);
    let leak = |run: &mut Run| {
        run.found.codes.get_mut(&key(contest)).unwrap().insert(spare.clone(), CodeState::Assigned);
    };
    Run::finds(&contests, leak, &[(Kind::Code, &spare), (Kind::Code, market)]);

    let shared = contests.iter().find(|it| it.selection.shared_code.is_some()).unwrap();
    let (sharer, _) = fans(&Run::new(&contests), shared, 0);
    let own = |run: &mut Run| {
        run.item(campaign, &sharer).access_code = Some("OWN".to_owned());
        run.found.entry_codes.get_mut(&(campaign.to_owned(), sharer.clone())).unwrap().value = "OWN".to_owned();
    };
    Run::finds(&contests, own, &[(Kind::Code, &entry_name((campaign, &sharer)))]);

    let violate = |run: &mut Run| run.found.violations.push("code x was handed out twice".to_owned());
    Run::finds(&contests, violate, &[(Kind::Code, "a service")]);
}

#[test]
fn a_market_that_failed_gives_nobody_a_code() {
    let world = world();
    let contests = Contest::all(&world);
    let failed = &contests[FAILED];
    assert!(failed.fails());
    let nobody = |fan: &&&str| contests.iter().all(|it| it.fails() || !it.ranked.contains(*fan));
    let fan = failed.ranked.iter().find(nobody).unwrap();
    let win = |run: &mut Run| {
        let item = run.item(failed.campaign(), fan);
        (item.verdict, item.access_code, item.market) =
            (json!(true), Some("X".to_owned()), Some(failed.market().to_owned()));
    };
    let subject = entry_name((failed.campaign(), fan));
    Run::finds(&contests, win, &[(Kind::Verdict, &subject)]);
    let code = format!("{}-{:06}", failed.market(), 0);
    let reserve = |run: &mut Run| {
        run.found.codes.get_mut(&key(failed)).unwrap().insert(code.clone(), CodeState::Reserved);
    };
    Run::finds(&contests, reserve, &[(Kind::Code, failed.market())]);
}

#[test]
fn a_wrong_report_is_found() {
    let world = world();
    let contests = Contest::all(&world);
    let (contest, failed) = (&contests[UNIQUE], &contests[FAILED]);
    let market = contest.market();
    let stats =
        |change: fn(&mut Vec<Stats>)| move |run: &mut Run| change(run.found.stats.get_mut(&key(contest)).unwrap());
    let wrong = [(Kind::Stats, market)];
    Run::finds(&contests, stats(|told| told.clear()), &wrong);
    Run::finds(&contests, stats(|told| told.truncate(1)), &wrong);
    Run::finds(&contests, stats(|told| drop(told.drain(..2))), &wrong);
    Run::finds(&contests, stats(|told| told[1].total += 1), &wrong);
    Run::finds(&contests, stats(|told| told[2].processed -= 1), &wrong);
    Run::finds(&contests, stats(|told| told[2].failed += 1), &wrong);
    Run::finds(&contests, stats(|told| told[2].status = "FAILED".to_owned()), &wrong);
    let finish = |run: &mut Run| run.found.stats.get_mut(&key(failed)).unwrap()[2].status = "FINISHED".to_owned();
    Run::finds(&contests, finish, &[(Kind::Stats, failed.market())]);
    let never = |run: &mut Run| run.found.tasks.get_mut(&key(contest)).unwrap().ended = Ended::Never;
    Run::finds(&contests, never, &[(Kind::Task, market)]);

    // An attempt that failed and was repeated has told so.
    let repeated = |failures, disturbed| {
        move |run: &mut Run| {
            run.found.tasks.get_mut(&key(contest)).unwrap().failures = failures;
            run.found.disturbed = disturbed;
            let told = run.found.stats.get_mut(&key(contest)).unwrap();
            let failed = Stats { status: "FAILED".to_owned(), total: 0, processed: 0, failed: 0 };
            told.splice(0..0, [failed]);
        }
    };
    // An attempt that waited for its market has not failed.
    Run::finds(&contests, repeated(0, false), &[(Kind::Stats, market)]);
    Run::finds(&contests, repeated(1, false), &[]);
    Run::finds(&contests, repeated(0, true), &[]);
}

#[test]
fn a_needless_and_a_missing_replication_are_found() {
    let world = world();
    let contests = Contest::all(&world);
    let contest = &contests[UNIQUE];
    let (winner, _) = fans(&Run::new(&contests), contest, 0);
    let name = (contest.campaign().to_owned(), winner.clone());
    let subject = entry_name((contest.campaign(), &winner));
    for (after, changed, found) in [(2, false, false), (3, false, true), (3, true, false), (2, true, true)] {
        let sent = |run: &mut Run| *run.found.sent.get_mut(&name).unwrap() = Sent { before: 2, after, changed };
        let expected = [(Kind::Resent, subject.as_str())];
        Run::finds(&contests, sent, &expected[..usize::from(found)]);
    }
}

#[test]
fn whatever_inject_spoils_is_found() {
    let world = world();
    let contests = Contest::all(&world);
    let mut run = Run::new(&contests);
    let spoils = Spoils::choose(&contests, &run.items).unwrap();
    for update in spoils.updates(&contests, &run.items).unwrap() {
        let fan = update.key.sk.trim_start_matches("USER#");
        let campaign = update.key.pk.trim_start_matches("CAMPAIGN#").to_owned();
        let item = run.item(&campaign, fan);
        for (path, value) in &update.set {
            let value: Value = serde_json::from_str(value).unwrap();
            match path.as_str() {
                "verdict" => item.verdict = value,
                "accessCode" => item.access_code = value.as_str().map(str::to_owned),
                _ => item.market = value.as_str().map(str::to_owned),
            }
        }
        for path in &update.remove {
            match path.as_str() {
                "verdict" => item.verdict = Value::Null,
                "accessCode" => item.access_code = None,
                _ => item.market = None,
            }
        }
    }
    let failures = run.failures(&contests);
    for (fault, kind, subject) in spoils.faults() {
        let found = failures.of(kind).iter().any(|failure| failure.subject == subject);
        assert!(found, "{fault} of {subject} is not among {:#?}", failures.lines());
    }
}
