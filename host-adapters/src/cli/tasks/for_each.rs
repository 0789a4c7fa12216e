//! `tasks start --for-each`: one execution for each element, in parallel; each fails independently.

use super::client::{Tasks, refused};
use super::elements::{Element, Elements};
use super::interrupt::{Ended, or_interrupted};
use super::{has_succeeded, reason, seconds};
use crate::cli::operator::{Refused, table};
use crate::cli::{FAILED, print};
use anyhow::{Error, Result};
use host_adapters_platform::task::Execution;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Most requests to the gateway at a time.
const REQUESTS: usize = 16;

/// The result of an element.
enum Outcome {
    Execution(Box<Execution>),
    /// The host refused to start it.
    Refused(String),
    /// The host could not be reached, or no longer can.
    Unknown(Error),
}

/// What all elements share.
#[derive(Clone)]
struct Run {
    tasks: Tasks,
    requests: Arc<Semaphore>,
    bar: ProgressBar,
    tally: Arc<Tally>,
    waits: bool,
}

/// How far the executions are.
#[derive(Default)]
struct Tally {
    started: AtomicUsize,
    ended: AtomicUsize,
}

/// Starts an execution for each element, and waits for all if it is to. The exit code is 0 only if all were started and,
/// where they are waited for, have succeeded.
///
/// # Errors
/// When the host could not be asked about any of them.
pub(super) async fn run(tasks: &Tasks, elements: Elements, waits: bool, json: bool) -> Result<ExitCode> {
    let Elements { drawn, elements } = elements;
    let all = elements.len();
    let run = Run {
        tasks: tasks.clone(),
        requests: Arc::new(Semaphore::new(REQUESTS)),
        bar: bar(all),
        tally: Arc::default(),
        waits,
    };
    let goes_on = || {
        run.bar.finish_and_clear();
        run.tally.goes_on(tasks.worker(), all, drawn.as_deref())
    };
    let outcomes = match or_interrupted(run.outcomes(elements), goes_on).await? {
        Ended::Done(outcomes) => outcomes,
        Ended::Interrupted(code) => return Ok(code),
    };
    run.bar.finish_and_clear();
    let outcomes = if_any_is_known(outcomes)?;
    let failed = outcomes.iter().filter(|(_, outcome)| !outcome.is_good(waits)).count();
    tell(&outcomes, failed, waits, json)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn bar(elements: usize) -> ProgressBar {
    let bar = ProgressBar::new(elements as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(250));
    bar
}

impl Run {
    /// The outcome of each element, with its name, in their order.
    async fn outcomes(&self, elements: Vec<Element>) -> Result<Vec<(String, Outcome)>> {
        let mut running = JoinSet::new();
        for (n, Element { name, input }) in elements.into_iter().enumerate() {
            let run = self.clone();
            running.spawn(async move { (n, name.clone(), run.outcome(&name, input).await) });
        }
        let (mut outcomes, mut failed) = (BTreeMap::new(), 0);
        while let Some(joined) = running.join_next().await {
            let (n, name, outcome) = joined?;
            failed += usize::from(!outcome.is_good(self.waits));
            self.bar.inc(1);
            self.bar.set_message(if failed == 0 { String::new() } else { format!("{failed} failed") });
            outcomes.insert(n, (name, outcome));
        }
        Ok(outcomes.into_values().collect())
    }

    async fn outcome(&self, name: &str, input: String) -> Outcome {
        match self.execution(name, input).await {
            Ok(execution) => Outcome::Execution(execution.into()),
            Err(error) if error.is::<Refused>() => Outcome::Refused(error.to_string()),
            Err(error) => Outcome::Unknown(error),
        }
    }

    async fn execution(&self, name: &str, input: String) -> Result<Execution> {
        let started = {
            // The semaphore is never closed.
            let _request = self.requests.acquire().await;
            self.tasks.start(name, input).await?
        };
        let mut execution = started.map_err(refused)?;
        self.tally.started.fetch_add(1, Ordering::Relaxed);
        if self.waits {
            execution = self.tasks.ended(execution, |line| self.bar.suspend(|| eprintln!("{line}"))).await?;
        }
        self.tally.ended.fetch_add(execution.state.has_ended().into(), Ordering::Relaxed);
        Ok(execution)
    }
}

impl Tally {
    /// The message when the wait is interrupted. Names with a random part (`drawn`) differ in another run.
    fn goes_on(&self, worker: &str, all: usize, drawn: Option<&str>) -> String {
        let (started, ended) = (self.started.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed));
        let again = match drawn {
            Some(run) => format!("the same command with the name {run}"),
            None => "the same command".to_owned(),
        };
        format!(
            "interrupted: of {all} executions {ended} have ended, {} go on without this command, {} were not started or \
             not yet. `host-adapters tasks list {worker}` shows them, `host-adapters tasks stop {worker} NAME` stops one; \
             {again} starts what is missing",
            started.saturating_sub(ended),
            all.saturating_sub(started),
        )
    }
}

