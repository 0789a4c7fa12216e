//! Selects dead letters. All are listed before the work begins, so that records which become dead letters again
//! meanwhile are left out.

use super::short;
use crate::cli::operator::{Operator, Refused, rows};
use anyhow::{Result, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use host_adapters_delivery::dead_letter::{Summary, by_dead_letter, is_whole};
use host_adapters_sources::camel_case_name;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A dead letter in a list.
#[derive(Clone)]
pub(super) struct Listed {
    /// Who gave up what and why; of its first part, if it is in parts.
    pub(super) summary: Summary,
    /// The ids of its messages: its own, or those of its parts.
    pub(super) ids: Vec<String>,
}

impl Listed {
    /// `None` if there are no messages. Parts of which others are missing say so in their reason.
    fn new(messages: Vec<Summary>) -> Option<Self> {
        let (is_whole, ids) = (is_whole(&messages), messages.iter().map(|message| message.id.clone()).collect());
        let mut summary = messages.into_iter().next()?;
        if let Some(part) = summary.part.as_ref().filter(|_| !is_whole) {
            summary.reason = format!("{part}, others are missing: {}", summary.reason);
        }
        Some(Self { summary, ids })
    }
}

/// Ids, or conditions that must all be met.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub(super) struct Selection {
    /// Their ids, as `list` and `show` print them.
    #[arg(conflicts_with_all = ["queue", "worker", "reason", "digest", "all"])]
    ids: Vec<String>,
    /// Those in this dead letter queue.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    queue: Option<String>,
    /// Those that this worker gave up.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    worker: Option<String>,
    /// Those whose reason contains this.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
    /// Those that a component gave up whose digest begins with this.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    digest: Option<String>,
    /// All dead letters.
    #[arg(long, conflicts_with_all = ["queue", "worker", "reason", "digest"])]
    all: bool,
}

impl Selection {
    /// The selected dead letters, the oldest first.
    ///
    /// # Errors
    /// When no host answers or it refuses, and when an id or a condition is of no dead letter, which may be misspelt.
    pub(super) async fn dead_letters(&self, operator: &Operator) -> Result<Vec<Listed>> {
        let dead_letters = all(operator, self.queue.as_deref()).await?;
        if let Some(id) = self.ids.iter().find(|id| dead_letters.iter().all(|it| !it.ids.contains(id))) {
            bail!(Refused(format!("there is no dead letter `{id}`; nothing was done")));
        }
        let selected: Vec<_> = dead_letters.iter().filter(|dead_letter| self.means(dead_letter)).cloned().collect();
        match self.conditions() {
            conditions if conditions.is_empty() || !selected.is_empty() => Ok(selected),
            conditions => bail!(Refused(nothing(&conditions, &dead_letters))),
        }
    }

    /// The conditions as they were given, without the queue, which the host knows or refuses.
    fn conditions(&self) -> String {
        let given = [("worker", &self.worker), ("reason", &self.reason), ("digest", &self.digest)];
        let given = given.into_iter().filter_map(|(name, value)| Some(format!("--{name} {}", value.as_ref()?)));
        given.collect::<Vec<_>>().join(" ")
    }

    fn means(&self, Listed { summary: dead_letter, ids }: &Listed) -> bool {
        let worker = |name: &String| *name == dead_letter.worker || *name == camel_case_name(&dead_letter.worker);
        let digest =
            |start: &String| dead_letter.digest.as_deref().is_some_and(|digest| digest.starts_with(start.as_str()));
        (self.ids.is_empty() || ids.iter().any(|id| self.ids.contains(id)))
            && self.worker.as_ref().is_none_or(worker)
            && self.reason.as_ref().is_none_or(|part| dead_letter.reason.contains(part.as_str()))
            && self.digest.as_ref().is_none_or(digest)
    }
}

/// The message if no dead letter meets the conditions. It says which there are.
fn nothing(conditions: &str, dead_letters: &[Listed]) -> String {
    let version =
        |Listed { summary, .. }: &Listed| format!("{} ({})", summary.worker, short(summary.digest.as_deref()));
    let versions: BTreeSet<_> = dead_letters.iter().map(version).collect();
    let there = match versions.is_empty() {
        true => "there are none".to_owned(),
        false => format!("those that there are come from {}", versions.into_iter().collect::<Vec<_>>().join(", ")),
    };
    format!("no dead letter meets {conditions}; nothing was done; {there}")
}

/// Every dead letter of a queue, or of all queues that the client may read, the oldest first.
///
/// # Errors
/// When no host answers or it refuses.
pub(super) async fn all(operator: &Operator, queue: Option<&str>) -> Result<Vec<Listed>> {
    // By id, because a dead letter that another operator is working on may be listed twice.
    let mut dead_letters = BTreeMap::new();
    let mut from = Value::Null;
    loop {
        let page = operator.expect("dead-letters/list", &json!({"queue": queue, "from": from})).await?;
        for dead_letter in rows(&page, "dead_letters") {
            let dead_letter: Summary = serde_json::from_value(dead_letter.clone())?;
            dead_letters.insert(dead_letter.id.clone(), dead_letter);
        }
        from = page.get("next").cloned().unwrap_or_default();
        if from.is_null() {
            break;
        }
    }
    let mut dead_letters: Vec<_> =
        by_dead_letter(dead_letters.into_values()).into_iter().filter_map(Listed::new).collect();
    dead_letters.sort_by_key(|it| given_up_ms(&it.summary));
    Ok(dead_letters)
}

/// When the record was given up or, if that is unknown, when it was made.
pub(super) fn given_up_ms(dead_letter: &Summary) -> u64 {
    dead_letter.last_ms.unwrap_or(dead_letter.first_ms)
}
