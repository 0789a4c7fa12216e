//! The invariants of the small world, whatever has failed.

use super::{Message, World};
use crate::plan::Head;
use std::collections::{BTreeMap, BTreeSet};
use worker_kit::platform::table::Key;

/// What a task has told its fans: the code of each winner, and `None` for each loser.
pub type Verdicts = BTreeMap<String, Option<String>>;

impl World {
    /// What each task has told. A fan who is told twice is told the same.
    pub fn verdicts(&self) -> BTreeMap<String, Verdicts> {
        let mut tasks = BTreeMap::<_, Verdicts>::new();
        for Message { task_id, campaign_id, market_id, fan, verdict, code } in self.messages() {
            assert_eq!((campaign_id.as_str(), market_id.as_str()), ("c", "m"));
            assert_eq!(verdict, code.is_some(), "winners have codes, losers none");
            let told = tasks.entry(task_id).or_default().insert(fan.clone(), code.clone());
            assert!(told.as_ref().is_none_or(|told| *told == code), "{fan} was told {told:?}, then {code:?}");
        }
        tasks
    }

    /// The market's list.
    pub fn heads(&self) -> Vec<Head> {
        let key = Key { pk: "CAMPAIGN#c".to_owned(), sk: "SELECTION#m".to_owned() };
        let heads = self.table.borrow().get(&key).and_then(|item| item.get("plans")).cloned();
        heads.map(|heads| serde_json::from_value(heads).unwrap()).unwrap_or_default()
    }

    /// The winners of the market's plans, by plan, with their codes.
    pub fn plans(&self) -> BTreeMap<String, Vec<(String, String)>> {
        let (table, heads) = (self.table.borrow(), self.heads());
        let key = |sk: String| Key { pk: "CAMPAIGN#c".to_owned(), sk };
        let plan = |head: Head| {
            let page = |page| &table[&key(format!("PLAN#m#{}#{}-{page}", head.task_id, head.fence))]["winners"];
            let winners =
                (0..head.pages).flat_map(|index| -> Vec<_> { serde_json::from_value(page(index).clone()).unwrap() });
            (head.task_id.clone(), winners.collect::<Vec<_>>())
        };
        let count = heads.len();
        let plans: BTreeMap<_, _> = heads.into_iter().map(plan).collect();
        assert_eq!(plans.len(), count, "a task has one plan");
        plans
    }

    /// Pages that belong to no plan.
    pub fn orphans(&self) -> Vec<String> {
        let (table, heads) = (self.table.borrow(), self.heads());
        let names: Vec<_> = heads.iter().map(|head| format!("PLAN#m#{}#{}-", head.task_id, head.fence)).collect();
        let pages = table.keys().map(|key| key.sk.clone()).filter(|sk| sk.starts_with("PLAN#"));
        pages.filter(|sk| !names.iter().any(|name| sk.starts_with(name))).collect()
    }

    /// The fans who win if `count` in all may win: the best of those who are in no plan and have no code.
    pub fn best(&self, count: usize) -> Vec<String> {
        let (planned, held) = (self.planned(), self.held.borrow());
        let open = self.ranking().into_iter().filter(|fan| !planned.contains(fan) && !held.contains_key(fan));
        open.take(count.saturating_sub(planned.len())).collect()
    }

    fn planned(&self) -> BTreeSet<String> {
        self.plans().into_values().flatten().map(|(fan, _)| fan).collect()
    }

    /// What a task that has finished has told: all of its winners, with the codes of its plan, and every other fan who has
    /// neither won nor a code.
    pub fn check_told(&self, task: &str) {
        let (plans, verdicts) = (self.plans(), self.verdicts());
        let told = verdicts.get(task).cloned().unwrap_or_default();
        for (fan, code) in &plans[task] {
            assert_eq!(told.get(fan), Some(&Some(code.clone())), "{fan} has won");
        }
        let winners = told.values().filter(|code| code.is_some()).count();
        assert_eq!(winners, plans[task].len(), "nobody else is told to have won");
        let (planned, held) = (self.planned(), self.held.borrow());
        for fan in self.ranking().iter().filter(|fan| !planned.contains(*fan) && !held.contains_key(*fan)) {
            assert_eq!(told.get(fan), Some(&None), "{fan} has lost");
        }
    }

    /// The winners of all plans are told.
    pub fn check_all_told(&self) {
        assert!(self.heads().iter().all(|plan| plan.queued), "{:?}", self.heads());
        self.check_queued();
    }

    /// The winners are told of each plan of which the list says so.
    fn check_queued(&self) {
        let (plans, verdicts) = (self.plans(), self.verdicts());
        for Head { task_id, .. } in self.heads().into_iter().filter(|plan| plan.queued) {
            for (fan, code) in &plans[&task_id] {
                let told = verdicts.get(&task_id).and_then(|told| told.get(fan));
                assert_eq!(told, Some(&Some(code.clone())), "{fan} has won in task {task_id}");
            }
        }
    }

    /// What holds at any time: nobody wins twice, no code is two fans', and each is reserved.
    pub fn check_sound(&self) {
        self.check_queued();
        let (mut winners, mut owners) = (BTreeSet::new(), BTreeMap::new());
        let held = self.held.borrow();
        for (fan, code) in self.plans().into_values().flatten() {
            assert!(winners.insert(fan.clone()), "{fan} has won twice");
            // The code of a winner who got another one, or who left without one, is free for the next winner.
            let is_open = !self.is_removed(&fan);
            if held.get(&fan).map_or(is_open, |held| *held == code) {
                let other = owners.insert(code.clone(), fan.clone());
                assert_eq!(other, None, "{code} is {fan}'s, too");
            }
            let pool = self.pool.borrow();
            let known = pool.iter().find(|(known, _)| *known == code);
            assert!(known.is_some_and(|(_, state)| *state != super::State::Free), "{code} is not reserved");
        }
        let (plans, verdicts) = (self.plans(), self.verdicts());
        for (task, told) in verdicts {
            let plan: BTreeMap<_, _> = plans[&task].iter().cloned().collect();
            for (fan, code) in told {
                assert_eq!(plan.get(&fan), code.as_ref(), "{task} has told {fan} what is not its plan");
            }
        }
    }
}
