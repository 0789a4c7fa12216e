//! The results of the scored files, read from outside.

use super::due::{Counts, Score};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Everything about the scored files that was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The score items of the table.
    pub items: Vec<Record>,
    /// The scores that the Entry Service has.
    pub posted: Vec<Record>,
    /// The records of `campaignDataStream`.
    pub streamed: Vec<Record>,
    /// By campaign, the counts in the table.
    pub counts: BTreeMap<String, Counts>,
    /// By the file's key, how far it was read.
    pub progress: BTreeMap<String, Progress>,
    /// By the file's key, the lines that the host's log names as invalid.
    pub logged: BTreeMap<String, BTreeSet<u64>>,
    /// What Slack was told, in order.
    pub told: Vec<Post>,
}

/// A score: an item of the table, a record of a stream, or what the Entry Service has. All of them have these members.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The campaign.
    pub campaign_id: String,
    /// The fan's memberId.
    pub member_id: Option<String>,
    /// The fan's globalUserId.
    pub global_user_id: Option<String>,
    /// The fan's address.
    pub email: Option<String>,
    /// The score.
    pub score: f64,
    /// `verified` or `rejected`.
    pub verification: String,
}

impl Record {
    /// The score, and the verdict with it.
    pub fn score(&self) -> Score {
        Score { score: self.score, rejected: self.verification != "verified" }
    }
}

/// How far a file was read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// The rows that were read.
    pub rows: u64,
    /// Those of them that are invalid.
    pub invalid: u64,
    /// When its last row was done, milliseconds since 1970 (UTC); 0 before.
    pub ended_ms: u64,
    /// Whether the whole file is done.
    pub is_done: bool,
}

/// A message that Slack was sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Post {
    /// Its text.
    pub text: String,
    /// The campaign and the counts that it tells.
    pub report: Option<(String, Counts)>,
    /// When it came, milliseconds since 1970 (UTC).
    pub at_ms: u64,
}
