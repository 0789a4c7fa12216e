//! One scoring record: the service's data about a fan.

use super::campaign::{Rank, Who};
use super::scored::{Name, Scored};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};
use std::collections::BTreeSet;

/// What the service has of a fan in a campaign.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) entry: Option<Entered>,
    pub(crate) given: Option<Given>,
    /// The score that the service was sent.
    pub(crate) scored: Option<Scored>,
    pub(crate) code: Option<Code>,
}

/// What a stored entry says for a scoring record.
pub(crate) struct Entered {
    member_id: Option<Value>,
    names: BTreeSet<Name>,
    markets: Vec<String>,
    score: Option<Number>,
    registered_at: DateTime<Utc>,
}

/// A record that the control API gives. It is what an entry's fan scored; with markets of its own it needs no entry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Given {
    pub(crate) global_user_id: Option<String>,
    score: Option<Number>,
    registered_at: Option<DateTime<Utc>>,
    market_id: Option<String>,
    markets: Vec<String>,
    /// Told as it is: memberId, phoneNumber, locale.
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// A code of a market.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Code {
    pub(crate) market_id: String,
    pub(crate) value: String,
}

/// A code that a fan has won.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WonCode {
    /// The fan.
    pub global_user_id: String,
    /// The market won.
    pub market_id: String,
    /// The code.
    pub code: String,
}

/// Where a record stands in the order of its markets.
pub(crate) struct Listing {
    pub(crate) rank: Rank,
    /// The markets that it is eligible for: none for a rejected fan.
    pub(crate) markets: BTreeSet<String>,
    /// The market that it has a code of. The code stays the fan's also when the entry is deleted.
    pub(crate) won: Option<String>,
}

impl Given {
    /// The markets that it names by itself.
    fn markets(&self) -> impl Iterator<Item = &String> {
        self.market_id.iter().chain(&self.markets)
    }
}

impl Entered {
    pub(crate) fn read(entry: &Value) -> Self {
        let markets = entry.pointer("/fields/markets").and_then(Value::as_array).into_iter().flatten();
        let at = |pointer| entry.pointer(pointer).and_then(Value::as_str)?.parse().ok();
        Self {
            member_id: entry.get("memberId").cloned(),
            names: Name::all_of(entry),
            markets: markets.filter_map(Value::as_str).map(str::to_owned).collect(),
            score: entry.get("score").and_then(Value::as_number).cloned(),
            registered_at: at("/date/created").or_else(|| at("/date/updated")).unwrap_or_default(),
        }
    }
}

impl Record {
    /// Whether the service knows the fan: by an entry, or by a record with markets of its own.
    pub(crate) fn is_known(&self) -> bool {
        self.entry.is_some() || self.given.as_ref().is_some_and(|given| given.markets().next().is_some())
    }

    /// The names of the fan whose record it is.
    pub(crate) fn names(&self, fan: &str) -> BTreeSet<Name> {
        let entered = self.entry.iter().flat_map(|entry| &entry.names).cloned();
        entered.chain([Name::User(fan.to_owned())]).collect()
    }

    pub(crate) fn listing(&self, who: &Who) -> Listing {
        let is_rejected = self.scored.as_ref().is_some_and(|scored| scored.is_rejected);
        let entered = self.entry.iter().flat_map(|entry| &entry.markets);
        let given = self.given.iter().flat_map(Given::markets);
        let markets = entered.chain(given).filter(|_| !is_rejected).cloned().collect();
        let won = self.code.as_ref().map(|code| code.market_id.clone());
        let score = self.score().as_f64().unwrap_or_default();
        let rank = Rank::new(score, self.registered_at(), who.clone());
        Listing { rank, markets, won }
    }

    /// The record as the contract describes it.
    pub(crate) fn to_json(&self, campaign: &str, market: &str, who: &Who) -> Value {
        let mut record = self.given.as_ref().map(|given| given.more.clone()).unwrap_or_default();
        let mut put = |name: &str, value: Value| drop(record.insert(name.to_owned(), value));
        put("campaignId", campaign.into());
        put("marketId", market.into());
        put("score", self.score().into());
        put("registeredAt", self.registered_at().to_rfc3339_opts(SecondsFormat::AutoSi, true).into());
        if let Who::Fan(fan) = who {
            put("globalUserId", fan.as_str().into());
        }
        if let Some(member_id) = self.entry.as_ref().and_then(|entry| entry.member_id.clone()) {
            put("memberId", member_id);
        }
        if let Some(code) = &self.code {
            put("verdict", true.into());
            put("code", json!(code));
        }
        if !self.is_known() {
            put("removed", true.into());
        }
        record.into()
    }

    fn score(&self) -> Number {
        let scored = self.scored.as_ref().map(|scored| scored.score.clone());
        let given = || self.given.as_ref()?.score.clone();
        let entered = || self.entry.as_ref()?.score.clone();
        scored.or_else(given).or_else(entered).unwrap_or_else(|| Number::from(0))
    }

    fn registered_at(&self) -> DateTime<Utc> {
        let given = self.given.as_ref().and_then(|given| given.registered_at);
        given.or_else(|| Some(self.entry.as_ref()?.registered_at)).unwrap_or_default()
    }
}
