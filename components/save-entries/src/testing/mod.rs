//! A small world for tests: a table, an Entry Service and a queue in memory. A list of choices decides which calls fail
//! and what changes between two calls.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod world;

pub use world::{Change, World};

use crate::plan::Input;
use crate::record::{Item, Record};
use registration::entry::Operation;
use serde_json::{Value, json};
use worker_kit::services::{ResponseSummary, Results};

/// A fan's item in campaign `c`, flagged; `version` is milliseconds after ten o'clock.
pub fn image(fan: &str, version: u32, market: &str) -> Value {
    image_of("c", fan, version, market)
}

/// The same in another campaign.
pub fn image_of(campaign: &str, fan: &str, version: u32, market: &str) -> Value {
    let updated = format!("2024-01-01T10:00:{:02}.{:03}Z", version / 1000, version % 1000);
    json!({
        "pk": format!("CAMPAIGN#{campaign}"), "sk": format!("USER#{fan}"),
        "campaignId": campaign, "globalUserId": fan, "needsReplication": true,
        "fields": json!({"markets": [market]}).to_string(),
        "date": {"created": updated, "updated": updated, "fanModified": updated},
    })
}

/// An image as an item.
pub fn item(image: &Value) -> Item {
    Item::from_table(&image.to_string()).unwrap()
}

/// A first delivery of a change, at its place in the batch.
pub fn input(index: usize, operation: Operation, image: &Value) -> Input {
    Input { index, attempt: 1, record: Record { operation, image: item(image).into() } }
}

/// The service's answer with these results.
pub fn answer<R>(results: Vec<R>) -> Results<R> {
    Results { summary: ResponseSummary::new("entry", 200, "{}"), results }
}
