//! `host-adapters queues`: depths of a running host's queues, or the oldest messages of one.

use super::FAILED;
use anyhow::{Context, Result, bail};
use clap::Args;
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    /// Show the oldest messages of this queue instead of all depths; they stay in the queue.
    queue: Option<String>,
    /// At most so many messages.
    #[arg(long, default_value_t = 10)]
    max: usize,
    /// The running host's gateway.
    #[arg(long, default_value = "http://127.0.0.1:3100")]
    gateway: String,
    /// The token of a client of spin.toml with grants on the queues.
    #[arg(long, env = "HOST_ADAPTERS_TOKEN", hide_env_values = true)]
    token: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let answer = match &options.queue {
        None => post(&options, "queues", &json!({})).await?,
        Some(queue) => post(&options, "peek", &json!({"queue": queue, "max": options.max})).await?,
    };
    if let Some(error) = answer.get("error") {
        eprintln!("host-adapters: {}", error.get("message").and_then(Value::as_str).unwrap_or_default());
        return Ok(ExitCode::from(FAILED));
    }
    let answer = answer.get("ok").context("the gateway's answer has neither `ok` nor `error`")?;
    match (options.json, &options.queue) {
        (true, _) => println!("{answer}"),
        (false, None) => println!("{}", depths(answer)),
        (false, Some(_)) => println!("{}", messages(answer)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn post(options: &Options, what: &str, body: &Value) -> Result<Value> {
    let url = format!("{}/operator/{what}", options.gateway.trim_end_matches('/'));
    let response = reqwest::Client::new().post(&url).bearer_auth(&options.token).json(body).send().await;
    let response = response.with_context(|| format!("no host answers at {url}; is `host-adapters up` running?"))?;
    if response.status() == reqwest::StatusCode::UNAUTHORIZED {
        bail!("the gateway does not know this token; use that of a client of spin.toml");
    }
    Ok(response.error_for_status()?.json().await?)
}

fn depths(answer: &Value) -> Table {
    table(["queue", "visible", "in flight", "delayed"], rows(answer, "queues"), |queue| {
        ["name", "visible", "inFlight", "delayed"].map(|name| text(queue, name)).to_vec()
    })
}

fn messages(answer: &Value) -> Table {
    table(["id", "received", "attributes", "body"], rows(answer, "messages"), |message| {
        ["id", "receiveCount", "attributes", "body"].map(|name| text(message, name)).to_vec()
    })
}

fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(row: &Value, name: &str) -> String {
    row.get(name).map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn table(header: [&str; 4], rows: &[Value], cells: impl Fn(&Value) -> Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(cells(row));
    }
    table
}
