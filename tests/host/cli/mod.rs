//! The program `host-adapters` as a process: arguments, output and exit codes.

mod connections;
mod dead_letters;
mod early;
mod events;
mod events_read;
mod files;
mod identity;
mod invoke;
mod queues_differ;
mod runtime_config;
mod signals;
mod up;
mod validate;
mod variables;

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};
use tests::programs;

/// The outcome of a command.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Standard output, which must be one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs `host-adapters` in the project's root.
pub fn run(arguments: &[&str]) -> Outcome {
    run_with_input(arguments, "")
}

pub fn run_with_input(arguments: &[&str], input: &str) -> Outcome {
    let mut command = command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read its input may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The program, without the environment variables that it reads.
pub fn command() -> Command {
    let mut command = Command::new(programs::host_adapters());
    command.current_dir(programs::project());
    let shared = ["LOG_LEVEL", "CONFIG_ENV", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let ours =
        ["HOST_ADAPTERS_FAN_TOKEN", "HOST_ADAPTERS_SERVICE_KEY", "HOST_ADAPTERS_TOKEN", "HOST_ADAPTERS_RUNTIME_CONFIG"];
    for name in shared.into_iter().chain(ours) {
        command.env_remove(name);
    }
    command
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    for arguments in [vec!["serve"], vec!["invoke"], vec!["up", "--listen", "nowhere"], vec![]] {
        let outcome = run(&arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(outcome.stderr.contains("--help"), "{outcome:?}");
    }
}

#[test]
fn queues_says_when_no_host_answers() {
    let outcome = run(&["queues", "--gateway", "http://127.0.0.1:1", "--token", "t"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.contains("is `host-adapters up` running?"), "{outcome:?}");
}
