//! `cargo bench-host --servers` runs: host and baselines settle every record once. (The figures of such a short run
//! mean nothing.)

use serde_json::Value;
use std::process::Command;
use tests::programs::native;

#[test]
fn the_sources_are_measured_beside_loops_of_the_sdk() {
    let output = Command::new(native().join("bench-host"))
        .args(["--servers", "--only", "sqs", "--only", "dynamodb-streams", "--quick", "--rounds", "1", "--json"])
        .env("HOST_ADAPTERS_BIN", native().join("host-adapters"))
        .output()
        .expect("it is built with the workspace; run `cargo verify`");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {log}"));
    let rates = ["sqs_msgs_per_s", "native_sqs_msgs_per_s", "stream_records_per_s", "native_stream_records_per_s"];
    for key in rates {
        assert!(figures[key].as_f64() > Some(0.0), "{key}: {figures}");
    }
}
