//! `tasks start --for-each`: one execution for each element, side by side, each failing alone.

use super::client::Tasks;
use super::elements::Element;
use super::{has_succeeded, reason, seconds};
use crate::cli::operator::table;
use crate::cli::{FAILED, print};
use anyhow::Result;
use host_adapters_platform::task::Execution;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Most requests to the gateway at a time.
const REQUESTS: usize = 16;

/// What came of an element.
enum Outcome {
    Ended(Box<Execution>),
    /// The host refused to start it, or could not be asked any more.
    Unknown(String),
}

/// Starts an execution for each element and waits for all. The exit code is 0 only if all have succeeded.
pub(super) async fn run(tasks: &Tasks, elements: Vec<Element>, json: bool) -> Result<ExitCode> {
    let bar = ProgressBar::new(elements.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(250));
    let (mut running, requests) = (JoinSet::new(), Arc::new(Semaphore::new(REQUESTS)));
    for (n, Element { name, input }) in elements.into_iter().enumerate() {
        let (tasks, requests) = (tasks.clone(), requests.clone());
        running.spawn(async move { (n, name.clone(), outcome(&tasks, &requests, &name, input).await) });
    }
    let (mut outcomes, mut failed) = (BTreeMap::new(), 0);
    while let Some(joined) = running.join_next().await {
        let (n, name, outcome) = joined?;
        failed += u64::from(!outcome.is_good());
        bar.inc(1);
        bar.set_message(if failed == 0 { String::new() } else { format!("{failed} failed") });
        outcomes.insert(n, (name, outcome));
    }
    bar.finish_and_clear();
    tell(&outcomes.into_values().collect::<Vec<_>>(), failed, json)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

async fn outcome(tasks: &Tasks, requests: &Semaphore, name: &str, input: String) -> Outcome {
    let started = {
        // The semaphore is never closed.
        let _request = requests.acquire().await;
        tasks.start(name, input).await
    };
    let ended = match started {
        Ok(Ok(execution)) => tasks.ended(execution).await,
        Ok(Err(refusal)) => return Outcome::Unknown(refusal.to_string()),
        Err(error) => Err(error),
    };
    ended.map_or_else(|error| Outcome::Unknown(format!("{error:#}")), |execution| Outcome::Ended(execution.into()))
}

impl Outcome {
    fn is_good(&self) -> bool {
        matches!(self, Self::Ended(execution) if has_succeeded(execution))
    }
}

/// Prints a row for each element, in their order, and the sums.
fn tell(outcomes: &[(String, Outcome)], failed: u64, json: bool) -> Result<()> {
    if json {
        let executions: Vec<_> = outcomes.iter().map(written).collect::<Result<_>>()?;
        print(serde_json::to_string(&BTreeMap::from([("executions", executions)]))?)?;
        return Ok(());
    }
    let rows: Vec<Value> = outcomes.iter().map(|(name, outcome)| row(name, outcome)).collect();
    let cells = ["execution", "state", "attempts", "seconds", "reason"];
    print(table(cells, &rows, |row| cells.map(|cell| crate::cli::operator::text(row, cell))))?;
    let succeeded = outcomes.len() as u64 - failed;
    print(format!("{succeeded} succeeded, {failed} failed"))?;
    Ok(())
}

fn row(name: &str, outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Ended(execution) => json!({
            "execution": name, "state": execution.state.name(), "attempts": execution.attempts.to_string(),
            "seconds": seconds(execution), "reason": reason(execution),
        }),
        Outcome::Unknown(why) => json!({"execution": name, "state": "unknown", "reason": why}),
    }
}

/// The execution, with all its numbers as they are spelled.
fn written((name, outcome): &(String, Outcome)) -> Result<Box<RawValue>> {
    Ok(match outcome {
        Outcome::Ended(execution) => serde_json::value::to_raw_value(execution.as_ref())?,
        Outcome::Unknown(why) => {
            serde_json::value::to_raw_value(&json!({"name": name, "state": "unknown", "cause": why}))?
        }
    })
}
