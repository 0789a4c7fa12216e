//! `dead-letters redrive` and `drop`: they work on a few dead letters at a time, so that an interruption leaves the
//! rest in place.

use super::list;
use super::select::{Listed, Selection};
use crate::cli::operator::{Operator, rows, text};
use crate::cli::{FAILED, UNUSABLE, print};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Most dead letters in one request.
const AT_ONCE: u32 = 10;
/// The most messages that SQS's own redrive moves in a second.
const MAX_RATE: u32 = 500;

#[derive(Args)]
pub(crate) struct Redrive {
    #[command(flatten)]
    selection: Selection,
    /// The most dead letters a second.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_RATE)))]
    rate: u32,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct Discard {
    #[command(flatten)]
    selection: Selection,
    /// Do it; without this, the command only shows what it would drop.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn redrive(options: Redrive) -> Result<ExitCode> {
    let dead_letters = options.selection.dead_letters(&options.operator).await?;
    work(&options.operator, "redrive", dead_letters, options.rate).await
}

pub(super) async fn discard(options: Discard) -> Result<ExitCode> {
    let dead_letters = options.selection.dead_letters(&options.operator).await?;
    if !options.yes && !dead_letters.is_empty() {
        print(list::shown(&list::groups(&dead_letters)))?;
        eprintln!("host-adapters: nothing was dropped; say --yes to drop these {} for good", dead_letters.len());
        return Ok(ExitCode::from(UNUSABLE));
    }
    work(&options.operator, "drop", dead_letters, MAX_RATE).await
}

/// How many dead letters had each outcome.
type Counts = BTreeMap<String, u64>;

async fn work(operator: &Operator, what: &str, mut dead_letters: Vec<Listed>, rate: u32) -> Result<ExitCode> {
    dead_letters.sort_by(|one, other| one.summary.queue.cmp(&other.summary.queue));
    let mut pace = interval(Duration::from_secs(1) * AT_ONCE / rate);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut counts = Counts::new();
    for some in dead_letters
        .chunk_by(|one, next| one.summary.queue == next.summary.queue)
        .flat_map(|some| some.chunks(AT_ONCE as usize))
    {
        pace.tick().await;
        let worked = work_on(operator, what, some, &mut counts).await;
        if let Err(error) = worked {
            // The counts are printed before the reason of an early end, because that work is done.
            tell(&counts)?;
            return Err(error);
        }
    }
    tell(&counts)?;
    let bad = ["kept", "missing"].iter().any(|outcome| counts.contains_key(*outcome));
    Ok(if bad { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

async fn work_on(operator: &Operator, what: &str, dead_letters: &[Listed], counts: &mut Counts) -> Result<()> {
    let queue = dead_letters.first().map(|dead_letter| &dead_letter.summary.queue);
    let ids: Vec<_> = dead_letters.iter().flat_map(|dead_letter| &dead_letter.ids).collect();
    let answer = operator.expect(&format!("dead-letters/{what}"), &json!({"queue": queue, "ids": ids})).await?;
    let outcomes = rows(&answer, "outcomes");
    for outcome in dead_letters.iter().filter_map(|dead_letter| outcome_of(dead_letter, outcomes)) {
        let (id, name) = (text(outcome, "id"), text(outcome, "outcome"));
        match name.as_str() {
            "kept" => eprintln!("{id} stays: {}", text(outcome, "why")),
            "missing" => eprintln!("{id} is gone, or another operator is working on it"),
            _ => {}
        }
        *counts.entry(name).or_default() += 1;
    }
    Ok(())
}

/// What became of a dead letter. If it is in parts, the outcome of one that is still there counts.
fn outcome_of<'a>(dead_letter: &Listed, outcomes: &'a [Value]) -> Option<&'a Value> {
    let its: Vec<&Value> = outcomes.iter().filter(|outcome| dead_letter.ids.contains(&text(outcome, "id"))).collect();
    let with = |name: &str| its.iter().find(|outcome| text(outcome, "outcome") == name);
    with("kept").or_else(|| with("missing")).or(its.first()).copied()
}

fn tell(counts: &Counts) -> std::io::Result<()> {
    let counts: Vec<_> = counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    print(if counts.is_empty() { "no dead letters".to_owned() } else { counts.join(", ") })
}
