//! `dead-letters show`: prints one dead letter with its record.

use super::time;
use crate::cli::operator::Operator;
use crate::cli::print;
use anyhow::{Context, Result};
use clap::Args;
use host_adapters_delivery::dead_letter::{DeadLetter, Summary};
use host_adapters_json::pretty;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    /// The dead letter's id.
    id: String,
    #[command(flatten)]
    operator: Operator,
    /// Print JSON, which `invoke --dead-letter` reads.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let dead_letter = fetch(&options.operator, &options.id).await?;
    match options.json {
        true => print(serde_json::to_string(&dead_letter)?)?,
        false => print(shown(&dead_letter))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A dead letter of the running host.
///
/// # Errors
/// When no host answers or it refuses, or there is no such dead letter.
pub(in crate::cli) async fn fetch(operator: &Operator, id: &str) -> Result<DeadLetter> {
    let mut answer = operator.expect("dead-letters/show", &json!({ "id": id })).await?;
    let dead_letter =
        answer.get_mut("dead_letter").map(Value::take).context("the gateway's answer holds no dead letter")?;
    serde_json::from_value(dead_letter).context("the gateway's answer is not a dead letter of this version")
}

fn shown(dead_letter: &DeadLetter) -> String {
    let Summary { id, queue, worker, source, record_id, reason, digest, attempts, first_ms, last_ms, .. } =
        &dead_letter.summary;
    let Summary { attempted, traceparent, part, .. } = &dead_letter.summary;
    let lines = [
        ("id", id.clone()),
        ("queue", queue.clone()),
        ("worker", worker.clone()),
        ("source", source.clone()),
        ("record", record_id.clone()),
        ("made", time(*first_ms)),
        ("given up", last_ms.map_or_else(|| "unknown: its queue moved it".to_owned(), time)),
        ("attempts", attempts.to_string()),
        ("at", attempted.join(" ")),
        ("trace", traceparent.clone().unwrap_or_default()),
        ("digest", digest.clone().unwrap_or_default()),
        ("reason", reason.clone()),
    ];
    let part = part.as_ref().map(|part| ("incomplete", format!("this is {part}, and others are missing")));
    let messages = dead_letter.messages.iter().map(|id| ("message", id.clone()));
    let attributes = dead_letter.attributes.iter().map(|it| (it.name.as_str(), it.value.to_string()));
    let lines = lines
        .into_iter()
        .chain(part)
        .chain(messages)
        .chain(attributes)
        .map(|(name, value)| format!("{name:<16}{value}\n"));
    let readable = dead_letter.readable();
    let body = serde_json::from_str::<&RawValue>(&readable).ok().filter(|body| body.get() != "null");
    let body = body.and_then(|body| pretty(body).ok()).unwrap_or(readable);
    lines.chain(["\n".to_owned(), body]).collect()
}
