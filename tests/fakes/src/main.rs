//! The fakes as a program: prints the addresses as one JSON line and serves until it is interrupted. It fails if a
//! caller violated a rule.

use anyhow::Context;
use clap::Parser;
use fake_services::{FakeServices, Faults, Options, Service};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Serves the Entry, User, Campaign and Code services and Slack on 127.0.0.1.
#[derive(Parser)]
struct Arguments {
    /// Port of the Entry Service; 0 for any free one.
    #[arg(long, default_value_t = 0)]
    entry_port: u16,
    /// Port of the User Service; 0 for any free one.
    #[arg(long, default_value_t = 0)]
    user_port: u16,
    /// Port of the Campaign Service; 0 for any free one.
    #[arg(long, default_value_t = 0)]
    campaign_port: u16,
    /// Port of the Code Service; 0 for any free one.
    #[arg(long, default_value_t = 0)]
    code_port: u16,
    /// Port of Slack; 0 for any free one.
    #[arg(long, default_value_t = 0)]
    slack_port: u16,
    /// The host's public key (P-256, PEM); without it signatures are not checked.
    #[arg(long)]
    public_key: Option<PathBuf>,
    /// Faults as JSON, as PUT /_control/faults takes them.
    #[arg(long, value_parser = parse_faults)]
    faults: Option<Faults>,
}

fn parse_faults(text: &str) -> Result<Faults, serde_json::Error> {
    serde_json::from_str(text)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let read = |path: PathBuf| std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()));
    let options = Options {
        public_key: arguments.public_key.map(read).transpose()?,
        faults: arguments.faults.unwrap_or_default(),
        ports: [
            arguments.entry_port,
            arguments.user_port,
            arguments.campaign_port,
            arguments.code_port,
            arguments.slack_port,
        ],
    };
    let fakes = FakeServices::start(options).await?;
    let urls: BTreeMap<_, _> = Service::ALL.map(|service| (service.name(), fakes.upstream(service))).into();
    println!("{}", json!(urls));
    tokio::signal::ctrl_c().await.context("waiting for the interrupt")?;
    let violations = fakes.violations();
    anyhow::ensure!(violations.is_empty(), "{}", violations.join("\n"));
    Ok(())
}
