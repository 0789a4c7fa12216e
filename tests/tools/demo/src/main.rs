//! `cargo demo`: registrations end to end through the host, and the proof from the outside that none was lost.
//!
//! [`generate`] or [`input`] makes the registrations, each with the outcome it should have. [`app`] starts the
//! services' fakes and the [`host`], [`load`] sends the registrations, [`resolver`] writes what AppSync would,
//! [`settle`] waits until everything is replicated, [`redrive`] sends dead letters back, [`check`] compares, and
//! [`report`] prints the summary. The demo shares no code with the workers.

mod app;
mod check;
mod gateway;
mod generate;
mod host;
mod inject;
mod input;
mod lag;
mod load;
mod metrics;
mod options;
mod poison;
mod progress;
mod redrive;
mod report;
mod resolver;
mod seed;
mod servers;
mod services;
mod settle;
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
