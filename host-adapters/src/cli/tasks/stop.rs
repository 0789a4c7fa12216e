//! `tasks stop`: stops executions that have not ended.

use super::client::Tasks;
use crate::cli::operator::Operator;
use crate::cli::{FAILED, print};
use anyhow::Result;
use clap::Args;
use host_adapters_platform::task::ExecutionState;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    /// The worker, by its id or its name in the documents.
    worker: String,
    /// The executions' names.
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let tasks = Tasks::new(options.operator, options.worker);
    let mut all_stopped = true;
    for name in &options.names {
        let execution = tasks.stop(name).await?;
        all_stopped &= execution.state == ExecutionState::Stopped;
        print(format!("{}: {name} {}", execution.worker, execution.state.name()))?;
    }
    Ok(if all_stopped { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}
