//! The records that are queued, and what the event log must have of them.

use crate::generate::{Expected, World};
use crate::load::Outcome;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The queue of all types.
pub const QUEUE: &str = "dataQueue";
/// The version of what the seeder queues; entries have their dates instead.
const VERSION: u64 = 1;
/// When it was changed. Without a time, a message that is sent again, because a crash took the response, would have another.
const UPDATED: &str = "2026-01-01T00:00:00.000Z";

/// A type of record.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    Campaign,
    EventMapping,
    Market,
    RegisteredMarket,
    Registration,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Campaign, Self::EventMapping, Self::Market, Self::RegisteredMarket, Self::Registration];

    /// The name in `type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Campaign => "CAMPAIGN",
            Self::EventMapping => "EVENT_MAPPING",
            Self::Market => "MARKET",
            Self::RegisteredMarket => "REGISTERED_MARKET",
            Self::Registration => "REGISTRATION",
        }
    }

    /// The topic of the event log (data flow, "Kafka Topics").
    pub fn topic(self) -> &'static str {
        match self {
            Self::Campaign => "prd2011.dmnd.campaigns",
            Self::EventMapping => "prd2011.dmnd.event-mappings",
            Self::Market => "prd2011.dmnd.markets",
            Self::RegisteredMarket => "prd2011.dmnd.registered-markets",
            Self::Registration => "prd2011.dmnd.registrations",
        }
    }

    /// Its schema.
    pub fn schema(self) -> &'static str {
        match self {
            Self::Campaign => include_str!("../../../../../schemas/pipeline/campaign.json"),
            Self::EventMapping => include_str!("../../../../../schemas/pipeline/event-mapping.json"),
            Self::Market => include_str!("../../../../../schemas/pipeline/market.json"),
            Self::RegisteredMarket => include_str!("../../../../../schemas/pipeline/registered-market.json"),
            Self::Registration => include_str!("../../../../../schemas/pipeline/registration.json"),
        }
    }
}

/// A record that the event log must have.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// Its type.
    pub kind: Kind,
    /// The campaign.
    pub key: String,
    /// Members of `data`, which are there as they are here.
    pub data: Map<String, Value>,
    /// When its entry was handed to the table, milliseconds since 1970 (UTC).
    pub at_ms: Option<i64>,
}

/// What the seeder queues, with its dedup identifier. Documents that lack what a record needs are left out: those of
/// `--input` may.
pub fn seeded(world: &World) -> Vec<(String, Due, Value)> {
    let campaigns =
        world.campaigns.iter().filter(|it| has(it, &["/slug", "/name", "/status", "/date/open", "/date/close"]));
    let campaigns = campaigns.filter_map(|campaign| {
        let id = text(campaign, "id")?;
        Some(record(Kind::Campaign, id, id.to_owned(), campaign.clone()))
    });
    let markets = world.markets.iter().filter_map(of_market).flatten();
    campaigns.chain(markets).collect()
}

/// The records of a market: itself, the event that it is of, and its numbers before anyone has registered.
fn of_market(market: &Value) -> Option<[(String, Due, Value); 3]> {
    let (id, campaign, event) = (text(market, "id")?, text(market, "campaignId")?, text(market, "eventId")?);
    let has_seats = has(market, &["/capacity"]) != has(market, &["/selectionRatio"]);
    if !has_seats || !has(market, &["/name", "/ticketer", "/timeZone", "/date/presale"]) {
        return None;
    }
    let mapping = json!({"campaignId": campaign, "marketId": id, "eventId": event});
    let numbers = json!({"campaignId": campaign, "marketId": id, "stats": {"totalRegistrations": 0}});
    Some([
        record(Kind::Market, campaign, id.to_owned(), market.clone()),
        record(Kind::EventMapping, campaign, joined(&[campaign, id, event]), mapping),
        record(Kind::RegisteredMarket, campaign, joined(&[campaign, id]), numbers),
    ])
}

