//! `host-adapters swap`: replaces one worker of a running host by another file.

use super::operator::{Operator, text};
use super::{FAILED, UNUSABLE, print};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    /// The worker, by its id (`save-entries`) or its name in the documents (`saveEntries`).
    worker: String,
    /// The component that is to serve. It is verified first; if it cannot serve, it is refused and the present version
    /// serves on. After a restart the file that spin.toml names serves again.
    file: PathBuf,
    #[command(flatten)]
    operator: Operator,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let wasm = std::fs::read(&options.file).with_context(|| format!("cannot read {}", options.file.display()))?;
    let answer = match options.operator.send(&format!("swap/{}", options.worker), wasm).await? {
        Ok(answer) => answer,
        Err(refusal) => {
            eprintln!("host-adapters: {refusal}");
            return Ok(ExitCode::from(if refusal.is_of_nothing() { UNUSABLE } else { FAILED }));
        }
    };
    match options.json {
        true => print(&answer)?,
        false => print(sentence(&answer))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `save-entries: 0123456789ab serves instead of ba9876543210, after 3.2 ms (compiled before)`.
fn sentence(answer: &Value) -> String {
    let digest = |name| text(answer, name).chars().take(12).collect::<String>();
    let (worker, now, before) = (text(answer, "worker"), digest("digest"), digest("replaced"));
    if answer.get("changed") == Some(&Value::Bool(false)) {
        return format!("{worker}: {now} serves already");
    }
    let how = if answer.get("cached") == Some(&Value::Bool(true)) { "compiled before" } else { "compiled afresh" };
    format!("{worker}: {now} serves instead of {before}, after {} ms ({how})", text(answer, "ms"))
}
