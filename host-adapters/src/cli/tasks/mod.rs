//! `host-adapters tasks`: executions of workers' tasks on a running host. README.md, "Tasks", has its exit codes.

mod client;
mod elements;
mod for_each;
mod interrupt;
mod list;
mod show;
mod start;
mod stop;

use super::dead_letters::time;
use anyhow::Result;
use clap::{Args, Subcommand};
use host_adapters_platform::task::{Execution, ExecutionState};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start an execution, or one for each element of a file.
    Start(start::Options),
    /// List the executions of a worker, the latest first.
    List(list::Options),
    /// Show one execution: its input and its result.
    Show(show::Options),
    /// Stop executions that have not ended.
    Stop(stop::Options),
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    match options.command {
        Command::Start(options) => start::run(options).await,
        Command::List(options) => list::run(options).await,
        Command::Show(options) => show::run(options).await,
        Command::Stop(options) => stop::run(options).await,
    }
}

/// Why an execution has no output, in one line: `WorkerRefused: status 422: …`. A pause comes before what the last attempt
/// said.
fn reason(execution: &Execution) -> String {
    let parts = match &execution.paused {
        Some(paused) => [Some("paused"), Some(paused.reason.as_str())],
        None => [execution.error.as_deref(), execution.cause.as_deref()],
    };
    parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// Seconds from the start to the end; empty before.
fn seconds(execution: &Execution) -> String {
    let took = execution.ended_ms.map(|ended_ms| ended_ms.saturating_sub(execution.started_ms));
    took.map_or_else(String::new, |ms| format!("{}.{:01}", ms / 1000, ms % 1000 / 100))
}

fn has_succeeded(execution: &Execution) -> bool {
    execution.state == ExecutionState::Succeeded
}
