//! Spoils the outcome of a selection in the table, for `--inject`: a code is with two fans, a loser has a code, a verdict
//! is missing, and a fan has won in place of a better one.

use super::rank::Contest;
use crate::check::{ByEntry, Item, Kind, Name, entry_name};
use crate::gateway::Gateway;
use crate::resolver::{TABLE, again};
use anyhow::{Context, Result};
use host_adapters_records::table::{BatchUpdate, Key, Update};
use serde_json::{Value, json};

/// The fans whose items are spoilt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spoils {
    campaign: String,
    market: String,
    /// A winner who gets the code of another one.
    twin: String,
    /// A loser who gets a code.
    gifted: String,
    /// A loser who loses the verdict, too.
    forgotten: String,
    /// The last winner.
    deposed: String,
    /// A loser who gets what the last winner had.
    upstart: String,
}

impl Spoils {
    /// Chooses them from the fans of the market with codes of its own that has most winners.
    pub fn choose(contests: &[Contest<'_>], items: &ByEntry<Item>) -> Result<Self> {
        let won = |contest: &Contest<'_>, fan: &str| {
            let item = items.get((contest.campaign(), fan));
            item.is_some_and(|it| it.verdict == true && it.market.as_deref() == Some(contest.market()))
        };
        let unique = contests.iter().filter(|it| it.selection.shared_code.is_none());
        let winners = |contest: &&Contest<'_>| contest.ranked.iter().filter(|fan| won(contest, fan)).count();
        let contest = unique.max_by_key(winners).context("no selection can be spoilt")?;
        let lost = |fan: &&&str| items.get((contest.campaign(), fan)).is_some_and(|it| it.verdict == false);
        let mut winners = contest.ranked.iter().filter(|fan| won(contest, fan)).map(ToString::to_string);
        // The worst of all, so that they rank below every winner.
        let mut losers = contest.ranked.iter().rev().filter(lost).map(ToString::to_string);
        let few = "too few fans to spoil a selection";
        let (_first, twin) = (winners.next().context(few)?, winners.next().context(few)?);
        let (gifted, forgotten) = (losers.next().context(few)?, losers.next().context(few)?);
        let (deposed, upstart) = (winners.next_back().context(few)?, losers.next().context(few)?);
        let (campaign, market) = (contest.campaign().to_owned(), contest.market().to_owned());
        Ok(Self { campaign, market, twin, gifted, forgotten, deposed, upstart })
    }

    /// Writes it to the table.
    pub async fn spoil(&self, contests: &[Contest<'_>], items: &ByEntry<Item>, resolver: &Gateway) -> Result<()> {
        let mut attempts = 0;
        let mut updates = self.updates(contests, items).context("the winners have no codes")?;
        while !updates.is_empty() {
            let write = BatchUpdate { table: TABLE.to_owned(), updates };
            let errors = resolver.call(&write).await?;
            updates = again(write.updates.into_iter().zip(errors), &mut attempts).await?;
        }
        Ok(())
    }

    pub(super) fn updates(&self, contests: &[Contest<'_>], items: &ByEntry<Item>) -> Option<Vec<Update>> {
        let code = |fan: &str| items.get((&self.campaign, fan))?.access_code.clone();
        let ranked = &contests.iter().find(|it| it.market() == self.market)?.ranked;
        let first = ranked.iter().find(|fan| **fan != self.twin && code(fan).is_some())?;
        let verdict = |verdict: bool| ("verdict", json!(verdict));
        let access_code = |code: String| ("accessCode", json!(code));
        Some(vec![
            self.update(&self.twin, &[access_code(code(first)?)], &[]),
            self.update(&self.gifted, &[access_code("NOBODYS-CODE".to_owned())], &[]),
            self.update(&self.forgotten, &[], &["verdict"]),
            self.update(
                &self.upstart,
                &[verdict(true), access_code(code(&self.deposed)?), ("marketId", json!(self.market))],
                &[],
            ),
            self.update(&self.deposed, &[verdict(false)], &["accessCode", "marketId"]),
        ])
    }

    fn update(&self, fan: &str, set: &[(&str, Value)], remove: &[&str]) -> Update {
        Update {
            key: Key { pk: format!("CAMPAIGN#{}", self.campaign), sk: format!("USER#{fan}") },
            set: set.iter().map(|(path, value)| ((*path).to_owned(), value.to_string())).collect(),
            increment: Vec::new(),
            remove: remove.iter().map(ToString::to_string).collect(),
            condition: Vec::new(),
        }
    }

    /// Each fault, with the kind and the subject of the failure that should tell of it.
    pub fn faults(&self) -> [(&'static str, Kind, String); 4] {
        let name = |fan: &str| -> String {
            let name: Name<'_> = (&self.campaign, fan);
            entry_name(name)
        };
        [
            ("code with two fans", Kind::Code, name(&self.twin)),
            ("loser with a code", Kind::Code, name(&self.gifted)),
            ("missing verdict", Kind::Verdict, name(&self.forgotten)),
            ("wrong winner", Kind::Winner, name(&self.upstart)),
        ]
    }
}
