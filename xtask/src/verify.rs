//! `cargo verify`: lints and tests everything. Slow tests, and tests that need servers, run only on request.

use crate::build::{self, Built, Linting};
use crate::fuzz;
use anyhow::Result;
use clap::Args;
use std::process::Command;

#[derive(Args)]
pub struct Options {
    /// Run only what the other options request, not what always runs.
    #[arg(long)]
    only: bool,
    /// Also run what needs servers, which are installed and started; they need Java, Maven, redis-server,
    /// Python 3.11 with venv, and npm.
    #[arg(long)]
    servers: bool,
    /// Also run the slow tests: long demos under faults, a crash at more of the durable steps, a host that is killed while
    /// it reads a scored file, swaps under load, the documents' own examples added to a copy of the project, `dev`.
    #[arg(long)]
    slow: bool,
    /// Also run all of that, and what takes too long for most changes: the whole demo with kills, a crash at every
    /// durable step, and fuzzing.
    #[arg(long)]
    all: bool,
    /// Also run the contract on AWS itself. It makes tables and queues whose names begin with `registration-workers-`
    /// in the account and region of the environment (AWS_PROFILE, AWS_REGION, …), and deletes them.
    #[arg(long)]
    aws: bool,
}

/// A step that is left out unless an option requests it.
struct Step {
    headline: &'static str,
    /// Why it does not always run.
    because: &'static str,
    /// The option that requests it.
    option: &'static str,
    asked_for: fn(&Options) -> bool,
    run: fn(&Built) -> Result<()>,
}

const MORE: &[Step] = &[
    Step {
        headline: "slow tests",
        because: "they take half an hour",
        option: "--slow",
        asked_for: |options| options.slow || options.all,
        run: |_| build::run(slow(&["::slow::"]).env("CRASH_AT", "some")),
    },
    Step {
        headline: "contract, demo and faults on DynamoDB Local, ElasticMQ, moto, kinesalite, a MongoDB, Redis, Kafka and LocalStack's Step Functions",
        because: "it needs Java, Maven, redis-server, Python and npm",
        option: "--servers",
        asked_for: |options| options.servers || options.all,
        run: |_| build::run(&mut on_servers(&["::on_servers::", "--skip=::on_aws::"])),
    },
    Step {
        headline: "50,000 registrations while the host is killed 20 times",
        because: "it takes long",
        option: "--all",
        asked_for: |options| options.all,
        run: |built| build::run(&mut build::program(built, "demo", &["--registrations", "50000", "--kills", "20"])),
    },
    Step {
        headline: "a crash at every durable step of the pipeline and of a selection, none left out",
        because: "it takes long",
        option: "--all",
        asked_for: |options| options.all,
        run: |_| build::run(slow(&["::slow::failpoints::"]).env("CRASH_AT", "every")),
    },
    Step {
        headline: "coverage-guided fuzzing, a minute for each target",
        because: "it builds the host a second time, with coverage",
        option: "--all",
        asked_for: |options| options.all,
        run: |_| fuzz::run(&fuzz::Options::all(60)),
    },
    Step {
        headline: "contract on AWS",
        because: "it needs an account and makes tables and queues in it",
        option: "--aws",
        asked_for: |options| options.aws,
        run: |_| build::run(on_servers(&["::on_aws::"]).env("CONTRACT_ON_AWS", "1")),
    },
];

/// Runs all steps that were requested, up to the first that fails; names those that were left out.
pub fn run(options: &Options) -> Result<()> {
    let built = build::native(Linting::On)?;
    build::components(&built, &[])?;
    build::guests()?;
    if !options.only {
        build::run(&mut test(&["--skip=::slow::", "--skip=::on_servers::"]))?;
        build::run(&mut slow(&["::slow::failpoints::", "::slow::demo_under_faults::"]))?;
    }
    let (taken, left): (Vec<_>, Vec<_>) = MORE.iter().partition(|step| (step.asked_for)(options));
    for step in taken {
        eprintln!("\n━━ {} ━━\n", step.headline);
        (step.run)(&built)?;
    }
    for step in left {
        eprintln!("left out, for {}: {} (cargo verify {})", step.because, step.headline, step.option);
    }
    Ok(())
}

/// Has the test that compares documents with the declarations of settings write them instead.
pub fn write_settings() -> Result<()> {
    build::run(test(&["project::settings::"]).env("UPDATE_EXPECT", "1"))
}

/// The slow tests that `filter` selects. Most wait for processes that they start.
fn slow(filter: &[&str]) -> Command {
    let mut tests = test(filter);
    tests.arg("--test-threads=4");
    tests
}

/// The tests that need servers. They mostly wait for the servers, not for the processor.
fn on_servers(filter: &[&str]) -> Command {
    let mut tests = test(filter);
    tests.arg("--test-threads=12");
    tests
}

/// The tests that `filter` selects. All targets are named however few it leaves: with fewer, dependencies have other
/// features, and Cargo would compile them again.
fn test(filter: &[&str]) -> Command {
    let mut test = build::cargo(Linting::On);
    test.args(["test", "--release", "--locked", "--workspace", "--all-targets", "--no-fail-fast", "--"]).args(filter);
    test
}
