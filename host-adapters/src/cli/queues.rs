//! `host-adapters queues`: depths of a running host's queues, or the oldest messages of one. Bodies are fans' data, up to
//! a megabyte each, so only their beginnings are shown unless all is asked for.

use super::operator::{Operator, rows, table, text};
use super::{FAILED, print};
use anyhow::Result;
use chrono::Utc;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use comfy_table::Table;
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    /// Show the oldest messages of this queue instead of all depths; they stay in the queue.
    queue: Option<String>,
    /// Most messages to show.
    #[arg(long, default_value_t = 10, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    max: usize,
    /// Show messages with their attributes and whole bodies, instead of the first 200 characters.
    #[arg(long, requires = "queue")]
    full: bool,
    #[command(flatten)]
    operator: Operator,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Characters of a body that are shown.
const BODY_CHARS: usize = 200;

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let answer = match &options.queue {
        None => options.operator.ask("queues", &json!({})).await?,
        Some(queue) => options.operator.ask("peek", &json!({"queue": queue, "max": options.max})).await?,
    };
    let answer = match answer {
        Ok(answer) => described(answer, Utc::now().timestamp_millis(), options.full),
        Err(refusal) => {
            eprintln!("host-adapters: {refusal}");
            return Ok(ExitCode::from(FAILED));
        }
    };
    match (options.json, &options.queue) {
        (true, _) => print(&answer)?,
        (false, None) => print(depths(&answer))?,
        (false, Some(_)) if options.full => print(whole(&answer))?,
        (false, Some(_)) => print(beginnings(&answer))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Adds to each message its age, in milliseconds, and the size of its body, in bytes. Cuts the body, unless it is to be
/// shown in full.
fn described(mut answer: Value, now_ms: i64, full: bool) -> Value {
    for message in answer.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        let body = text(message, "body");
        let sent_ms = message.get("sentMs").and_then(Value::as_i64).unwrap_or(now_ms);
        let Some(message) = message.as_object_mut() else { continue };
        message.insert("ageMs".to_owned(), json!(now_ms.saturating_sub(sent_ms).max(0)));
        message.insert("size".to_owned(), json!(body.len()));
        if !full && body.chars().nth(BODY_CHARS).is_some() {
            let beginning: String = body.chars().take(BODY_CHARS).collect();
            message.insert("body".to_owned(), json!(format!("{beginning}…")));
        }
    }
    answer
}

fn depths(answer: &Value) -> Table {
    table(["queue", "visible", "in flight", "delayed"], rows(answer, "queues"), |queue| {
        ["name", "visible", "inFlight", "delayed"].map(|name| text(queue, name))
    })
}

fn beginnings(answer: &Value) -> Table {
    table(["id", "age", "receives", "bytes", "body"], rows(answer, "messages"), |message| {
        let [id, receives, size, body] = ["id", "receiveCount", "size", "body"].map(|name| text(message, name));
        // A terminal obeys such characters.
        let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        [id, age(message), receives, size, body.chars().map(escaped).collect()]
    })
}

fn whole(answer: &Value) -> Table {
    table(["id", "age", "receives", "bytes", "attributes", "body"], rows(answer, "messages"), |message| {
        let [id, receives, size] = ["id", "receiveCount", "size"].map(|name| text(message, name));
        let [attributes, body] = ["attributes", "body"].map(|name| text(message, name));
        [id, age(message), receives, size, attributes, body]
    })
}

/// The age of a message, in the largest unit of which it has at least two.
fn age(message: &Value) -> String {
    let secs = message.get("ageMs").and_then(Value::as_u64).unwrap_or_default() / 1000;
    let mut units = [(86_400, "d"), (3_600, "h"), (60, "min")].into_iter();
    let (unit, name) = units.find(|(unit, _)| secs >= 2 * unit).unwrap_or((1, "s"));
    format!("{} {name}", secs / unit)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_a_body_is_shown_unless_all_is_asked_for() {
        let body = format!("\u{1b}[31m{}", "ü".repeat(300));
        let message = json!({"id": "m", "body": body, "attributes": {}, "receiveCount": 2, "sentMs": 1_000});
        let answer = json!({"messages": [message]});
        let short = described(answer.clone(), 301_000, false);
        let message = &rows(&short, "messages")[0];
        assert_eq!((&message["size"], &message["ageMs"]), (&json!(605), &json!(300_000)));
        assert_eq!(text(message, "body").chars().count(), BODY_CHARS + 1);
        let shown = beginnings(&short).to_string();
        assert!(shown.contains("5 min") && shown.contains("605") && !shown.contains('\u{1b}'), "{shown}");
        let full = described(answer, 301_000, true);
        assert_eq!(text(&rows(&full, "messages")[0], "body"), body);
        assert!(whole(&full).to_string().contains(&"ü".repeat(300)));
    }

    #[test]
    fn ages_are_in_the_largest_unit_of_which_there_are_two() {
        let of = |secs: u64| age(&json!({ "ageMs": secs * 1000 }));
        let expected = ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"];
        assert_eq!([0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(of), expected);
    }
}
