//! `host-adapters versions`: which version of each worker a running host serves.

use super::operator::{Operator, rows, table, text};
use super::{FAILED, print};
use anyhow::Result;
use clap::Args;
use comfy_table::Table;
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    operator: Operator,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let answer = match options.operator.ask("versions", &json!({})).await? {
        Ok(answer) => answer,
        Err(refusal) => {
            eprintln!("host-adapters: {refusal}");
            return Ok(ExitCode::from(FAILED));
        }
    };
    match options.json {
        true => print(&answer)?,
        false => print(versions(&answer))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn versions(answer: &Value) -> Table {
    let header = ["worker", "digest", "since", "instances", "old calls", "source"];
    table(header, rows(answer, "versions"), |version| {
        let digest: String = text(version, "digest").chars().take(12).collect();
        let retiring = version.get("retiring").unwrap_or(&Value::Null);
        let field = |name| text(version, name);
        [field("worker"), digest, field("since"), field("instances"), text(retiring, "calls"), field("source")]
    })
}
