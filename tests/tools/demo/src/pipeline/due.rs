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

/// What comes of a world's documents.
#[derive(Debug, Default)]
pub struct Documents {
    /// The records that the seeder queues.
    pub records: Vec<Seeded>,
    /// Documents of which no valid record can be made, each with why. They are not queued. `--input` may have such.
    pub left_out: Vec<String>,
}

/// The records that the seeder queues.
///
/// # Errors
/// When a schema cannot be understood.
pub fn seeded(world: &World) -> Result<Documents> {
    let (schemas, mut documents) = (Schemas::read()?, Documents::default());
    for campaign in &world.campaigns {
        let of_campaign = text(campaign, "id").map(|id| of_campaign(&schemas, id, campaign)).transpose()?;
        documents.add(&schemas, of_campaign.map(|it| [it]), campaign)?;
    }
    for market in &world.markets {
        let ids = ["id", "campaignId", "eventId"].map(|name| text(market, name));
        let of_market = match ids {
            [Some(id), Some(campaign), Some(event)] => Some(of_market(&schemas, [id, campaign, event], market)?),
            _ => None,
        };
        documents.add(&schemas, of_market, market)?;
    }
    Ok(documents)
}

impl Documents {
    /// Adds the records of a document, unless there are none, or the first, which is its own, is not valid.
    fn add<const N: usize>(&mut self, schemas: &Schemas, of: Option<[Seeded; N]>, document: &Value) -> Result<()> {
        let faults = match of.as_ref().and_then(|records| records.first()) {
            Some((_, due, _)) => due.faults(schemas)?,
            None => vec!["an id is missing".to_owned()],
        };
        if faults.is_empty() {
            self.records.extend(of.into_iter().flatten());
        } else {
            self.left_out.push(format!("no valid record can be made of {document}: {}", faults.join("; ")));
        }
        Ok(())
    }
}

impl Due {
    /// What is wrong with the record, by the schema of its type.
    fn faults(&self, schemas: &Schemas) -> Result<Vec<String>> {
        let mut record = self.data.clone();
        record.insert("recordId".to_owned(), "any".into());
        schemas.faults(self.kind, &Value::Object(record))
    }
}

/// What the workers make of a document, apart from its record id.
fn published(schemas: &Schemas, kind: Kind, document: &Value) -> Result<Map<String, Value>> {
    let mut data = document.as_object().cloned().unwrap_or_default();
    data.retain(|_, value| !value.is_null());
    let times = [("created", "createdAt"), ("updated", "updatedAt")].map(|(name, at)| (name, data.get(at).cloned()));
    if let Some(date) = data.entry("date").or_insert_with(|| json!({})).as_object_mut() {
        date.retain(|_, time| !time.is_null());
        for (name, time) in times {
            time.into_iter().for_each(|time| _ = date.entry(name).or_insert(time));
        }
    }
    if kind == Kind::Campaign && data.get("status").is_some_and(|status| status == "OPEN") {
        data.insert("status".to_owned(), "ACTIVE".into());
    }
    schemas.published(kind, &data)
}

/// The campaigns whose data is not published.
fn off(world: &World) -> BTreeSet<&str> {
    let is_off = |campaign: &&Value| campaign.pointer("/options/dataPipeline") == Some(&Value::Bool(false));
    world.campaigns.iter().filter(is_off).filter_map(|campaign| text(campaign, "id")).collect()
}

fn of_campaign(schemas: &Schemas, id: &str, campaign: &Value) -> Result<Seeded> {
    record(schemas, Kind::Campaign, id, id.to_owned(), campaign.clone())
}

/// The records of a market: itself, the event that it is of, and its numbers before anyone has registered.
fn of_market(schemas: &Schemas, [id, campaign, event]: [&str; 3], market: &Value) -> Result<[Seeded; 3]> {
    let mapping = json!({"campaignId": campaign, "marketId": id, "eventId": event});
    let numbers = json!({"campaignId": campaign, "marketId": id, "stats": {"totalRegistrations": 0}});
    Ok([
        record(schemas, Kind::Market, campaign, id.to_owned(), market.clone())?,
        record(schemas, Kind::EventMapping, campaign, joined(&[campaign, id, event]), mapping)?,
        record(schemas, Kind::RegisteredMarket, campaign, joined(&[campaign, id]), numbers)?,
    ])
}

fn record(schemas: &Schemas, kind: Kind, key: &str, entity: String, data: Value) -> Result<Seeded> {
    let data = with(with(data, "version", VERSION.into()), "updatedAt", UPDATED.into());
    let due = Due { kind, key: key.to_owned(), data: published(schemas, kind, &data)?, at_ms: None };
    Ok((format!("{}:{entity}:{VERSION}", kind.name()), due, data))
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
    let seeded = seeded(world)?.records.into_iter().map(|(id, due, _)| (id, due));
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