impl Outcome {
    fn is_good(&self, waits: bool) -> bool {
        matches!(self, Self::Execution(execution) if !waits || has_succeeded(execution))
    }
}

/// The outcomes; the first error if there are only errors: then the command could not run at all.
fn if_any_is_known(mut outcomes: Vec<(String, Outcome)>) -> Result<Vec<(String, Outcome)>> {
    if !outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Unknown(_))) {
        return Ok(outcomes);
    }
    match outcomes.drain(..).next() {
        Some((_, Outcome::Unknown(error))) => Err(error),
        _ => Ok(Vec::new()),
    }
}

/// Prints a row for each element, in their order, and the sums.
fn tell(outcomes: &[(String, Outcome)], failed: usize, waits: bool, json: bool) -> Result<()> {
    if json {
        let executions: Vec<_> = outcomes.iter().map(written).collect::<Result<_>>()?;
        print(serde_json::to_string(&BTreeMap::from([("executions", executions)]))?)?;
        return Ok(());
    }
    let rows: Vec<Value> = outcomes.iter().map(|(name, outcome)| row(name, outcome)).collect();
    let cells = ["execution", "state", "attempts", "seconds", "reason"];
    print(table(cells, &rows, |row| cells.map(|cell| crate::cli::operator::text(row, cell))))?;
    let (good, bad) = if waits { ("succeeded", "failed") } else { ("started", "not started") };
    print(format!("{} {good}, {failed} {bad}", outcomes.len() - failed))?;
    Ok(())
}

fn row(name: &str, outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Execution(execution) => json!({
            "execution": name, "state": execution.state.name(), "attempts": execution.attempts.to_string(),
            "seconds": seconds(execution), "reason": reason(execution),
        }),
        Outcome::Refused(_) | Outcome::Unknown(_) => {
            json!({"execution": name, "state": "unknown", "reason": outcome.why()})
        }
    }
}

impl Outcome {
    /// Why there is no execution.
    fn why(&self) -> String {
        match self {
            Self::Execution(_) => String::new(),
            Self::Refused(why) => why.clone(),
            Self::Unknown(error) => format!("{error:#}"),
        }
    }
}

/// The execution, with all its numbers as they are spelled.
fn written((name, outcome): &(String, Outcome)) -> Result<Box<RawValue>> {
    Ok(match outcome {
        Outcome::Execution(execution) => serde_json::value::to_raw_value(execution.as_ref())?,
        Outcome::Refused(_) | Outcome::Unknown(_) => {
            serde_json::value::to_raw_value(&json!({"name": name, "state": "unknown", "cause": outcome.why()}))?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_said_with_how_to_see_and_stop_it() {
        let tally = Tally { started: 5.into(), ended: 2.into() };
        let said = tally.goes_on("errand", 7, None);
        assert!(
            said.contains("of 7 executions 2 have ended, 3 go on without this command, 2 were not started"),
            "{said}"
        );
        assert!(
            said.contains("`host-adapters tasks list errand`") && said.contains("tasks stop errand NAME"),
            "{said}"
        );
        assert!(said.contains("; the same command starts what is missing"), "{said}");
        assert!(tally.goes_on("errand", 7, Some("r")).contains("the same command with the name r starts"));
    }

    #[test]
    fn a_host_that_could_not_be_asked_at_all_is_an_error() {
        let unknown = || ("a".to_owned(), Outcome::Unknown(anyhow::anyhow!("no host")));
        let refused = || ("b".to_owned(), Outcome::Refused("no".to_owned()));
        assert!(if_any_is_known(vec![unknown(), unknown()]).is_err());
        assert!(if_any_is_known(vec![unknown(), refused()]).is_ok_and(|outcomes| outcomes.len() == 2));
    }
}
