//! The project's tasks, run by `cargo demo`, `cargo bench-host`, `cargo verify` and `cargo xtask`: they set up what is
//! missing, build what has changed and run the rest.

mod build;
mod fuzz;
mod servers;
mod setup;
mod verify;

use anyhow::{Context, Result};
use build::Built;
use clap::{Parser, Subcommand};
use std::os::unix::process::CommandExt;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of Registration Workers")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take registrations end to end through the workers on the embedded backends, and check that none was lost.
    #[command(disable_help_flag = true)]
    Demo {
        /// Options of the demo itself; `cargo demo --help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Measure what the host costs, each figure compared with a baseline (docs/performance.md).
    #[command(disable_help_flag = true)]
    BenchHost {
        /// Options of the benchmark itself; `cargo bench-host --help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Lint everything and run all tests.
    Verify(verify::Options),
    /// Run the fuzz targets: feed the parsers of external input with generated input, and report what breaks a rule.
    Fuzz(fuzz::Options),
    /// Build the host and the components (all, or those named) into `target/components`.
    Build {
        /// Ids of components, as in spin.toml.
        components: Vec<String>,
    },
    /// Write what is generated from the declarations of settings: `schemas/config`, and tables in README.md and
    /// `docs/configuration.md`.
    Schema,
    /// Servers for tests (DynamoDB Local, ElasticMQ, moto, kinesalite, a MongoDB, Redis, LocalStack, Kafka) on 127.0.0.1, in
    /// a folder of their own.
    Servers {
        #[command(subcommand)]
        command: servers::Command,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    setup::check()?;
    match cli.command {
        // With --servers the host needs the SDKs of the servers.
        Command::Demo { options } if options.iter().any(|option| option == "--servers") => {
            demo(&build::native(build::Linting::Off)?, &options)
        }
        Command::Demo { options } => demo(&build::embedded()?, &options),
        Command::BenchHost { options } => {
            let built = build::native(build::Linting::Off)?;
            build::guests()?;
            build::components(&built, &[])?;
            become_program(&built, "bench-host", &options)
        }
        Command::Verify(options) => verify::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Build { components } => {
            let built = build::native(build::Linting::Off)?;
            build::components(&built, &components)
        }
        Command::Schema => verify::write_settings(),
        Command::Servers { command } => servers::run(command),
    }
}

/// Compiles the components, for all later hosts of the demo, and becomes the demo.
fn demo(built: &Built, options: &[String]) -> Result<()> {
    build::components(built, &[])?;
    build::compile(built)?;
    become_program(built, "demo", options)
}

/// Becomes one of the programs, so that signals reach it and the exit code is its own.
fn become_program(built: &Built, program: &str, options: &[String]) -> Result<()> {
    Err(build::program(built, program, options).exec()).with_context(|| format!("cannot run {program}"))
}
