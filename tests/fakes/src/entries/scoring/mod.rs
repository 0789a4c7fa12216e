//! Scoring records: which fans are eligible for a market, in which order, and the codes that they have won.

mod campaign;
mod record;
mod scored;

pub(crate) use campaign::{Rank, Who};
pub use record::WonCode;
pub(crate) use record::{Code, Given};
use scored::Name;

use crate::violations::Violations;
use campaign::Campaign;
use record::Entered;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The scoring records of all campaigns, each market's in order. One code for two fans is a violation, unless it is
/// shared, and so is another code for a fan in the market that the fan has won, and a score that is not of rank 0.
#[derive(Default)]
pub(crate) struct ScoringStore {
    contents: Mutex<Contents>,
    violations: Violations,
}

#[derive(Default)]
struct Contents {
    campaigns: HashMap<String, Campaign>,
    /// Of each code that is not shared, the campaign and the fan that it is assigned to.
    owners: HashMap<String, (String, String)>,
}

/// A code that is to be assigned.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) fan: &'a str,
    pub(crate) code: Code,
    pub(crate) is_shared: bool,
    /// Why it is invalid as it stands.
    pub(crate) fault: Option<String>,
}

/// The result of assigning a code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Assigned,
    Unassigned,
    Held,
    Unknown,
    Invalid(String),
}

impl ScoringStore {
    pub(crate) fn new(violations: Violations) -> Self {
        Self { violations, ..Self::default() }
    }

    /// Takes an entry that is stored now, or that it is gone.
    pub(crate) fn enter(&self, campaign: &str, fan: &str, entry: Option<&Value>) {
        let entered = entry.map(Entered::read);
        self.lock().campaign(campaign).enter(fan, entered);
    }

    /// Takes a score; returns whether it is held now.
    pub(crate) fn score(&self, campaign: &str, score: &Value) -> bool {
        self.lock().campaign(campaign).score(score)
    }

    /// Notes that a score was sent that is not of rank 0.
    pub(crate) fn judge_rank(&self, campaign: &str, score: &Value) {
        let rank = score.get("rank").unwrap_or(&Value::Null);
        if rank.as_f64() != Some(0.0) {
            let names = Name::all_of(score);
            self.violations.add(format!("a score of rank {rank} in {campaign} was sent, of {names:?}"));
        }
    }

    /// The scores that are held, one a fan.
    pub(crate) fn scores(&self, campaign: &str) -> Vec<Value> {
        self.lock().campaign(campaign).scores.all()
    }

    /// Takes a record, also of a fan without an entry, or without a globalUserId.
    pub(crate) fn give(&self, campaign: &str, given: Given) {
        self.lock().campaign(campaign).give(given);
    }

    /// The fans whose codes are refused from now on.
    pub(crate) fn refuse(&self, campaign: &str, fans: HashSet<String>) {
        self.lock().campaign(campaign).refused = fans;
    }

    /// How many records are eligible for a market.
    pub(crate) fn eligible(&self, campaign: &str, market: &str) -> usize {
        self.lock().campaign(campaign).eligible(market)
    }

    /// At most `limit` records of a market without a code behind a place, best first, each with its place.
    pub(crate) fn unassigned(
        &self,
        campaign: &str,
        market: &str,
        after: Option<Rank>,
        limit: usize,
    ) -> Vec<(Rank, Value)> {
        let mut contents = self.lock();
        let records = contents.campaign(campaign).unassigned(market, after, limit);
        records.into_iter().map(|(rank, record)| (rank.clone(), record.to_json(campaign, market, &rank.who))).collect()
    }

    /// At most `limit` records with a code of a market behind a globalUserId, in their order.
    pub(crate) fn assigned(&self, campaign: &str, market: &str, after: &str, limit: usize) -> Vec<(String, Value)> {
        let mut contents = self.lock();
        let records = contents.campaign(campaign).assigned(market, after, limit);
        records
            .into_iter()
            .map(|(fan, record)| (fan.clone(), record.to_json(campaign, market, &Who::fan(fan))))
            .collect()
    }

