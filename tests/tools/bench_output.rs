//! The benchmark runs and prints every figure. The figures of such a short run mean nothing.

use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;
use tests::programs::{bench_host, compiled, host_adapters, project};

/// The keys of the object that `--json` prints.
const KEYS: &[&str] = &[
    "batch10_fresh_us",
    "batch10_native_us",
    "batch10_node_us",
    "batch10_reused_us",
    "cache_hung_p50_ms",
    "cache_hung_p95_ms",
    "cache_slow_p95_ms",
    "cache_up_p50_ms",
    "cache_up_p95_ms",
    "host_cpu_us_per_msg",
    "http_p50_ms",
    "http_p99_ms",
    "http_rps",
    "native_cpu_us_per_msg",
    "native_http_p50_ms",
    "native_http_p99_ms",
    "native_http_rps",
    "native_queue_msgs_per_s",
    "native_scores_rows_per_s",
    "neighbour_p99_ms",
    "queue_msgs_per_s",
    "ratios",
    "rss_mb",
    "scores_host",
    "scores_rows_per_s",
    "startup_cold_ms",
    "startup_ms",
    "swap_compiling_ms",
    "swap_ms",
];

#[test]
fn every_figure_is_printed() {
    let mut bench = Command::new(bench_host());
    bench.args(["--quick", "--rounds", "1", "--json"]).env("HOST_ADAPTERS_BIN", host_adapters());
    bench.env("BENCH_COMPILED", compiled());
    let output = bench.current_dir(project()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    let printed: BTreeSet<_> = figures.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(printed, KEYS.iter().copied().collect());
    let numbers = figures.as_object().unwrap().iter().filter(|(_, value)| !value.is_object());
    for (key, value) in numbers {
        // A machine without Node lacks this figure.
        let measured = value.as_f64().is_some_and(|it| it > 0.0) || (*key == "batch10_node_us" && value.is_null());
        assert!(measured, "{key}: {value}");
    }
    assert!(figures["rss_mb"]["idle"].as_f64() > Some(1.0) && figures["rss_mb"]["loaded"].as_f64() > Some(1.0));
    for scores in ["scores_rows_per_s", "native_scores_rows_per_s"] {
        assert!(["few", "many"].into_iter().all(|file| figures[scores][file].as_f64() > Some(0.0)), "{figures}");
    }
    assert!(figures["scores_host"]["rows_per_s"].as_f64() > Some(0.0), "{figures}");
    let neighbour = figures["neighbour_p99_ms"].as_object().unwrap();
    assert_eq!(neighbour.keys().collect::<Vec<_>>(), ["alone", "endless_loop", "log_flood", "memory_hog"]);
    assert!(neighbour.values().all(|it| it.as_f64() > Some(0.0)), "{neighbour:?}");
}

#[test]
fn figures_that_need_servers_are_refused_without_them() {
    let output = Command::new(bench_host()).args(["--only", "sqs", "--quick"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.contains("add --servers"), "{said}");
}