fn record(kind: Kind, key: &str, entity: String, data: Value) -> (String, Due, Value) {
    let data = with(with(data, "version", VERSION.into()), "updatedAt", UPDATED.into());
    // A record has more of most documents; what names them is enough here.
    let kept = ["id", "name", "campaignId", "marketId", "eventId", "stats", "capacity", "version"];
    let members = data.as_object().into_iter().flatten();
    let members = members.filter(|(name, _)| kept.contains(&name.as_str()));
    let members = members.map(|(name, value)| (name.clone(), value.clone())).collect();
    let due = Due { kind, key: key.to_owned(), data: members, at_ms: None };
    (format!("{}:{entity}:{VERSION}", kind.name()), due, data)
}

/// The dedup identifier of an entry's version.
pub fn registration_id(campaign: &str, fan: &str, version: &str) -> String {
    format!("{}:{}:{version}", Kind::Registration.name(), joined(&[campaign, fan]))
}

/// The message about an entry, as the resolver queues it.
pub fn registration(item: &str) -> String {
    body(Kind::Registration, item)
}

/// The message about data, as JSON text.
pub fn body(kind: Kind, data: &str) -> String {
    format!(r#"{{"type":"{}","data":{data}}}"#, kind.name())
}

/// Everything that the event log must have, by the dedup identifiers.
pub fn all(world: &World, outcomes: &[Option<&Outcome>]) -> BTreeMap<String, Due> {
    let seeded = seeded(world).into_iter().map(|(id, due, _)| (id, due));
    let registrations = world.registrations.iter().zip(outcomes).filter_map(|(registration, outcome)| {
        let (written, campaign) = (outcome.as_ref()?.written.as_ref()?, registration.campaign_id.as_deref()?);
        let Expected::Eligible { fields, .. } = &registration.expected else { return None };
        let data = json!({"campaignId": campaign, "globalUserId": registration.fan, "fields": fields});
        let due = Due {
            kind: Kind::Registration,
            key: campaign.to_owned(),
            data: data.as_object().cloned().unwrap_or_default(),
            at_ms: Some(written.at_ms),
        };
        Some((registration_id(campaign, &registration.fan, &written.version), due))
    });
    seeded.chain(registrations).collect()
}

/// Records of which the event log must have nothing. Each is wrong in another way.
pub fn invalid() -> Vec<String> {
    let registration = json!({"campaignId": "invalid", "globalUserId": "invalid", "fields": {}, "version": 1});
    let wrong = |name, value| body(Kind::Registration, &with(registration.clone(), name, value).to_string());
    vec![
        json!({"type": "VENUE", "data": {"id": "invalid", "version": 1}}).to_string(),
        json!({"data": registration}).to_string(),
        json!({"type": "REGISTRATION", "data": {}}).to_string(),
        "invalid".to_owned(),
        wrong("globalUserId", Value::Null),
        wrong("fields", json!("not a form")),
        wrong("score", json!("high")),
        wrong("version", json!(-1)),
        body(Kind::Market, r#"{"id":"invalid","campaignId":"invalid","version":1}"#),
    ]
}

/// A document with another member.
fn with(mut document: Value, name: &str, value: Value) -> Value {
    document.as_object_mut().into_iter().for_each(|members| _ = members.insert(name.to_owned(), value.clone()));
    document
}

/// Whether a document has all of these members.
fn has(document: &Value, pointers: &[&str]) -> bool {
    pointers.iter().all(|pointer| document.pointer(pointer).is_some_and(|value| !value.is_null()))
}

fn text<'v>(document: &'v Value, name: &str) -> Option<&'v str> {
    document.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Ids as one, so that no two entities have the same.
fn joined(ids: &[&str]) -> String {
    let ids: Vec<_> = ids.iter().map(|id| id.replace('%', "%25").replace('/', "%2F")).collect();
    ids.join("/")
}
