//! `cargo bench-host`: what the host costs, each figure compared with a baseline of the same run.
//!
//! Each group of figures is a module; [`rounds`] alternates the measurements, [`report`] prints. docs/performance.md
//! says what each figure means and what was tried to improve it.

mod batch;
mod cache;
mod client;
mod http;
mod neighbours;
mod options;
mod place;
mod process;
mod queue;
mod registration;
mod report;
mod rounds;
mod scores;
mod servers;
mod startup;
mod swap;

use anyhow::{Result, ensure};
use clap::Parser;
use options::{Baseline, Group, Options};
use report::{Figure, Report};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-host: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    match &options.command {
        Some(Baseline::Http { jwks, campaign }) => return http::native::serve(jwks, campaign),
        Some(Baseline::Sqs { endpoint, queue }) => return servers::sqs::native::run(endpoint, queue),
        Some(Baseline::Stream { endpoint, table }) => return servers::streams::native::run(endpoint, table),
        None => ensure!(!options.lacks_servers(), "`sqs` and `dynamodb-streams` need servers: add --servers"),
    }
    let mut report = Report::default();
    let effort = options.effort();
    let mut measure = |group: Group, measure: &dyn Fn() -> Result<Vec<Figure>>| -> Result<()> {
        if options.wants(group) {
            eprintln!("measuring {group:?}");
            report.extend(measure()?);
        }
        Ok(())
    };
    measure(Group::Batch10, &|| batch::measure(effort))?;
    measure(Group::Http, &|| http::measure(effort, &options.host))?;
    measure(Group::Cache, &|| cache::measure(effort, &options.host))?;
    measure(Group::Neighbours, &|| neighbours::measure(effort, &options.host))?;
    measure(Group::Queue, &|| queue::measure(effort))?;
    measure(Group::Scores, &|| scores::measure(effort, options.rows as usize, &options.host))?;
    measure(Group::Startup, &|| startup::measure(effort, &options.host))?;
    measure(Group::Swap, &|| swap::measure(effort))?;
    measure(Group::Sqs, &|| servers::sqs::measure(effort, &options.host))?;
    measure(Group::DynamodbStreams, &|| servers::streams::measure(effort, &options.host))?;
    if options.json {
        println!("{}", report.json());
    } else {
        println!("{}", report.table());
    }
    Ok(())
}
