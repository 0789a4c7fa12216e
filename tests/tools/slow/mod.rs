//! Tests that run whole demos and take long. `cargo verify` runs those of `demo_under_faults`; `--slow` runs all.

mod demo_at_length;
mod demo_under_faults;

use crate::tools::assert_selected;
use serde_json::Value;
use std::process::{Command, Output};
use tests::programs::{beside_others, host_adapters, make_data, native, project};

fn demo(arguments: &[&str]) -> (Output, Value) {
    let _beside = beside_others();
    run(arguments)
}

fn run(arguments: &[&str]) -> (Output, Value) {
    let data = tempfile::TempDir::with_prefix("demo-").unwrap();
    make_data(&data.path().join("host"));
    let output = Command::new(native().join("demo"))
        .args(arguments)
        .arg("--json")
        .arg("--data-dir")
        .arg(data.path())
        .env("HOST_ADAPTERS_BIN", host_adapters())
        .current_dir(project())
        .output()
        .expect("the demo is built with the workspace; run `cargo verify`");
    let summary = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no summary ({error}); its log: {}", String::from_utf8_lossy(&output.stderr)));
    (output, summary)
}

fn green(arguments: &[&str]) -> Value {
    let (output, summary) = demo(arguments);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} ended with {}: {summary}\n{log}", output.status);
    assert_eq!(summary["lost"], 0, "{summary}");
    assert_eq!(summary["unexpected"], 0, "{summary}");
    assert_eq!(summary["dead_letters"], 0, "{summary}");
    assert_selected(&summary);
    summary
}
