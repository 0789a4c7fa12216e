//! Markets of a campaign: `schemas/domain/market.json`.

use chrono::{DateTime, Utc};
use host_adapters_json::lenient::optional_whole;
use serde::{Deserialize, Serialize};

/// A market: one event of a campaign, for which fans win codes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Market {
    /// Its id.
    pub id: String,
    /// The campaign it belongs to.
    pub campaign_id: String,
    /// The event whose presale the codes open.
    pub event_id: String,
    /// Its name for people.
    pub name: String,
    /// With `TM` all winners share one code; with any other value each needs their own code.
    pub ticketer: String,
    /// How many fans can win.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_whole")]
    pub capacity: Option<u64>,
    /// The share of the eligible fans that can win, above 0 and at most 1; instead of a capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection_ratio: Option<f64>,
    /// The code that all winners share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_code: Option<String>,
    /// IANA name of the market's time zone.
    pub time_zone: String,
    /// Its times.
    pub date: MarketDates,
    /// Switches of other workers.
    #[serde(default)]
    pub options: crate::campaign::Options,
}

/// The times of a market.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct MarketDates {
    /// When the presale starts.
    pub presale: DateTime<Utc>,
    /// When reminders are to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<DateTime<Utc>>,
    /// When the reminders were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified: Option<DateTime<Utc>>,
}