    /// The codes of a campaign's fans, by globalUserId.
    pub(crate) fn codes(&self, campaign: &str) -> Vec<WonCode> {
        self.lock().campaign(campaign).codes()
    }

    /// Assigns codes, all or none; returns the result of each.
    pub(crate) fn assign(&self, campaign: &str, wanted: &[Wanted<'_>]) -> Vec<Outcome> {
        let mut contents = self.lock();
        let (mut outcomes, mut won) = (Vec::new(), Vec::new());
        // Each is judged with those before it in place, because a request can contradict itself.
        for wanted in wanted {
            let outcome = contents.judge(campaign, wanted, &self.violations);
            if outcome.is_none() {
                contents.win(campaign, wanted);
                won.push((outcomes.len(), wanted));
            }
            outcomes.push(outcome.unwrap_or(Outcome::Assigned));
        }
        if outcomes.iter().any(|outcome| *outcome != Outcome::Assigned) {
            for (position, wanted) in won {
                contents.lose(campaign, wanted);
                outcomes.get_mut(position).into_iter().for_each(|outcome| *outcome = Outcome::Unassigned);
            }
        }
        outcomes
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn campaign(&mut self, campaign: &str) -> &mut Campaign {
        self.campaigns.entry(campaign.to_owned()).or_default()
    }

    /// What becomes of a code by itself; nothing yet if it can be assigned.
    fn judge(&mut self, campaign: &str, wanted: &Wanted<'_>, violations: &Violations) -> Option<Outcome> {
        let Wanted { fan, code, is_shared, fault } = wanted;
        if let Some(fault) = fault {
            return Some(Outcome::Invalid(fault.clone()));
        }
        let owner = self.owners.get(&code.value).filter(|_| !is_shared).cloned();
        let records = self.campaign(campaign);
        let Some(record) = records.known(fan) else { return Some(Outcome::Unknown) };
        if let Some(held) = &record.code {
            if held == code {
                return Some(Outcome::Assigned);
            }
            if held.market_id == code.market_id {
                let (held, code) = (&held.value, &code.value);
                violations.add(format!("fan {fan} of {campaign} has the code {held} and was to have {code}"));
            }
            return Some(Outcome::Held);
        }
        if records.refused.contains(*fan) {
            return Some(Outcome::Invalid("refused on demand".to_owned()));
        }
        let (of, owner) = owner?;
        let code = &code.value;
        violations.add(format!("the code {code} of fan {owner} of {of} was to be fan {fan}'s of {campaign}, too"));
        Some(Outcome::Invalid("the code is another fan's".to_owned()))
    }

    fn win(&mut self, campaign: &str, Wanted { fan, code, is_shared, .. }: &Wanted<'_>) {
        if !is_shared {
            self.owners.insert(code.value.clone(), (campaign.to_owned(), (*fan).to_owned()));
        }
        self.campaign(campaign).change(&Who::fan(fan), |record| record.code = Some(code.clone()));
    }

    fn lose(&mut self, campaign: &str, Wanted { fan, code, .. }: &Wanted<'_>) {
        self.owners.remove(&code.value);
        self.campaign(campaign).change(&Who::fan(fan), |record| record.code = None);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(record: Value) -> Given {
        serde_json::from_value(record).unwrap()
    }

    /// A store with fans a to d, who are all eligible for markets m and n.
    fn store() -> ScoringStore {
        let store = ScoringStore::default();
        for (fan, score) in [("a", 3), ("b", 2), ("c", 1), ("d", 0)] {
            store.give("c", given(json!({ "globalUserId": fan, "score": score, "markets": ["m", "n"] })));
        }
        store
    }

    fn assign(store: &ScoringStore, wanted: &[(&str, &str, &str)]) -> Vec<Outcome> {
        let wanted = wanted.iter().map(|(fan, market, code)| Wanted {
            fan,
            code: Code { market_id: (*market).to_owned(), value: (*code).to_owned() },
            is_shared: code.starts_with("SHARED"),
            fault: None,
        });
        store.assign("c", &wanted.collect::<Vec<_>>())
    }

    fn fans(records: Vec<(Rank, Value)>) -> Vec<String> {
        let name = |value: &Value| value.get("globalUserId").and_then(Value::as_str).unwrap_or("-").to_owned();
        records.iter().map(|(_, record)| name(record)).collect()
    }

    #[test]
    fn codes_are_assigned_to_all_or_to_none() {
        use Outcome::{Assigned, Held, Invalid, Unassigned, Unknown};
        let store = store();
        assert_eq!(assign(&store, &[("a", "m", "1"), ("z", "m", "2")]), [Unassigned, Unknown]);
        assert!(store.codes("c").is_empty());
        assert_eq!(assign(&store, &[("a", "m", "1"), ("b", "m", "2")]), [Assigned, Assigned]);
        assert_eq!(assign(&store, &[("a", "m", "1"), ("c", "m", "3")]), [Assigned, Assigned], "again, and another");
        assert_eq!(assign(&store, &[("d", "m", "4"), ("a", "n", "5"), ("b", "m", "2")]), [Unassigned, Held, Assigned]);
        store.refuse("c", HashSet::from(["d".to_owned()]));
        assert_eq!(assign(&store, &[("d", "m", "4")]), [Invalid("refused on demand".to_owned())]);
        assert!(store.violations.list().is_empty());
        let codes: Vec<_> = store.codes("c").into_iter().map(|won| (won.global_user_id, won.code)).collect();
        assert_eq!(codes, [("a", "1"), ("b", "2"), ("c", "3")].map(|(fan, code)| (fan.to_owned(), code.to_owned())));
    }

    #[test]
    fn a_code_of_two_fans_and_another_code_for_a_fan_are_violations() {
        type Case = (&'static [(&'static str, &'static str, &'static str)], &'static str);
        let cases: [Case; 4] = [
            (&[("b", "m", "1")], "the code 1 of fan a of c was to be fan b's of c, too"),
            (&[("c", "m", "3"), ("d", "m", "3")], "the code 3 of fan c of c was to be fan d's of c, too"),
            (&[("a", "m", "2")], "fan a of c has the code 1 and was to have 2"),
            (&[("c", "m", "3"), ("c", "m", "4")], "fan c of c has the code 3 and was to have 4"),
        ];
        for (wanted, violation) in cases {
            let store = store();
            assign(&store, &[("a", "m", "1")]);
            assert_ne!(assign(&store, wanted).pop(), Some(Outcome::Assigned), "{violation}");
            assert_eq!(store.violations.list(), [violation]);
            assert_eq!(store.codes("c").len(), 1, "nothing changes: {violation}");
        }
    }

    #[test]
    fn a_shared_code_is_for_all() {
        let store = store();
        let all = ["a", "b", "c", "d"].map(|fan| (fan, "m", "SHARED"));
        assert_eq!(assign(&store, &all), vec![Outcome::Assigned; 4]);
        assert!(store.violations.list().is_empty());
    }

    #[test]
    fn the_unassigned_are_in_order_and_the_assigned_by_their_names() {
        let store = ScoringStore::default();
        let at = |n: u32| format!("2026-01-01T00:00:0{n}Z");
        for (fan, score, registered) in
            [("late", 5.0, 2), ("b", 5.0, 1), ("a", 5.0, 1), ("best", 5.5, 3), ("worst", -1.0, 1), ("none", 0.0, 1)]
        {
            let record =
                json!({ "globalUserId": fan, "score": score, "registeredAt": at(registered), "markets": ["m"] });
            store.give("c", given(record));
        }
        store.give("c", given(json!({ "memberId": "x", "score": 5.2, "markets": ["m"] })));
        let order = ["best", "-", "a", "b", "late", "none", "worst"];
        assert_eq!(fans(store.unassigned("c", "m", None, 99)), order);
        let (mut after, mut seen) = (None, Vec::new());
        while seen.len() < order.len() {
            let page = store.unassigned("c", "m", after, 2);
            after = page.last().map(|(rank, _)| rank.clone());
            seen.extend(fans(page));
        }
        assert_eq!(seen, order);

        assign(&store, &[("worst", "m", "1"), ("b", "m", "2")]);
        assert_eq!(fans(store.unassigned("c", "m", None, 99)), ["best", "-", "a", "late", "none"]);
        let assigned = |after| store.assigned("c", "m", after, 1).into_iter().map(|(fan, _)| fan).collect::<Vec<_>>();
        assert_eq!((assigned(""), assigned("b"), assigned("worst")), (vec!["b".into()], vec!["worst".into()], vec![]));
        assert_eq!(store.eligible("c", "m"), 7);
    }

    #[test]
    fn a_place_is_found_again_although_the_record_is_gone_from_it() {
        let store = store();
        let (place, _) = store.unassigned("c", "m", None, 2).pop().unwrap();
        assign(&store, &[("b", "m", "1")]);
        let place = serde_json::from_str(&serde_json::to_string(&place).unwrap()).unwrap();
        assert_eq!(fans(store.unassigned("c", "m", Some(place), 9)), ["c", "d"]);
    }

    #[test]
    fn an_entry_makes_its_fan_eligible_for_its_markets_with_the_score_that_was_given() {
        let store = ScoringStore::default();
        let entry = |markets: Value| {
            json!({ "memberId": "x", "fields": { "markets": markets }, "score": 7,
                    "date": { "created": "2026-01-01T00:00:00.001Z", "updated": "2026-02-01T00:00:00.000Z" } })
        };
        store.enter("c", "u", Some(&entry(json!(["m", "n"]))));
        let record = |market| store.unassigned("c", market, None, 9).pop().map(|(_, record)| record);
        let told = json!({ "campaignId": "c", "marketId": "m", "globalUserId": "u", "memberId": "x", "score": 7,
                           "registeredAt": "2026-01-01T00:00:00.001Z" });
        assert_eq!(record("m"), Some(told));
        store.give("c", given(json!({ "globalUserId": "u", "score": 9.5, "phoneNumber": "+15551234567" })));
        store.enter("c", "u", Some(&entry(json!(["n"]))));
        assert_eq!((record("m"), store.eligible("c", "m"), store.eligible("c", "n")), (None, 0, 1));
        let told = record("n").unwrap();
        assert_eq!((&told["score"], &told["phoneNumber"]), (&json!(9.5), &json!("+15551234567")));

        assign(&store, &[("u", "n", "1")]);
        let (_, won) = store.assigned("c", "n", "", 9).pop().unwrap();
        assert_eq!((&won["verdict"], &won["code"]), (&json!(true), &json!({ "marketId": "n", "value": "1" })));
        assert_eq!((store.eligible("c", "n"), record("n")), (1, None));
        assert_eq!(won.get("removed"), None);
    }

    #[test]
    fn a_score_that_was_sent_is_its_fans_and_a_rejected_fan_is_not_eligible() {
        let store = ScoringStore::default();
        let score = |names: Value, sequencer: &str, score: i32| {
            let verification = if score > 0 { "verified" } else { "rejected" };
            let mut sent = json!({ "sequencer": sequencer, "score": score, "verification": verification, "rank": 0 });
            names.as_object().unwrap().iter().for_each(|(name, value)| sent[name] = value.clone());
            assert!(store.score("c", &sent));
        };
        let entry = |member: &str, email: &str| json!({ "memberId": member, "fields": { "markets": ["m"], "email": email }, "score": 1 });
        let listed = || {
            let records = store.unassigned("c", "m", None, 9).into_iter();
            let told = |record: &Value| format!("{} {}", record["globalUserId"].as_str().unwrap(), record["score"]);
            records.map(|(_, record)| told(&record)).collect::<Vec<_>>()
        };
        // Before the entries come, and after.
        score(json!({ "memberId": "m1" }), "1", 5);
        for (fan, member, email) in [("a", "m1", "a@example.com"), ("b", "m2", "B@example.com"), ("c", "m3", "c")] {
            store.enter("c", fan, Some(&entry(member, email)));
        }
        score(json!({ "email": "b@example.com" }), "1", 9);
        assert_eq!(listed(), ["b 9", "a 5", "c 1"]);
        store.give("c", given(json!({ "globalUserId": "a", "score": 99 })));
        store.give("c", given(json!({ "globalUserId": "c", "score": 7 })));
        assert_eq!(listed(), ["b 9", "c 7", "a 5"], "what the control API gives counts where no score was sent");
        score(json!({ "memberId": "m2", "email": "b@example.com" }), "2", -1);
        assert_eq!((listed(), store.eligible("c", "m")), (vec!["c 7".into(), "a 5".into()], 2));
        score(json!({ "globalUserId": "b", "memberId": "m2" }), "3", 6);
        assert_eq!(listed(), ["c 7", "b 6", "a 5"]);
        assert_eq!(store.scores("c").len(), 2);
    }

    #[test]
    fn a_score_that_is_not_of_rank_0_is_a_violation() {
        let store = ScoringStore::default();
        for rank in [json!(0), json!(0.0), json!(1), Value::Null] {
            store.judge_rank("c", &json!({ "memberId": "m", "rank": rank }));
        }
        let sent = |rank| format!(r#"a score of rank {rank} in c was sent, of {{Member("m")}}"#);
        assert_eq!(store.violations.list(), [sent("1"), sent("null")]);
    }

    #[test]
    fn a_code_stays_its_fans_when_the_entry_is_deleted_and_when_the_fan_enters_again() {
        let store = store();
        let entry = json!({ "fields": { "markets": ["m"] } });
        store.enter("c", "u", Some(&entry));
        assign(&store, &[("u", "m", "1")]);
        let listed = || store.assigned("c", "m", "", 9).pop().map(|(_, record)| record).unwrap();
        store.enter("c", "u", None);
        assert_eq!((&listed()["code"]["value"], &listed()["removed"]), (&json!("1"), &json!(true)));
        assert_eq!(fans(store.unassigned("c", "m", None, 9)), ["a", "b", "c", "d"]);
        assert_eq!(store.eligible("c", "m"), 4, "it is not eligible");
        assert_eq!(assign(&store, &[("u", "m", "1")]), [Outcome::Unknown]);
        store.enter("c", "u", Some(&entry));
        assert_eq!((&listed()["code"]["value"], listed().get("removed")), (&json!("1"), None));
        assert_eq!((store.eligible("c", "m"), store.unassigned("c", "m", None, 9).len()), (5, 4));
        assert_eq!(assign(&store, &[("u", "m", "1")]), [Outcome::Assigned]);
        assert!(store.violations.list().is_empty());
    }

    #[test]
    fn the_code_of_a_fan_who_has_left_is_refused_to_another_and_that_is_a_violation() {
        let store = store();
        store.enter("c", "u", Some(&json!({ "fields": { "markets": ["m"] } })));
        assign(&store, &[("u", "m", "1")]);
        store.enter("c", "u", None);
        assert_eq!(assign(&store, &[("a", "m", "1")]), [Outcome::Invalid("the code is another fan's".to_owned())]);
        assert_eq!(store.violations.list(), ["the code 1 of fan u of c was to be fan a's of c, too"]);
    }

    #[test]
    fn each_of_many_records_is_on_one_page_while_others_win() {
        let store = ScoringStore::default();
        for n in 0..50_000 {
            let record = json!({ "globalUserId": format!("u{n:05}"), "score": n % 1_000, "markets": ["m"] });
            store.give("c", given(record));
        }
        let (mut after, mut seen) = (None, HashSet::new());
        loop {
            let page = store.unassigned("c", "m", after, 1_000);
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            let page = fans(page);
            assign(&store, &[(&page[0], "m", &page[0])]);
            page.into_iter().for_each(|fan| assert!(seen.insert(fan)));
        }
        assert_eq!((seen.len(), store.codes("c").len()), (50_000, 50));
    }
}
