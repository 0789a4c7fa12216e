//! Compares the results of the selections with the expected ones: who won, with which code, and what was reported. No
//! I/O.

use super::found::{CodeState, Ended, Found, Stats, Task};
use super::rank::{Contest, out_of_order, taken_elsewhere};
use crate::check::{ByEntry, Failures, Item, Kind, Name, entry_name};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The result of one market, for the summary.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The market.
    pub market: String,
    /// The last report.
    pub stats: Option<Stats>,
    /// The fans with its code in the table.
    pub winners: usize,
    /// Its other fans with the verdict `false`.
    pub losers: usize,
}

/// What the checks look at.
struct Checks<'a> {
    contests: &'a [Contest<'a>],
    items: &'a ByEntry<Item>,
    found: &'a Found,
    /// By campaign and fan, the market whose code the table has with the verdict `true`.
    winners: HashMap<Name<'a>, &'a str>,
}

/// Compares everything; returns the result of each market.
pub fn check(contests: &[Contest<'_>], items: &ByEntry<Item>, found: &Found, failures: &mut Failures) -> Vec<Outcome> {
    let won = |name| items.get(name).filter(|item| item.verdict == true).and_then(|item| item.market.as_deref());
    let winners = items.names().filter_map(|name| Some((name, won(name)?))).collect();
    let checks = Checks { contests, items, found, winners };
    checks.verdicts(failures);
    checks.shared_by_two(failures);
    for contest in contests {
        checks.order(contest, failures);
        checks.first_codes(contest, failures);
        checks.code_service(contest, failures);
        checks.stats(contest, failures);
    }
    checks.sent(failures);
    found.violations.iter().for_each(|violation| failures.add(Kind::Code, "a service", violation));
    contests.iter().map(|contest| checks.outcome(contest)).collect()
}

impl Checks<'_> {
    /// Every fan has the verdict that is due, winners a code of their market, and nobody else a code.
    fn verdicts(&self, failures: &mut Failures) {
        let mut markets = HashMap::<Name<'_>, Vec<&Contest<'_>>>::new();
        for contest in self.contests {
            contest.ranked.iter().for_each(|fan| markets.entry((contest.campaign(), fan)).or_default().push(contest));
        }
        let none = Vec::new();
        for name in self.items.names() {
            let Some(item) = self.items.get(name) else { continue };
            let entered = markets.get(&name).unwrap_or(&none);
            match self.winners.get(&name) {
                Some(market) => self.winner(name, item, entered.iter().find(|it| it.market() == *market), failures),
                None => loser(name, item, entered.iter().any(|it| !it.fails()), failures),
            }
        }
        for (campaign, fan) in self.found.entry_codes.keys() {
            if !self.winners.contains_key(&(campaign.as_str(), fan.as_str())) {
                failures.add(
                    Kind::Code,
                    entry_name((campaign, fan)),
                    "the Entry Service has a code, the table no winner",
                );
            }
        }
    }

    fn winner(&self, name: Name<'_>, item: &Item, contest: Option<&&Contest<'_>>, failures: &mut Failures) {
        let mut add = |kind, detail: String| failures.add(kind, entry_name(name), detail);
        let market = item.market.as_deref().unwrap_or_default();
        let Some(contest) = contest else {
            return add(Kind::Winner, format!("it won {market}, for which it is not eligible"));
        };
        if contest.fails() {
            return add(Kind::Verdict, format!("it won {market}, whose selection should have failed"));
        }
        let Some(code) = item.access_code.as_deref() else {
            return add(Kind::Code, "it won and has no code".to_owned());
        };
        let key = (name.0.to_owned(), name.1.to_owned());
        match self.found.entry_codes.get(&key) {
            Some(it) if it.market_id == market && it.value == code => {}
            Some(it) => add(
                Kind::Code,
                format!("the table has {code} of {market}, the Entry Service {} of {}", it.value, it.market_id),
            ),
            None => add(Kind::Code, format!("the table has {code}, the Entry Service none")),
        }
        match &contest.selection.shared_code {
            Some(shared) if shared != code => add(Kind::Code, format!("it has {code}, not the shared {shared}")),
            Some(_) => {}
            None => match self.codes_of(contest).and_then(|codes| codes.get(code)) {
                Some(CodeState::Assigned) => {}
                Some(state) => add(Kind::Code, format!("the Code Service has {code} as {state:?}, not as assigned")),
                None => add(Kind::Code, format!("the Code Service has no {code} of {market}")),
            },
        }
    }

    /// No code is with two fans, but for the shared ones.
    fn shared_by_two(&self, failures: &mut Failures) {
        let shared: HashSet<&str> = self.contests.iter().filter_map(|it| it.selection.shared_code.as_deref()).collect();
        let mut holders = BTreeMap::<&str, Vec<Name<'_>>>::new();
        for name in self.items.names() {
            if let Some(code) = self.items.get(name).and_then(|item| item.access_code.as_deref()) {
                holders.entry(code).or_default().push(name);
            }
        }
        for (code, names) in holders.into_iter().filter(|(code, names)| names.len() > 1 && !shared.contains(code)) {
            for name in &names {
                failures.add(Kind::Code, entry_name(*name), format!("{} fans have its code {code}", names.len()));
            }
        }
    }

    /// The winners are exactly the best: whoever has no code ranks below all winners of the markets that the entry names,
    /// and a seat is empty only where a better fan has won another market.
    fn order(&self, contest: &Contest<'_>, failures: &mut Failures) {
        if contest.fails() {
            return;
        }
        let (campaign, market) = (contest.campaign(), contest.market());
        let won = |fan: &str| self.winners.get(&(campaign, fan)).copied();
        let (wins, free) = (|fan: &str| won(fan) == Some(market), |fan: &str| won(fan).is_none());
        for fan in out_of_order(&contest.ranked, wins, free) {
            let detail = match wins(fan) {
                true => format!("it won {market}, and a better fan has no code"),
                false => format!("it has no code, and a worse fan won {market}"),
            };
            failures.add(Kind::Winner, entry_name((campaign, fan)), detail);
        }
        let winners = contest.ranked.iter().filter(|fan| wins(fan)).count();
        let elsewhere = |fan: &str| !free(fan) && !wins(fan);
        let explained = taken_elsewhere(&contest.ranked, elsewhere, free);
        if winners > contest.seats || winners + explained < contest.seats {
            let detail =
                format!("{winners} fans have won {} seats, and {explained} better ones another market", contest.seats);
            failures.add(Kind::Winner, market, detail);
        }
    }

    /// Where a later task follows, exactly the best had codes before, and they have the same ones in the end.
    fn first_codes(&self, contest: &Contest<'_>, failures: &mut Failures) {
        let Some(first) = contest.first else { return };
        for (place, fan) in contest.ranked.iter().enumerate() {
            let name = (contest.campaign().to_owned(), (*fan).to_owned());
            let mut add = |kind, detail: &str| failures.add(kind, entry_name((&name.0, &name.1)), detail);
            match self.found.first_codes.get(&name) {
                None if place < first => add(Kind::Winner, "it had no code after the first tasks"),
                Some(_) if place >= first => {
                    add(Kind::Winner, "it had a code after the first tasks, which it did not win")
                }
                Some(code) if self.found.entry_codes.get(&name) != Some(code) => {
                    add(Kind::Code, "it has not the code that it had after the first tasks");
                }
                _ => {}
            }
        }
    }

    /// No code is lost between the Code Service and the table.
    fn code_service(&self, contest: &Contest<'_>, failures: &mut Failures) {
        let Some(codes) = self.codes_of(contest) else { return };
        let holders: HashSet<&str> =
            self.items.of(contest.campaign()).filter_map(|(_, item)| item.access_code.as_deref()).collect();
        let mut reserved = 0;
        for (code, state) in codes {
            reserved += usize::from(matches!(state, CodeState::Reserved | CodeState::Assigned));
            if *state == CodeState::Assigned && !holders.contains(code.as_str()) {
                failures.add(Kind::Code, code, "the Code Service has it as assigned, and no fan has it");
            }
        }
        let due = if contest.fails() { 0 } else { contest.needed_codes() };
        if reserved != due {
            failures.add(Kind::Code, contest.market(), format!("{reserved} codes are reserved or assigned, not {due}"));
        }
    }

    /// First PROCESSING, last FINISHED or FAILED, each with the right numbers however often it was told. Only an attempt that
    /// failed and was repeated may have told FAILED in between. Where a later task follows, each of the first two has told
    /// FINISHED with their winners before it told of more.
    fn stats(&self, contest: &Contest<'_>, failures: &mut Failures) {
        let key = key(contest);
        let told = self.found.stats.get(&key).map(Vec::as_slice).unwrap_or_default();
        let stats = |status: &str, processed, failed| Stats {
            status: status.to_owned(),
            total: contest.total(),
            processed,
            failed,
        };
        let [first, failed] = ["PROCESSING", "FAILED"].map(|status| stats(status, 0, 0));
        let last = if contest.fails() { failed } else { stats("FINISHED", contest.seats, contest.nameless) };
        let earlier = contest.first.map(|seats| stats("FINISHED", seats, contest.nameless));
        let Task { ended, failures: failed_attempts } = self.found.tasks.get(&key).copied().unwrap_or_default();
        // That of a market which must fail is the last.
        let may_fail = failed_attempts > u32::from(contest.fails()) || self.found.disturbed;
        let between = |it: &Stats| {
            let is_due = [Some(&first), Some(&last), earlier.as_ref()].contains(&Some(it));
            is_due || (may_fail && it.status == "FAILED")
        };
        // An attempt may fail before it knows anything.
        let begun = told.iter().find(|it| !may_fail || it.status != "FAILED");
        let right = begun == Some(&first) && told.last() == Some(&last) && told.iter().all(between);
        let right = right && earlier.as_ref().is_none_or(|earlier| tells_twice_before(earlier, &last, told));
        if !right {
            failures.add(
                Kind::Stats,
                contest.market(),
                format!("the reports are {told:?}, not {first:?}, twice {earlier:?} if it is there, and {last:?}"),
            );
        }
        let due = if contest.fails() { Ended::Failed } else { Ended::Succeeded };
        if ended != due {
            failures.add(Kind::Task, contest.market(), format!("its task is {ended:?}, not {due:?}"));
        }
    }

    /// A verdict is not replicated; a change is.
    fn sent(&self, failures: &mut Failures) {
        let mut sent: Vec<_> = self.found.sent.iter().collect();
        sent.sort_unstable_by_key(|(name, _)| *name);
        for ((campaign, fan), sent) in sent {
            let times = sent.after.saturating_sub(sent.before);
            if (times > 0) != sent.changed {
                let changed = if sent.changed { "changed" } else { "did not change" };
                let detail = format!("its fan {changed} it during the selection, and it was sent {times} times");
                failures.add(Kind::Resent, entry_name((campaign, fan)), detail);
            }
        }
    }

    fn outcome(&self, contest: &Contest<'_>) -> Outcome {
        let won = |fan: &&&str| self.winners.get(&(contest.campaign(), **fan)) == Some(&contest.market());
        let lost = |fan: &&&str| self.items.get((contest.campaign(), fan)).is_some_and(|item| item.verdict == false);
        Outcome {
            market: contest.market().to_owned(),
            stats: self.found.stats.get(&key(contest)).and_then(|told| told.last().cloned()),
            winners: contest.ranked.iter().filter(won).count(),
            losers: contest.ranked.iter().filter(lost).count(),
        }
    }

    fn codes_of(&self, contest: &Contest<'_>) -> Option<&BTreeMap<String, CodeState>> {
        self.found.codes.get(&key(contest))
    }
}

/// Whether `earlier` is told at least twice, and never after `last`.
fn tells_twice_before(earlier: &Stats, last: &Stats, told: &[Stats]) -> bool {
    let begun = told.iter().position(|it| it == last).unwrap_or(told.len());
    let (before, after) = told.split_at(begun);
    before.iter().filter(|it| *it == earlier).count() >= 2 && !after.contains(earlier)
}

/// Checks a fan who did not win; `judged` if a market that the entry names was selected.
fn loser(name: Name<'_>, item: &Item, judged: bool, failures: &mut Failures) {
    let due = if judged { json!(false) } else { Value::Null };
    if item.verdict != due {
        failures.add(Kind::Verdict, entry_name(name), format!("the verdict is {}, not {due}", item.verdict));
    }
    if let Some(code) = &item.access_code {
        failures.add(Kind::Code, entry_name(name), format!("it did not win and has the code {code}"));
    } else if let Some(market) = &item.market {
        failures.add(Kind::Verdict, entry_name(name), format!("it did not win and has the market {market}"));
    }
}

fn key(contest: &Contest<'_>) -> (String, String) {
    (contest.campaign().to_owned(), contest.market().to_owned())
}
