//! The records that are queued, and what the event log must have of them.

use super::schema::Schemas;
use crate::generate::{Expected, World};
use crate::load::Outcome;
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

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

/// What is queued of a document: its dedup identifier, what the event log must have, and `data`.
type Seeded = (String, Due, Value);

/// The records that the seeder queues. Documents that make no valid record are left out; `--input` may have such.
///
/// # Errors
/// When a schema cannot be understood.
pub fn seeded(world: &World) -> Result<Vec<Seeded>> {
    let (schemas, mut seeded) = (Schemas::read()?, Vec::new());
    for campaign in &world.campaigns {
        let Some(id) = text(campaign, "id") else { continue };
        let of_campaign = record(Kind::Campaign, id, id.to_owned(), campaign.clone());
        if is_valid(&schemas, &of_campaign)? {
            seeded.push(of_campaign);
        }
    }
    for market in &world.markets {
        let Some(of_market) = of_market(market) else { continue };
        let [itself, ..] = &of_market;
        if is_valid(&schemas, itself)? {
            seeded.extend(of_market);
        }
    }
    Ok(seeded)
}

/// Whether what the workers make of a document's `data` is valid under the schema of its type.
fn is_valid(schemas: &Schemas, (_, due, data): &Seeded) -> Result<bool> {
    let published = schemas.members(due.kind)?;
    let members = data.as_object().into_iter().flatten();
    let members = members.filter(|(name, value)| published.contains_key(*name) && !value.is_null());
    let mut record: Map<String, Value> = members.map(|(name, value)| (name.clone(), value.clone())).collect();
    record.insert("recordId".to_owned(), "any".into());
    if due.kind == Kind::Campaign && record.get("status").and_then(Value::as_str) == Some("OPEN") {
        record.insert("status".to_owned(), "ACTIVE".into());
    }
    if let Some(date) = record.entry("date").or_insert_with(|| json!({})).as_object_mut() {
        date.retain(|_, time| !time.is_null());
        date.entry("updated").or_insert_with(|| UPDATED.into());
        if let Some(created) = data.get("createdAt").filter(|time| !time.is_null()) {
            date.entry("created").or_insert_with(|| created.clone());
        }
    }
    Ok(schemas.faults(due.kind, &Value::Object(record))?.is_empty())
}

/// The campaigns whose data is not published.
fn off(world: &World) -> BTreeSet<&str> {
    let is_off = |campaign: &&Value| campaign.pointer("/options/dataPipeline") == Some(&Value::Bool(false));
    world.campaigns.iter().filter(is_off).filter_map(|campaign| text(campaign, "id")).collect()
}

/// The records of a market: itself, the event that it is of, and its numbers before anyone has registered.
fn of_market(market: &Value) -> Option<[Seeded; 3]> {
    let (id, campaign, event) = (text(market, "id")?, text(market, "campaignId")?, text(market, "eventId")?);
    let mapping = json!({"campaignId": campaign, "marketId": id, "eventId": event});
    let numbers = json!({"campaignId": campaign, "marketId": id, "stats": {"totalRegistrations": 0}});
    Some([
        record(Kind::Market, campaign, id.to_owned(), market.clone()),
        record(Kind::EventMapping, campaign, joined(&[campaign, id, event]), mapping),
        record(Kind::RegisteredMarket, campaign, joined(&[campaign, id]), numbers),
    ])
}

fn record(kind: Kind, key: &str, entity: String, data: Value) -> Seeded {
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

/// Everything that the event log must have, by the dedup identifiers: nothing of a campaign whose data is not published.
///
/// # Errors
/// When a schema cannot be understood.
pub fn all(world: &World, outcomes: &[Option<&Outcome>]) -> Result<BTreeMap<String, Due>> {
    let off = off(world);
    let seeded = seeded(world)?.into_iter().map(|(id, due, _)| (id, due));
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
    Ok(seeded.chain(registrations).filter(|(_, due)| !off.contains(due.key.as_str())).collect())
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

fn text<'v>(document: &'v Value, name: &str) -> Option<&'v str> {
    document.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Ids as one, so that no two entities have the same.
fn joined(ids: &[&str]) -> String {
    let ids: Vec<_> = ids.iter().map(|id| id.replace('%', "%25").replace('/', "%2F")).collect();
    ids.join("/")
}
