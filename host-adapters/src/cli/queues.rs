//! `host-adapters queues`: depths of a running host's queues, or the oldest messages of one.

use super::operator::{Operator, rows, table, text};
use super::{FAILED, print};
use anyhow::Result;
use clap::Args;
use comfy_table::Table;
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    /// Show the oldest messages of this queue instead of all depths; they stay in the queue.
    queue: Option<String>,
    /// Most messages to show.
    #[arg(long, default_value_t = 10)]
    max: usize,
    #[command(flatten)]
    operator: Operator,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let answer = match &options.queue {
        None => options.operator.ask("queues", &json!({})).await?,
        Some(queue) => options.operator.ask("peek", &json!({"queue": queue, "max": options.max})).await?,
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(refusal) => {
            eprintln!("host-adapters: {refusal}");
            return Ok(ExitCode::from(FAILED));
        }
    };
    match (options.json, &options.queue) {
        (true, _) => print(&answer)?,
        (false, None) => print(depths(&answer))?,
        (false, Some(_)) => print(messages(&answer))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn depths(answer: &Value) -> Table {
    table(["queue", "visible", "in flight", "delayed"], rows(answer, "queues"), |queue| {
        ["name", "visible", "inFlight", "delayed"].map(|name| text(queue, name))
    })
}

fn messages(answer: &Value) -> Table {
    table(["id", "received", "attributes", "body"], rows(answer, "messages"), |message| {
        ["id", "receiveCount", "attributes", "body"].map(|name| text(message, name))
    })
}
