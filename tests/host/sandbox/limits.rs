//! Limits end the call that exceeds them, as retryable, and the next call is served.

use super::probe::{Probe, tight};
use host_adapters_runtime::{CallError, Limits};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long a call may take at most on a busy machine, whatever its own limit is.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_ends_its_call() {
    let probe = Probe::start(tight()).await;
    let error = probe.order(json!({"do": "trap"})).await.unwrap_err();
    assert!(matches!(error, CallError::Trapped(_)), "{error}");
    assert!(probe.serves().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_meets_the_cpu_limit() {
    // The wall-time limit is far higher, so it cannot be what ended the call.
    let probe = Probe::start(Limits { request_timeout_secs: Some(600), ..tight() }).await;
    let start = Instant::now();
    let error = probe.order(json!({"do": "loop"})).await.unwrap_err();
    assert!(error.to_string().contains("computed for too long"), "{error}");
    assert!(start.elapsed() < SOON);
    assert!(probe.serves().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_does_not_count_as_computing() {
    let probe = Probe::start(Limits { request_timeout_secs: Some(60), ..tight() }).await;
    // Longer than the limit of CPU time, shorter than that of wall time.
    assert!(probe.order(json!({"do": "wait", "ms": 500})).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_hog_meets_the_memory_limit() {
    let probe = Probe::start(Limits { max_cpu_ms: 60_000, ..tight() }).await;
    let error = probe.order(json!({"do": "hog"})).await.unwrap_err();
    assert!(error.to_string().contains("out of memory"), "{error}");
    assert!(probe.serves().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_never_answers_meets_the_wall_time() {
    let limits = Limits { request_timeout_secs: Some(1), ..tight() };
    let limit = limits.request_timeout();
    let probe = Probe::start(limits).await;
    let start = Instant::now();
    let error = probe.order(json!({"do": "wait", "ms": 600_000})).await.unwrap_err();
    assert_eq!(error, CallError::TimedOut(limit));
    assert!(start.elapsed() < SOON);
    assert!(probe.serves().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_lines_is_cut_with_one_warning() {
    let probe = Probe::start(Limits { max_cpu_ms: 60_000, ..tight() }).await;
    assert!(probe.order(json!({"do": "log", "lines": 3000})).await.is_ok());
    let lines = probe.world.lines();
    assert_eq!(lines.len(), 1000);
    let warnings: Vec<_> = lines.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(lines[998].contains(r#""n":998"#) && lines[999] == *warnings[0], "{}", lines[999]);
    // The next call may log again.
    assert!(probe.order(json!({"do": "log", "lines": 2})).await.is_ok());
    assert_eq!(probe.world.lines().len(), 1002);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_line_is_cut() {
    let probe = Probe::start(Limits { max_cpu_ms: 60_000, ..tight() }).await;
    assert!(probe.order(json!({"do": "log", "lines": 2, "padding": 100 << 10})).await.is_ok());
    let lengths: Vec<_> = probe.world.lines().iter().map(String::len).collect();
    assert_eq!(lengths, [64 << 10, 64 << 10]);
}
