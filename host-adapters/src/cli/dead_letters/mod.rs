//! `host-adapters dead-letters`: lists and shows records that could not be processed, sends them back, or drops them.

mod list;
mod select;
mod show;
mod work;

pub(super) use show::fetch;

use anyhow::Result;
use chrono::{DateTime, SecondsFormat};
use clap::{Args, Subcommand};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Count dead letters by queue, worker, reason and digest of the component.
    List(list::Options),
    /// Show one dead letter: its record, and who gave it up when and why.
    Show(show::Options),
    /// Send records back: to their queue, or, if they came from a stream, to their worker at once.
    Redrive(work::Redrive),
    /// Delete dead letters for good.
    Drop(work::Discard),
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    match options.command {
        Command::List(options) => list::run(options).await,
        Command::Show(options) => show::run(options).await,
        Command::Redrive(options) => work::redrive(options).await,
        Command::Drop(options) => work::discard(options).await,
    }
}

/// A time as people read it.
pub(super) fn time(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis);
    time.map_or_else(String::new, |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// Digits of a digest that identify a version.
fn short(digest: Option<&str>) -> String {
    digest.unwrap_or_default().chars().take(12).collect()
}
