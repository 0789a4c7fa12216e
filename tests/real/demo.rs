//! The demo on real servers: the same registrations, checks and summary as on the embedded backends.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the native programs: the test binary is in its `deps`.
pub fn programs() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

fn green(arguments: &[&str]) -> Value {
    let output = Command::new(programs().join("demo"))
        .args(["--servers", "--json"])
        .args(arguments)
        .env("HOST_ADAPTERS_BIN", programs().join("host-adapters"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("the demo is built with the workspace; run `cargo verify`");
    let log = String::from_utf8_lossy(&output.stderr);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {log}"));
    assert!(output.status.success(), "{arguments:?} ended with {}: {summary}\n{log}", output.status);
    assert_eq!((&summary["lost"], &summary["unexpected"]), (&0.into(), &0.into()), "{summary}");
    summary
}

/// While services fail and the host is killed. (One run: they would share the machine and a database of Redis.)
#[test]
fn nothing_is_lost_on_real_servers() {
    let summary = green(&["--registrations", "1000", "--rate", "100", "--faults", "--kills", "2"]);
    assert_eq!((&summary["registrations"], &summary["restarts"]), (&1000.into(), &2.into()), "{summary}");
}
