//! `dead-letters show`: one letter, whole.

use super::time;
use crate::cli::operator::Operator;
use anyhow::{Context, Result};
use clap::Args;
use host_adapters_delivery::letter::{Letter, Summary};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    /// The letter's id.
    id: String,
    #[command(flatten)]
    operator: Operator,
    /// Print JSON, which `invoke --dead-letter` reads.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let letter = fetch(&options.operator, &options.id).await?;
    match options.json {
        true => println!("{}", serde_json::to_string(&letter)?),
        false => println!("{}", shown(&letter)),
    }
    Ok(ExitCode::SUCCESS)
}

/// A letter of the running host.
///
/// # Errors
/// When no host answers or it refuses, or there is no such letter.
pub(in crate::cli) async fn fetch(operator: &Operator, id: &str) -> Result<Letter> {
    let mut answer = operator.insist("dead-letters/show", &json!({ "id": id })).await?;
    let letter = answer.get_mut("letter").map(Value::take).context("the gateway's answer holds no letter")?;
    serde_json::from_value(letter).context("the gateway's answer is no letter of this version")
}

fn shown(letter: &Letter) -> String {
    let Summary { id, queue, worker, source, record_id, reason, digest, attempts, first_ms, last_ms } = &letter.summary;
    let lines = [
        ("id", id.clone()),
        ("queue", queue.clone()),
        ("worker", worker.clone()),
        ("source", source.clone()),
        ("record", record_id.clone()),
        ("made", time(*first_ms)),
        ("given up", last_ms.map_or_else(|| "unknown: its queue moved it".to_owned(), time)),
        ("attempts", attempts.to_string()),
        ("digest", digest.clone().unwrap_or_default()),
        ("reason", reason.clone()),
    ];
    let attributes = letter.attributes.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let lines = lines.into_iter().chain(attributes).map(|(name, value)| format!("{name:<16}{value}\n"));
    let body: Value = serde_json::from_str(&letter.body).unwrap_or_default();
    let body = serde_json::to_string_pretty(&body).ok().filter(|_| !body.is_null());
    lines.chain(["\n".to_owned(), body.unwrap_or_else(|| letter.body.clone())]).collect()
}
