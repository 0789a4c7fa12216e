//! `tasks stop`: stops executions that have not ended.

use super::client::Tasks;
use crate::cli::operator::{Operator, Refused};
use crate::cli::{FAILED, print};
use anyhow::Result;
use clap::Args;
use host_adapters_platform::task::ExecutionState;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    /// The worker, by its id or its name in the documents.
    worker: String,
    /// The executions' names, or their ids.
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let tasks = Tasks::new(options.operator, options.worker);
    let mut all_stopped = true;
    for name in &options.names {
        match tasks.stop(name).await {
            Ok(execution) => {
                all_stopped &= execution.state == ExecutionState::Stopped;
                print(format!("{}: {} {}", execution.worker, execution.name, execution.state.name()))?;
            }
            Err(error) if error.is::<Refused>() => {
                all_stopped = false;
                eprintln!("host-adapters: {error}");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(if all_stopped { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}
