//! `dead-letters list`: counts dead letters of each kind.

use super::select::{self, Listed, given_up_ms};
use super::{short, time};
use crate::cli::operator::{Operator, rows, table, text};
use crate::cli::print;
use anyhow::Result;
use clap::Args;
use comfy_table::Table;
use host_adapters_delivery::dead_letter::Summary;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Characters of a reason that a table shows.
const REASON_CHARS: usize = 80;

#[derive(Args)]
pub(crate) struct Options {
    /// Only those in this dead letter queue.
    #[arg(long)]
    queue: Option<String>,
    #[command(flatten)]
    operator: Operator,
    /// Print JSON, with reasons and digests in full.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let dead_letters = select::all(&options.operator, options.queue.as_deref()).await?;
    let groups = groups(&dead_letters);
    match options.json {
        true => print(&groups)?,
        false if dead_letters.is_empty() => print("no dead letters")?,
        false => print(shown(&groups))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `{"groups": [{"queue", "worker", "reason", "digest", "count", "oldestMs", "example"}]}`; `example` is the id of the
/// oldest.
pub(super) fn groups(dead_letters: &[Listed]) -> Value {
    let mut groups: BTreeMap<_, Vec<&Summary>> = BTreeMap::new();
    for Listed { summary: dead_letter, .. } in dead_letters {
        let Summary { queue, worker, reason, digest, .. } = dead_letter;
        groups.entry((queue, worker, reason, digest)).or_default().push(dead_letter);
    }
    let group = |((queue, worker, reason, digest), dead_letters): (_, Vec<&Summary>)| {
        let oldest = dead_letters.iter().min_by_key(|dead_letter| given_up_ms(dead_letter));
        json!({
            "queue": queue, "worker": worker, "reason": reason, "digest": digest, "count": dead_letters.len(),
            "oldestMs": oldest.map(|dead_letter| given_up_ms(dead_letter)), "example": oldest.map(|dead_letter| &dead_letter.id),
        })
    };
    json!({"groups": groups.into_iter().map(group).collect::<Vec<_>>()})
}

pub(super) fn shown(groups: &Value) -> Table {
    let header = ["queue", "worker", "digest", "count", "oldest", "example", "reason"];
    table(header, rows(groups, "groups"), |group| {
        let digest = short(group.get("digest").and_then(Value::as_str));
        let oldest = time(group.get("oldestMs").and_then(Value::as_u64).unwrap_or_default());
        let [queue, worker, count, example] = ["queue", "worker", "count", "example"].map(|name| text(group, name));
        [queue, worker, digest, count, oldest, example, first_line(&text(group, "reason"))]
    })
}

fn first_line(reason: &str) -> String {
    let line = reason.lines().next().unwrap_or_default();
    let short: String = line.chars().take(REASON_CHARS).collect();
    if short == reason { short } else { format!("{short}…") }
}
