//! `cargo verify`: lints and tests everything; with `--all` also what takes too long for every change.

use crate::build::{self, Built, Linting};
use anyhow::Result;
use std::process::Command;

/// One of the steps that only `--all` takes.
struct Step {
    headline: &'static str,
    command: fn(&Built) -> Command,
}

const LONG: &[Step] = &[Step {
    headline: "50,000 registrations while the host is killed 20 times",
    command: |built| build::program(built, "demo", &["--registrations", "50000", "--kills", "20"]),
}];

/// Runs all steps, or up to the first that fails.
pub fn run(all: bool) -> Result<()> {
    let built = build::native(Linting::On)?;
    build::components(&built, &[])?;
    build::run(build::cargo(Linting::On).args(["test", "--release", "--locked", "--workspace", "--all-targets"]))?;
    for (number, step) in LONG.iter().enumerate().filter(|_| all) {
        eprintln!("\n━━ {} of {}: {} ━━\n", number + 1, LONG.len(), step.headline);
        build::run(&mut (step.command)(&built))?;
    }
    Ok(())
}
