//! A small world for tests: a table, an Entry Service and a queue in memory. A list of choices decides which calls fail
//! and what changes between two calls.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod world;

pub use world::{Change, World};

use crate::plan::Job;
use crate::selection::{Prize, Selection};
use serde_json::{Value, json};
use worker_kit::services::{ResponseSummary, Results};

/// A winner in campaign `c`.
pub fn won(fan: &str, market: &str, code: &str) -> Selection {
    let prize = Prize { market_id: market.to_owned(), code: code.to_owned() };
    Selection { won: Some(prize), ..lost(fan, market) }
}

/// A loser in campaign `c`. Whose market selected whom else does not matter.
pub fn lost(fan: &str, _market: &str) -> Selection {
    Selection { campaign_id: "c".to_owned(), global_user_id: fan.to_owned(), won: None }
}

/// The job of a selection, the first of its batch.
pub fn job(selection: Selection) -> Job {
    let Selection { campaign_id, global_user_id, won } = selection;
    Job { campaign_id, global_user_id, won, records: vec![0] }
}

/// A fan's item in campaign `c`, replicated; `version` is milliseconds after ten o'clock.
pub fn image(fan: &str, version: u32) -> Value {
    let updated = format!("2024-01-01T10:00:00.{version:03}Z");
    json!({
        "pk": "CAMPAIGN#c", "sk": format!("USER#{fan}"), "campaignId": "c", "globalUserId": fan,
        "needsReplication": false, "fields": json!({"version": version}).to_string(),
        "date": {"created": updated, "updated": updated, "fanModified": updated},
    })
}

/// The service's answer with these results.
pub fn answer<R>(results: Vec<R>) -> Results<R> {
    Results { summary: ResponseSummary::new("entry", 200, "{}"), results }
}
