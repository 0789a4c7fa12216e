//! `host-adapters events read`: records of a topic of the event log, as they are in a running host's store or in Kafka.
//! Values are fans' data, up to a megabyte each, so only their beginnings are shown, except in JSON.

use crate::cli::dead_letters::time;
use crate::cli::operator::Operator;
use crate::cli::print;
use crate::gateway::EVENTS_PAGE;
use anyhow::{Context, Result};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use host_adapters_platform::{LogPage, LogPartition, LoggedRecord};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;

/// Records that are shown unless more are asked for.
const SHOWN: usize = 10;
/// Characters of a value that are shown.
const VALUE_CHARS: usize = 200;
/// The time between two looks for further records.
const POLL: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(crate) struct Options {
    /// The topic, as spin.toml declares it.
    topic: String,
    /// Only this partition; by default all, their records merged by their times.
    #[arg(long)]
    partition: Option<u32>,
    /// The offset to begin with, in each partition; by default that of the oldest record.
    #[arg(long, value_name = "OFFSET")]
    from: Option<u64>,
    /// Most records to show; by default 10, or with --follow all.
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    limit: Option<usize>,
    /// Wait for further records until the limit is reached.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    operator: Operator,
    /// Print each record as a line of JSON, with its headers and its whole value.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let mut left = options.limit.unwrap_or(if options.follow { usize::MAX } else { SHOWN });
    let mut cursors = cursors(&options).await?;
    while left > 0 {
        match next(&options, &mut cursors, left).await? {
            Some(record) => {
                left -= 1;
                match options.json {
                    true => print(serde_json::to_string(&record)?)?,
                    false => print(line(&record))?,
                }
            }
            None if options.follow => tokio::time::sleep(POLL).await,
            None => break,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How far a partition is read.
struct Cursor {
    partition: u32,
    from: Option<u64>,
    /// Read and not yet shown.
    records: VecDeque<LoggedRecord>,
    /// Whether the last look found nothing.
    is_at_end: bool,
}

async fn cursors(options: &Options) -> Result<Vec<Cursor>> {
    let numbers = match options.partition {
        Some(number) => vec![number],
        None => {
            let mut answer = options.operator.expect("events/partitions", &json!({ "topic": options.topic })).await?;
            let partitions: Vec<LogPartition> = read(answer.get_mut("partitions").map(Value::take))?;
            partitions.into_iter().map(|partition| partition.number).collect()
        }
    };
    let cursor = |partition| Cursor { partition, from: options.from, records: VecDeque::new(), is_at_end: false };
    Ok(numbers.into_iter().map(cursor).collect())
}

/// The record that was written first of those that are not shown yet; `None` where there is none now.
async fn next(options: &Options, cursors: &mut [Cursor], most: usize) -> Result<Option<LoggedRecord>> {
    let mut goes_on = false;
    for cursor in cursors.iter_mut().filter(|cursor| cursor.records.is_empty() && !cursor.is_at_end) {
        cursor.fill(options, most.min(EVENTS_PAGE)).await?;
        goes_on |= !cursor.is_at_end;
    }
    if goes_on {
        // A partition with ever more records must not keep the others back: they may have got some meanwhile.
        cursors.iter_mut().for_each(|cursor| cursor.is_at_end = false);
    }
    let waiting = cursors.iter_mut().filter(|cursor| !cursor.records.is_empty());
    let record = waiting.min_by_key(|cursor| cursor.first()).and_then(|cursor| cursor.records.pop_front());
    if record.is_none() {
        // All are at their ends. The next call looks again.
        cursors.iter_mut().for_each(|cursor| cursor.is_at_end = false);
    }
    Ok(record)
}

impl Cursor {
    /// The place of its next record among those of all partitions.
    fn first(&self) -> Option<(u64, u32)> {
        self.records.front().map(|record| (record.time_ms, record.partition))
    }

    async fn fill(&mut self, options: &Options, limit: usize) -> Result<()> {
        let (topic, partition, from) = (&options.topic, self.partition, self.from);
        let question = json!({"topic": topic, "partition": partition, "from": from, "limit": limit});
        let page: LogPage = read(Some(options.operator.expect("events/read", &question).await?))?;
        self.from = Some(page.next);
        self.is_at_end = page.records.is_empty();
        self.records = page.records.into();
        Ok(())
    }
}

fn read<T: DeserializeOwned>(answer: Option<Value>) -> Result<T> {
    serde_json::from_value(answer.unwrap_or_default()).context("the gateway's answer is not of this version")
}

/// A record in one line: `partition/offset time key value`.
fn line(record: &LoggedRecord) -> String {
    let LoggedRecord { partition, offset, time_ms, .. } = record;
    let key = record.key.as_deref().unwrap_or("-");
    let value = record.value.as_deref().unwrap_or("-");
    let mut shown: String = value.chars().take(VALUE_CHARS).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("{partition}/{offset}  {}  {}  {}", time(*time_ms), escaped(key), escaped(&shown))
}

/// A terminal obeys control characters.
fn escaped(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_with_the_beginning_of_its_value() {
        let record = |value: Option<String>| LoggedRecord {
            partition: 3,
            offset: 12,
            time_ms: 1_705_312_800_000,
            key: Some("c-1".to_owned()),
            value,
            headers: vec![],
        };
        let all = |value: &str| line(&record(Some(value.to_owned())));
        assert_eq!(all("{\"type\":\n\u{1b}1}"), r#"3/12  2024-01-15T10:00:00Z  c-1  {"type":\n\u{1b}1}"#);
        assert_eq!(line(&record(None)), "3/12  2024-01-15T10:00:00Z  c-1  -");
        assert!(all(&"ü".repeat(200)).ends_with(&format!("  {}", "ü".repeat(200))));
        assert!(all(&"ü".repeat(201)).ends_with(&format!("  {}…", "ü".repeat(200))));
    }
}
