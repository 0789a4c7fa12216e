//! The failures that the checks find.

use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many failures of a kind are reported in full.
const REPORTED: usize = 20;

/// A kind of failure.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A response differs from the label.
    WrongAnswer,
    /// A reason did not occur as often as the labels expect.
    ReasonCount,
    /// An entry that the Entry Service should have and does not.
    Lost,
    /// An entry of which the Entry Service has another version than the latest.
    Stale,
    /// An entry whose latest version it has with other contents.
    Different,
    /// An entry that it has and should not.
    Unexpected,
    /// An entry that the table should have, or that differs there.
    Table,
    /// An entry that is still flagged for replication.
    FlagLeft,
    /// A profile that is missing, differs or should not exist.
    Profile,
    /// An entry whose score failed and was not computed again.
    Score,
    /// A fan who does not have exactly one score item, or whose item is wrong.
    ScoreItem,
    /// A score that the Entry Service should have and does not, or has and should not.
    Posted,
    /// A campaign whose verified, rejected or selected fans are counted wrong.
    Count,
    /// A row of a scored file that is invalid and not said to be, or the other way round.
    InvalidRow,
    /// A row of the fan list that `campaignDataStream` does not have as often as it should.
    Streamed,
    /// A fan with another verdict than is due.
    Verdict,
    /// A fan who won and should not, or did not and should.
    Winner,
    /// A code that is with the wrong fan, or with none.
    Code,
    /// A wrong report about the selection of a market.
    Stats,
    /// A task that did not end as it should.
    Task,
    /// A post to Slack that is wrong, duplicated or missing.
    Report,
    /// An entry that was replicated although its fan did not change it, or was not although the fan did.
    Resent,
    /// Verdicts or reports that came late, or a host that took too much memory.
    Slow,
    /// A record that the event log should have and does not, or has and should not, or that is wrong.
    Logged,
    /// A message that could not be processed.
    DeadLetter,
    /// Work was still in progress when nothing changed.
    Unsettled,
    /// A disturbance had no effect, so the run does not show what it is for.
    Undisturbed,
}

/// One failure.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// The entry (`campaign/fan`), fan, reason or queue.
    pub subject: String,
    /// The expectation and the finding.
    pub detail: String,
}

/// All failures, by kind.
#[derive(Debug, Default)]
pub struct Failures(BTreeMap<Kind, Vec<Failure>>);

impl Failures {
    /// Adds a failure.
    pub fn add(&mut self, kind: Kind, subject: impl Into<String>, detail: impl Into<String>) {
        self.0.entry(kind).or_default().push(Failure { subject: subject.into(), detail: detail.into() });
    }

    /// All failures of a kind.
    pub fn of(&self, kind: Kind) -> &[Failure] {
        self.0.get(&kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether there are no failures.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For each kind the number of failures, and the first of them in full.
    pub fn to_json(&self) -> Value {
        let told = |(kind, failures): (&Kind, &Vec<Failure>)| {
            let first: Vec<&Failure> = failures.iter().take(REPORTED).collect();
            (kind.name(), json!({ "count": failures.len(), "first": first }))
        };
        Value::Object(self.0.iter().map(told).collect())
    }

    /// One line for each failure: the first of each kind, and how many more there are.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (kind, failures) in &self.0 {
            let told = failures.iter().take(REPORTED);
            lines.extend(told.map(|failure| format!("{}: {}: {}", kind.name(), failure.subject, failure.detail)));
            if failures.len() > REPORTED {
                lines.push(format!("{}: and {} more", kind.name(), failures.len() - REPORTED));
            }
        }
        lines
    }
}

impl Kind {
    /// The name in the summary.
    pub fn name(self) -> String {
        // The JSON of a unit variant is always a string.
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// The name of an entry.
pub fn entry_name((campaign, fan): super::Name<'_>) -> String {
    format!("{campaign}/{fan}")
}
