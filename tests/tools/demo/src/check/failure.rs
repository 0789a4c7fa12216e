//! Failures that the checks find.

use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many of a kind are told in full.
const TOLD: usize = 20;

/// In which way something is wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An answer is not what the label says.
    WrongAnswer,
    /// A reason was not given as often as the labels ask.
    ReasonCount,
    /// An entry that the Entry Service should hold and does not.
    Lost,
    /// An entry of which it holds another version than the latest.
    Stale,
    /// An entry whose latest version it holds with other content.
    Different,
    /// An entry that it holds and should not.
    Unexpected,
    /// An entry that the table should hold, or holds otherwise than it should.
    Table,
    /// An entry that is still flagged for replication.
    FlagLeft,
    /// A profile that is missing, different or should not be there.
    Profile,
    /// An entry whose score failed and was not computed again.
    Score,
    /// A message that could not be processed.
    DeadLetter,
    /// Something was still under way when nothing moved any more.
    Unsettled,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// Which entry (`campaign/fan`), fan, reason or queue.
    pub subject: String,
    /// What was expected and what was found.
    pub detail: String,
}

/// Everything that is wrong, by kind.
#[derive(Debug, Default)]
pub struct Failures(BTreeMap<Kind, Vec<Failure>>);

impl Failures {
    /// Adds one.
    pub fn add(&mut self, kind: Kind, subject: impl Into<String>, detail: impl Into<String>) {
        self.0.entry(kind).or_default().push(Failure { subject: subject.into(), detail: detail.into() });
    }

    /// All of a kind.
    pub fn of(&self, kind: Kind) -> &[Failure] {
        self.0.get(&kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By kind: how many, and the first in full.
    pub fn to_json(&self) -> Value {
        let told = |(kind, failures): (&Kind, &Vec<Failure>)| {
            let first: Vec<&Failure> = failures.iter().take(TOLD).collect();
            (kind.name(), json!({ "count": failures.len(), "first": first }))
        };
        Value::Object(self.0.iter().map(told).collect())
    }

    /// One line a failure, the first of each kind and how many more.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (kind, failures) in &self.0 {
            let told = failures.iter().take(TOLD);
            lines.extend(told.map(|failure| format!("{}: {}: {}", kind.name(), failure.subject, failure.detail)));
            if failures.len() > TOLD {
                lines.push(format!("{}: and {} more", kind.name(), failures.len() - TOLD));
            }
        }
        lines
    }
}

impl Kind {
    /// As it is written in the summary.
    pub fn name(self) -> String {
        // A unit variant is always a text.
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// How an entry is named.
pub(super) fn entry_name((campaign, fan): super::Name<'_>) -> String {
    format!("{campaign}/{fan}")
}
