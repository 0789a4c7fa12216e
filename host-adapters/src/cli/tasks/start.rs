//! `tasks start`: starts an execution, or one for each element of a file.

use super::client::{Tasks, refused};
use super::interrupt::{Ended, or_interrupted};
use super::{elements, for_each, has_succeeded, reason};
use crate::cli::invoke::event::text_of;
use crate::cli::operator::Operator;
use crate::cli::{FAILED, print};
use anyhow::{Context, Result, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use host_adapters_json::pretty;
use host_adapters_platform::task::Execution;
use serde_json::value::RawValue;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    /// The worker, by its id (`enqueue-market-selections`) or its name in the documents (`enqueueMarketSelections`).
    worker: String,
    /// What the execution is called, of letters, digits, `-`, `_` and `.`; a new name if it is left out. The same name with
    /// the same input is the same execution. With `--for-each` it is the first part of every name.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// The input: JSON, `@file`, or `-` for standard input; `{}` if it is left out.
    #[arg(conflicts_with = "for_each")]
    input: Option<String>,
    /// Start one execution for each element of a file, side by side. The file (`-` for standard input) is a JSON list, or
    /// JSON Lines; each element is the input of one.
    #[arg(long, value_name = "FILE")]
    for_each: Option<String>,
    /// Name executions by this member of their elements (`marketId`), not by their numbers.
    #[arg(long, value_name = "MEMBER", requires = "for_each")]
    name_by: Option<String>,
    /// Wait until the execution has ended, and print its output; with `--for-each`, until all have, and print what came
    /// of each. The exit code is 0 only if they have succeeded. Ctrl-C ends the wait, but no execution.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    operator: Operator,
    /// Print executions as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(mut options: Options) -> Result<ExitCode> {
    // Without a name the input comes first.
    if let Some(input) = options.name.take_if(|name| is_input(name)) {
        if options.for_each.is_some() || options.input.is_some() {
            bail!("{input} is not a name; write letters, digits, `-`, `_` and `.`");
        }
        options.input = Some(input);
    }
    let tasks = Tasks::new(options.operator.clone(), options.worker.clone());
    if let Some(file) = &options.for_each {
        let elements = elements::read(file, options.name.as_deref(), options.name_by.as_deref())?;
        return for_each::run(&tasks, elements, options.wait, options.json).await;
    }
    let input = text_of(options.input.as_deref().unwrap_or("{}"), "input")?;
    serde_json::from_str::<&RawValue>(&input).context("the input is not JSON; write '{…}', @file or -")?;
    let name = options.name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let mut execution = tasks.start(&name, input).await?.map_err(refused)?;
    if options.wait {
        let goes_on = goes_on(&execution);
        let ended = tasks.ended(execution, |line| eprintln!("{line}"));
        execution = match or_interrupted(ended, || goes_on).await? {
            Ended::Done(execution) => execution,
            Ended::Interrupted(code) => return Ok(code),
        };
    }
    tell(&execution, options.json)?;
    let failed = options.wait && !has_succeeded(&execution);
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// The message if the wait is interrupted.
fn goes_on(Execution { worker, name, .. }: &Execution) -> String {
    format!(
        "no longer waits; the execution goes on. `host-adapters tasks show {worker} {name}` shows it, \
         `host-adapters tasks stop {worker} {name}` stops it"
    )
}

/// Whether an argument is an input and not a name.
fn is_input(argument: &str) -> bool {
    argument == "-" || argument.starts_with(['{', '[', '"', '@'])
}

/// Prints an execution: its output, once there is one, and why there is none otherwise.
fn tell(execution: &Execution, json: bool) -> Result<()> {
    let Execution { worker, name, state, .. } = execution;
    match &execution.output {
        _ if json => print(serde_json::to_string(execution)?)?,
        Some(output) => print(pretty(output)?)?,
        None if state.has_ended() => eprintln!("{worker}: {name} {}: {}", state.name(), reason(execution)),
        None => print(format!("{worker}: {name} {}", state.name()))?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_input;

    #[test]
    fn an_input_looks_like_one() {
        for input in ["{}", "[1]", "\"a\"", "@file", "-"] {
            assert!(is_input(input), "{input}");
        }
        for name in ["market-1", "a.b", "-1", "7"] {
            assert!(!is_input(name), "{name}");
        }
    }
}
