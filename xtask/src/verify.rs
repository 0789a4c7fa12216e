//! `cargo verify`: lints and tests everything; what needs servers or takes long only where it is asked for.

use crate::build::{self, Built, Linting};
use anyhow::Result;
use std::process::Command;

/// How much is asked for; each includes the ones before.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub enum Extent {
    /// What needs nothing but the build's tools.
    Usual,
    /// Also what needs servers.
    Servers,
    /// Everything.
    All,
}

/// A step that is left out unless it is asked for.
struct Step {
    headline: &'static str,
    /// Why it is not always taken.
    because: &'static str,
    /// What asks for it.
    from: Extent,
    command: fn(&Built) -> Command,
}

const MORE: &[Step] = &[
    Step {
        headline: "contract, demo and faults on DynamoDB Local, ElasticMQ, a MongoDB and Redis",
        because: "it needs Java, Maven and redis-server",
        from: Extent::Servers,
        command: |_| {
            let mut tests = test("--test=real");
            // They wait for the servers' time, not for the processor.
            tests.args(["--", "--test-threads=16"]);
            tests
        },
    },
    Step {
        headline: "50,000 registrations while the host is killed 20 times",
        because: "it takes long",
        from: Extent::All,
        command: |built| build::program(built, "demo", &["--registrations", "50000", "--kills", "20"]),
    },
];

/// Takes all steps that are asked for, or up to the first that fails; says what was left out.
pub fn run(extent: Extent) -> Result<()> {
    let built = build::native(Linting::On)?;
    build::components(&built, &[])?;
    build::run(&mut test("--all-targets"))?;
    // `--all-targets` has left it out: it is linted here, and run below.
    build::run(test("--test=real").arg("--no-run"))?;
    let (taken, left): (Vec<_>, Vec<_>) = MORE.iter().partition(|step| step.from <= extent);
    for step in taken {
        eprintln!("\n━━ {} ━━\n", step.headline);
        build::run(&mut (step.command)(&built))?;
    }
    for step in left {
        let option = if step.from == Extent::Servers { "--servers" } else { "--all" };
        eprintln!("left out, for {}: {} (cargo verify {option})", step.because, step.headline);
    }
    Ok(())
}

fn test(targets: &str) -> Command {
    let mut test = build::cargo(Linting::On);
    test.args(["test", "--release", "--locked", "--workspace", targets]);
    test
}
