//! The scoring records of a campaign, in the order of each market.

use super::record::{Entered, Given, Listing, Record, WonCode};
use super::scored::{Name, Scores};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};

#[derive(Default)]
pub(crate) struct Campaign {
    records: BTreeMap<Who, Record>,
    /// The number of records without a globalUserId.
    nameless: usize,
    markets: HashMap<String, Market>,
    pub(crate) scores: Scores,
    /// The fans whose entries have a name.
    named: HashMap<Name, BTreeSet<String>>,
    /// Fans whose codes are refused.
    pub(crate) refused: HashSet<String>,
}

/// The records of a market. They are kept in order, so that a page costs only its own records.
#[derive(Default)]
struct Market {
    eligible: usize,
    unassigned: BTreeSet<Rank>,
    assigned: BTreeSet<String>,
}

/// Whose record it is.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) enum Who {
    Fan(String),
    /// A record without a globalUserId, by its number.
    Nameless(usize),
}

/// A record's place in its market: the best score first, of equal scores the earliest registration, then by fan.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Rank {
    /// Falls as the score rises.
    height: u64,
    registered_at: DateTime<Utc>,
    pub(crate) who: Who,
}

impl Who {
    pub(crate) fn fan(fan: &str) -> Self {
        Self::Fan(fan.to_owned())
    }
}

impl Rank {
    pub(crate) fn new(score: f64, registered_at: DateTime<Utc>, who: Who) -> Self {
        // The bits of doubles rise with them, of negative ones they fall. -0 is 0.
        let bits = (score + 0.0).to_bits();
        let rising = if score < 0.0 { !bits } else { bits | (1 << 63) };
        Self { height: !rising, registered_at, who }
    }
}

impl Campaign {
    /// Changes a record, and its place in every market.
    pub(crate) fn change(&mut self, who: &Who, change: impl FnOnce(&mut Record)) {
        let record = self.records.entry(who.clone()).or_default();
        let before = record.listing(who);
        change(record);
        if let Who::Fan(fan) = who {
            record.scored = self.scores.of(&record.names(fan)).cloned();
        }
        let after = record.listing(who);
        self.unlist(&before);
        self.list(&after);
    }

    /// Takes the entry of a fan, or that it is gone.
    pub(crate) fn enter(&mut self, fan: &str, entered: Option<Entered>) {
        let who = Who::fan(fan);
        for name in self.records.get(&who).map(|record| record.names(fan)).unwrap_or_default() {
            if let Some(fans) = self.named.get_mut(&name) {
                fans.remove(fan);
            }
        }
        self.change(&who, |record| record.entry = entered);
        for name in self.records.get(&who).map(|record| record.names(fan)).unwrap_or_default() {
            self.named.entry(name).or_default().insert(fan.to_owned());
        }
    }

    /// Takes a score; returns whether it is held now.
    pub(crate) fn score(&mut self, score: &Value) -> bool {
        let (is_held, names) = self.scores.take(score);
        let fans: BTreeSet<_> = names.iter().flat_map(|name| self.named.get(name)).flatten().cloned().collect();
        fans.iter().for_each(|fan| self.change(&Who::fan(fan), |_| ()));
        is_held
    }

    pub(crate) fn give(&mut self, given: Given) {
        let who = given.global_user_id.clone().map_or(Who::Nameless(self.nameless), Who::Fan);
        self.nameless += usize::from(given.global_user_id.is_none());
        self.change(&who, |record| record.given = Some(given));
    }

    /// The record of a fan whom the service knows.
    pub(crate) fn known(&self, fan: &str) -> Option<&Record> {
        self.records.get(&Who::fan(fan)).filter(|record| record.is_known())
    }

    pub(crate) fn eligible(&self, market: &str) -> usize {
        self.markets.get(market).map_or(0, |market| market.eligible)
    }

    pub(crate) fn unassigned(&self, market: &str, after: Option<Rank>, limit: usize) -> Vec<(&Rank, &Record)> {
        let after = after.map_or(Unbounded, Excluded);
        let ranks =
            self.markets.get(market).into_iter().flat_map(|market| market.unassigned.range((after.clone(), Unbounded)));
        ranks.take(limit).filter_map(|rank| Some((rank, self.records.get(&rank.who)?))).collect()
    }

    pub(crate) fn assigned(&self, market: &str, after: &str, limit: usize) -> Vec<(&String, &Record)> {
        let behind = (Excluded(after), Unbounded);
        let fans = self.markets.get(market).into_iter().flat_map(|market| market.assigned.range::<str, _>(behind));
        fans.take(limit).filter_map(|fan| Some((fan, self.records.get(&Who::fan(fan))?))).collect()
    }

    pub(crate) fn codes(&self) -> Vec<WonCode> {
        let won = |(who, record): (&Who, &Record)| match (who, &record.code) {
            (Who::Fan(fan), Some(code)) => Some(WonCode {
                global_user_id: fan.clone(),
                market_id: code.market_id.clone(),
                code: code.value.clone(),
            }),
            _ => None,
        };
        self.records.iter().filter_map(won).collect()
    }

    fn list(&mut self, Listing { rank, markets, won }: &Listing) {
        for market in markets {
            let market = self.markets.entry(market.clone()).or_default();
            market.eligible += 1;
            if won.is_none() {
                market.unassigned.insert(rank.clone());
            }
        }
        if let (Some(market), Who::Fan(fan)) = (won, &rank.who) {
            self.markets.entry(market.clone()).or_default().assigned.insert(fan.clone());
        }
    }

    fn unlist(&mut self, Listing { rank, markets, won }: &Listing) {
        for market in markets {
            let market = self.markets.entry(market.clone()).or_default();
            market.eligible = market.eligible.saturating_sub(1);
            market.unassigned.remove(rank);
        }
        if let (Some(market), Who::Fan(fan)) = (won, &rank.who) {
            self.markets.entry(market.clone()).or_default().assigned.remove(fan);
        }
    }
}
