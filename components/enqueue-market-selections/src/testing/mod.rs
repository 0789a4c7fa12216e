//! A small world for tests: services, a table and a queue in memory. Any call may fail, or be the last one of its task.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod attempt;
mod check;
mod ports;
mod world;

pub use attempt::{Attempt, attempt, both};
pub use world::{Fan, Fault, Message, State, World};

use crate::input::Selection;
use serde_json::{Value, json};
use worker_kit::services::campaign::Market;

/// The selection of market `m` of campaign `c` by a task, in an attempt after which there may be no other.
pub fn selection(task: &str) -> Selection {
    let [task_id, campaign_id, market_id] = [task, "c", "m"].map(str::to_owned);
    Selection { task_id, campaign_id, market_id, count: None, attempts_remain: false }
}

/// Market `m`, each winner of which needs a code of their own.
pub fn market(capacity: Option<u64>) -> Value {
    json!({"id": "m", "campaignId": "c", "ticketer": "AXS", "capacity": capacity})
}

/// A market as the Campaign Service answers it.
pub fn read_market(market: Value) -> Market {
    serde_json::from_value(market).unwrap()
}
