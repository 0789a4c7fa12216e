//! The results of a selection, read from outside.

pub use fake_services::CodeState;

use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// Everything about the selections that is not in the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// By campaign and fan, the code that the Entry Service has.
    pub entry_codes: EntryCodes,
    /// The same after the first tasks of markets that have a later one, once their verdicts were written.
    pub first_codes: EntryCodes,
    /// By campaign and market, the codes of the Code Service.
    pub codes: BTreeMap<(String, String), BTreeMap<String, CodeState>>,
    /// By campaign and market, what was reported, in order.
    pub stats: BTreeMap<(String, String), Vec<Stats>>,
    /// By campaign and market, what became of its tasks.
    pub tasks: BTreeMap<(String, String), Task>,
    /// Whether attempts may have failed that no task counts: the host was restarted, services fail on purpose, or the run
    /// is on servers.
    pub disturbed: bool,
    /// What the services report as a violation of their rules.
    pub violations: Vec<String>,
    /// By campaign and fan, how often the entry was sent to the Entry Service before and after; empty if the host was
    /// restarted, which may repeat what was done.
    pub sent: HashMap<(String, String), Sent>,
}

/// By campaign and fan, the code that the Entry Service has.
pub type EntryCodes = BTreeMap<(String, String), EntryCode>;

/// A code of a fan in the Entry Service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EntryCode {
    /// The market that the fan won.
    pub market_id: String,
    /// The code.
    pub value: String,
}

/// One report about a market.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Stats {
    /// `PROCESSING`, `FINISHED` or `FAILED`.
    pub status: String,
    /// Eligible records.
    pub total: usize,
    /// Winners.
    #[serde(rename = "PROCESSED", default)]
    pub processed: usize,
    /// Rejected records.
    #[serde(rename = "FAILED", default)]
    pub failed: usize,
}

/// What became of a market's task, or of its tasks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Task {
    /// Their outcome: the first failure, if there is one.
    pub ended: Ended,
    /// How many of their attempts failed, at most. One that waits for its market has not failed.
    pub failures: u32,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Ended {
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// It did not end.
    #[default]
    Never,
}

/// How often an entry was sent to the Entry Service, and whether its fan changed it in between.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sent {
    /// Before the selection.
    pub before: usize,
    /// At the end.
    pub after: usize,
    /// Whether the fan changed it during the selection.
    pub changed: bool,
}
