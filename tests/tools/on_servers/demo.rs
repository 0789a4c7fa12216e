//! The demo on real servers: the same registrations, checks and summary as on the embedded backends.

use crate::tools::assert_selected;
use serde_json::Value;
use std::process::Command;
use tests::manifest;
use tests::programs::{alone, host_adapters, make_data, native, project};

fn green(arguments: &[&str]) -> Value {
    let _alone = alone();
    let data = tempfile::TempDir::with_prefix("demo-").unwrap();
    make_data(&data.path().join("host"));
    let output = Command::new(native().join("demo"))
        .args(["--servers", "--json", "--data-dir"])
        .arg(data.path())
        .args(arguments)
        .env("HOST_ADAPTERS_BIN", host_adapters())
        .current_dir(project())
        .output()
        .expect("the demo is built with the workspace; run `cargo verify`");
    let log = String::from_utf8_lossy(&output.stderr);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {log}"));
    assert!(output.status.success(), "{arguments:?} ended with {}: {summary}\n{log}", output.status);
    for none in ["lost", "unexpected", "dead_letters"] {
        assert_eq!(summary[none], 0, "{none}: {summary}");
    }
    assert_selected(&summary);
    summary
}

/// While services fail and the host is killed.
#[test]
fn nothing_is_lost_on_real_servers() {
    let summary = green(&["--registrations", "1000", "--rate", "100", "--faults", "--kills", "3"]);
    assert_eq!((&summary["registrations"], &summary["restarts"]), (&1000.into(), &3.into()), "{summary}");
}

/// Each message is received only once, so messages in flight at a kill become dead letters.
#[test]
fn messages_whose_receives_were_used_up_by_kills_are_sent_back() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("spin.toml");
    std::fs::write(&manifest, manifest::changed(|it| manifest::set_queues(it, 5, 1))).unwrap();
    let manifest = manifest.to_str().unwrap();
    let summary = green(&["--registrations", "500", "--rate", "100", "--kills", "2", "--manifest", manifest]);
    assert!(summary["redriven"].as_u64().is_some_and(|redriven| redriven > 0), "{summary}");
}
