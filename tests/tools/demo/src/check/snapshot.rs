//! The contents of services and table, read over their own interfaces.

use super::Name;
use crate::gateway::Gateway;
use crate::generate::World;
use crate::progress::Progress;
use crate::resolver::TABLE;
use crate::services::Services;
use anyhow::{Context, Result};
use host_adapters_records::table::Query;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const PAGE: u32 = 500;

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The entries of the Entry Service.
    pub entries: ByEntry<StoredEntry>,
    /// The entries in the table.
    pub items: ByEntry<Item>,
    /// The profiles of the User Service, by globalUserId.
    pub profiles: BTreeMap<String, Map<String, Value>>,
    /// Entries of the Entry Service without a score: campaign and fan.
    pub unscored: Vec<(String, String)>,
    /// The number of messages in each dead letter queue.
    pub dead_letters: BTreeMap<String, u64>,
}

/// An entry in the Entry Service.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEntry {
    /// `version`.
    pub version: String,
    /// `fields`.
    pub fields: Value,
    /// `linkedFrom`.
    pub linked_from: Option<String>,
}

/// An entry in the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// `date.updated`.
    pub version: String,
    /// `needsReplication`.
    pub flagged: bool,
    /// `fields`, parsed.
    pub fields: Value,
    /// `verdict`; null where there is none.
    pub verdict: Value,
    /// `accessCode`.
    pub access_code: Option<String>,
    /// `marketId`, the market won.
    pub market: Option<String>,
}

/// Values by campaign and fan.
#[derive(Clone, Debug)]
pub struct ByEntry<T>(BTreeMap<String, BTreeMap<String, T>>);

impl<T> Default for ByEntry<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> ByEntry<T> {
    /// The value of an entry.
    pub fn get(&self, (campaign, fan): Name<'_>) -> Option<&T> {
        self.0.get(campaign)?.get(fan)
    }

    /// Adds a value.
    pub fn insert(&mut self, campaign: &str, fan: &str, value: T) {
        self.0.entry(campaign.to_owned()).or_default().insert(fan.to_owned(), value);
    }

    /// The names of all entries with a value.
    pub fn names(&self) -> impl Iterator<Item = Name<'_>> {
        self.0.iter().flat_map(|(campaign, fans)| fans.keys().map(move |fan| (campaign.as_str(), fan.as_str())))
    }

    /// The values of a campaign, by fan.
    pub fn of(&self, campaign: &str) -> impl Iterator<Item = (&str, &T)> {
        self.0.get(campaign).into_iter().flatten().map(|(fan, value)| (fan.as_str(), value))
    }

    #[cfg(test)]
    pub fn remove(&mut self, (campaign, fan): Name<'_>) -> Option<T> {
        self.0.get_mut(campaign)?.remove(fan)
    }

    #[cfg(test)]
    pub fn get_mut(&mut self, (campaign, fan): Name<'_>) -> Option<&mut T> {
        self.0.get_mut(campaign)?.get_mut(fan)
    }
}

impl Snapshot {
    /// Reads everything.
    pub async fn read(
        world: &World,
        services: &Services,
        checker: &Gateway,
        operator: &Gateway,
        progress: &Progress,
    ) -> Result<Self> {
        let mut campaigns: BTreeSet<String> = world.campaign_ids().map(str::to_owned).collect();
        campaigns.extend(services.campaigns_of_entries().await?);
        let bar = progress.bar("reading what is held", campaigns.len());
        let mut snapshot = Self::default();
        for campaign in &campaigns {
            for entry in services.entries(campaign).await? {
                let (fan, held) = held(entry).with_context(|| format!("an entry of {campaign} is none"))?;
                snapshot.entries.insert(campaign, &fan, held);
            }
            for (fan, item) in items(checker, campaign).await? {
                snapshot.items.insert(campaign, &fan, item);
            }
            bar.inc(1);
        }
        for profile in services.profiles().await? {
            let Value::Object(profile) = profile else { continue };
            let id = profile.get("globalUserId").and_then(Value::as_str).unwrap_or_default().to_owned();
            snapshot.profiles.insert(id, profile);
        }
        snapshot.unscored = services.unscored().await?;
        let queues = operator.queues().await?.into_iter().filter(|queue| queue.is_dead_letter());
        snapshot.dead_letters = queues.map(|queue| (queue.name.clone(), queue.total())).collect();
        bar.finish_and_clear();
        Ok(snapshot)
    }
}

impl Item {
    fn new(item: &Value) -> Self {
        let fields = text(item, "/fields").and_then(|fields| serde_json::from_str(&fields).ok());
        Self {
            version: text(item, "/date/updated").unwrap_or_default(),
            flagged: item.get("needsReplication") == Some(&Value::Bool(true)),
            fields: fields.unwrap_or_default(),
            verdict: item.get("verdict").cloned().unwrap_or_default(),
            access_code: text(item, "/accessCode"),
            market: text(item, "/marketId"),
        }
    }
}

/// The number of entries of the world's campaigns that are still flagged in the table.
pub async fn flagged(world: &World, checker: &Gateway) -> Result<usize> {
    let mut count = 0;
    for campaign in world.campaign_ids() {
        count += items(checker, campaign).await?.iter().filter(|(_, item)| item.flagged).count();
    }
    Ok(count)
}

fn held(mut entry: Value) -> Option<(String, StoredEntry)> {
    let fan = text(&entry, "/globalUserId")?;
    let (version, linked_from) = (text(&entry, "/version")?, text(&entry, "/linkedFrom"));
    Some((fan, StoredEntry { version, fields: entry.get_mut("fields")?.take(), linked_from }))
}

/// A campaign's entries in the table, by fan.
pub async fn items(checker: &Gateway, campaign: &str) -> Result<Vec<(String, Item)>> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let pk = format!("CAMPAIGN#{campaign}");
        let query = Query { table: TABLE.to_owned(), pk, prefix: "USER#".to_owned(), after, limit: PAGE };
        let page = checker.call(&query).await?;
        for item in &page.items {
            let item: Value = serde_json::from_str(item).context("an item of the table is not JSON")?;
            items.push((text(&item, "/globalUserId").unwrap_or_default(), Item::new(&item)));
        }
        after = page.next;
        if after.is_none() {
            return Ok(items);
        }
    }
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().map(str::to_owned)
}
