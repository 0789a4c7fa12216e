//! `tasks list`: the executions of a worker, the latest first.

use super::client::Tasks;
use super::{reason, seconds, time};
use crate::cli::operator::{Operator, table, text};
use crate::cli::print;
use crate::gateway::TASKS_PAGE;
use anyhow::Result;
use clap::Args;
use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use host_adapters_platform::task::{Execution, ExecutionState};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Characters of a reason that the table shows.
const REASON_CHARS: usize = 80;

#[derive(Args)]
pub(crate) struct Options {
    /// The worker, by its id or its name in the documents.
    worker: String,
    /// Only those in this state.
    #[arg(long, value_parser = states())]
    state: Option<ExecutionState>,
    /// The most executions to show.
    #[arg(long, default_value_t = 100, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    max: usize,
    #[command(flatten)]
    operator: Operator,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn states() -> impl TypedValueParser<Value = ExecutionState> {
    let names = PossibleValuesParser::new(ExecutionState::ALL.map(ExecutionState::name));
    names.try_map(|name| ExecutionState::of(&name).ok_or("no such state"))
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let tasks = Tasks::new(options.operator, options.worker);
    let (mut executions, mut from) = (Vec::new(), None);
    while executions.len() < options.max {
        let mut query = vec![("limit", (options.max - executions.len()).min(TASKS_PAGE).to_string())];
        query.extend(options.state.map(|state| ("state", state.name().to_owned())));
        query.extend(from.map(|from| ("from", from)));
        let page = tasks.list(&query).await?;
        executions.extend(page.executions);
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    match options.json {
        true => print(json!({"executions": executions, "next": from}))?,
        false if executions.is_empty() => print("no executions")?,
        false => print(shown(&executions))?,
    }
    if from.is_some() && !options.json {
        eprintln!("host-adapters: there are more than {}; --max shows more of them", options.max);
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(executions: &[Execution]) -> comfy_table::Table {
    let cells = ["execution", "state", "attempts", "started", "seconds", "reason"];
    let row = |execution: &Execution| {
        json!({
            "execution": execution.name, "state": execution.state.name(), "attempts": execution.attempts.to_string(),
            "started": time(execution.started_ms), "seconds": seconds(execution),
            "reason": reason(execution).chars().take(REASON_CHARS).collect::<String>(),
        })
    };
    let rows: Vec<Value> = executions.iter().map(row).collect();
    table(cells, &rows, |row| cells.map(|cell| text(row, cell)))
}
