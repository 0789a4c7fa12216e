//! `cargo demo`: sends registrations end to end through the host, and proves from outside that none was lost.
//!
//! [`generate`] or [`input`] makes the registrations, each with its expected outcome. [`app`] starts the fakes of the
//! services and the [`host`], [`load`] sends the registrations, [`resolver`] writes what AppSync would write, [`disturb`]
//! lets things go wrong at the end, [`settle`] waits until everything is replicated, [`redrive`] sends dead letters back,
//! [`scoring`] lets scored files arrive, [`selection`] has winners selected, [`pipeline`] reads the event log, [`check`] compares, and [`report`] prints the summary; [`keep`] says how to call what
//! `--keep` leaves running. The demo shares no code with the workers.

mod app;
mod check;
mod disturb;
mod faults;
mod folder;
mod gateway;
mod generate;
mod host;
mod inject;
mod input;
mod keep;
mod kills;
mod lag;
mod load;
mod metrics;
mod options;
mod phases;
mod pipeline;
mod poison;
mod progress;
mod redrive;
mod report;
mod resolver;
mod scoring;
mod seed;
mod selection;
mod servers;
mod services;
mod settle;
mod stores;
mod tokens;

use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match app::run(options::Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
