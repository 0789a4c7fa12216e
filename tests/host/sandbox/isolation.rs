//! A trap during other calls of the same instance.

use super::probe::{Probe, tight};
use host_adapters_runtime::{CallError, Limits};
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

const CALLS: usize = 16;
/// Longer than a call takes on a busy machine, in seconds.
const LONG: Option<u32> = Some(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_among_sixteen_answers_all_of_them_and_the_next_call_is_served() {
    let limits = Limits { max_instance_concurrent_reuse_count: Some(CALLS), request_timeout_secs: LONG, ..tight() };
    let probe = Arc::new(Probe::start(limits).await);
    let calls: Vec<_> = (1..CALLS).map(|_| call(&probe, json!({"do": "wait", "ms": 600_000}))).collect();
    // The instance has taken the fifteen calls off the queue by then; the trap comes last and ends them.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(matches!(probe.order(json!({"do": "trap"})).await, Err(CallError::Trapped(_))));
    for call in calls {
        let answer = call.await.unwrap();
        assert!(matches!(answer, Err(CallError::Trapped(_))), "{answer:?}");
    }
    assert!(probe.serves().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_leaves_other_instances_alone() {
    let probe = Arc::new(Probe::start(Limits { max_instances: 2, request_timeout_secs: LONG, ..tight() }).await);
    let other = call(&probe, json!({"do": "wait", "ms": 500}));
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(probe.order(json!({"do": "trap"})).await.is_err());
    assert_eq!(other.await.unwrap(), Ok("ack".to_owned()));
}

/// A call that takes too long also ends the other calls of its instance, but these are not reported as timed out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_times_out_before_its_limit() {
    let limits = Limits { max_instance_concurrent_reuse_count: Some(2), request_timeout_secs: Some(1), ..tight() };
    let limit = limits.request_timeout();
    let probe = Arc::new(Probe::start(limits).await);
    let first = call(&probe, json!({"do": "wait", "ms": 600_000}));
    tokio::time::sleep(limit / 2).await;
    let began = Instant::now();
    let second = probe.order(json!({"do": "wait", "ms": 600_000})).await.unwrap_err();
    assert!(matches!(second, CallError::Trapped(_)) || began.elapsed() >= limit, "{second}: {:?}", began.elapsed());
    assert_eq!(first.await.unwrap(), Err(CallError::TimedOut(limit)));
    assert!(probe.serves().await);
}

fn call(probe: &Arc<Probe>, order: serde_json::Value) -> tokio::task::JoinHandle<Result<String, CallError>> {
    let probe = probe.clone();
    tokio::spawn(async move { probe.order(order).await })
}
