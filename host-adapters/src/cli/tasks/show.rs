//! `tasks show`: one execution with its input and its outcome.

use super::client::Tasks;
use super::time;
use crate::cli::operator::Operator;
use crate::cli::print;
use anyhow::Result;
use clap::Args;
use host_adapters_json::pretty;
use host_adapters_platform::task::Execution;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    /// The worker, by its id or its name in the documents.
    worker: String,
    /// The execution's name, or its id.
    name: String,
    #[command(flatten)]
    operator: Operator,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let execution = Tasks::new(options.operator, options.worker).show(&options.name).await?;
    match options.json {
        true => print(serde_json::to_string(&execution)?)?,
        false => print(shown(&execution)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(execution: &Execution) -> Result<String> {
    let Execution { worker, name, id, state, attempts, failures, error, cause, .. } = execution;
    let at = |ms: Option<u64>| ms.map(time);
    let paused = execution.paused.as_ref();
    let paused = paused.map(|it| format!("{}; for {} s, next probe in {} s", it.reason, it.for_secs, it.probe_in_secs));
    let lines = [
        ("worker", Some(worker.clone())),
        ("name", Some(name.clone())),
        ("id", Some(id.clone())),
        ("state", Some(state.name().to_owned())),
        ("attempts", Some(attempts.to_string())),
        ("failures", Some(failures.to_string())),
        ("started", Some(time(execution.started_ms))),
        ("due", at(execution.due_ms)),
        ("paused", paused),
        ("ended", at(execution.ended_ms)),
        ("error", error.clone()),
        ("cause", cause.clone()),
    ];
    let mut text: String =
        lines.into_iter().filter_map(|(name, value)| Some(format!("{name:<16}{}\n", value?))).collect();
    for (title, json) in [("input", &execution.input), ("output", &execution.output)] {
        if let Some(json) = json {
            text += &format!("\n{title}\n{}\n", pretty(json)?);
        }
    }
    Ok(text.trim_end().to_owned())
}
