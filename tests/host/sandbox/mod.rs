//! The runtime alone, with a guest that misbehaves on demand and a host for tests.

mod data_streams;
pub mod documents;
mod isolation;
mod limits;
mod objects;
pub mod probe;
mod replacement;
mod surroundings;
mod topics;
pub mod world;

use host_adapters_runtime::{CallError, Called, Limits};
use probe::{PROBE, Probe, tight};
use serde_json::{Value, json};
use std::collections::HashSet;

/// An SQS event for the worker's own route, one record for each order.
fn post(orders: &[Value], token: &str) -> http::Request<bytes::Bytes> {
    let record = |(index, order): (usize, &Value)| json!({"messageId": format!("m{index}"), "body": order.to_string()});
    let records: Vec<_> = orders.iter().enumerate().map(record).collect();
    http::Request::post("http://localhost/workers/probe")
        .header("authorization", format!("Bearer {token}"))
        .body(json!({ "Records": records }).to_string().into())
        .unwrap()
}

fn answer(called: Called<http::Response<bytes::Bytes>>) -> (u16, Value) {
    let response = called.result.unwrap();
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}

#[tokio::test]
async fn each_record_has_its_disposition() {
    let probe = Probe::start(tight()).await;
    let orders = [
        json!({"do": "ack"}),
        json!({"do": "retry", "after_ms": 5}),
        json!({"do": "retry"}),
        json!({"do": "reject", "reason": "r"}),
    ];
    let called = probe.batch(&orders).await;
    assert_eq!(called.result.unwrap(), ["ack", "retry 5", "retry", "reject r"]);
    assert_eq!(called.outages, Vec::<String>::new());
}

#[tokio::test]
async fn too_few_and_too_many_dispositions_reach_the_caller_as_they_are() {
    let probe = Probe::start(tight()).await;
    assert_eq!(probe.batch(&[json!({"do": "none"})]).await.result.unwrap(), Vec::<String>::new());
    let called = probe.batch(&[json!({"do": "too-many"})]).await;
    assert_eq!(called.result.unwrap(), ["ack", "ack"]);
}

#[tokio::test]
async fn a_worker_that_returns_a_failure_is_not_a_trap() {
    let probe = Probe::start(tight()).await;
    assert_eq!(probe.order(json!({"do": "fail"})).await, Err(CallError::Failed("told to fail".to_owned())));
    assert!(probe.serves().await);
}

#[tokio::test]
async fn typed_and_http_calls_share_one_instance() {
    let probe = Probe::start(tight()).await;
    assert!(probe.serves().await);
    let orders = [json!({"do": "ack"}), json!({"do": "retry"})];
    let (status, body) = answer(probe.runtime.http(PROBE, post(&orders, "secret")).await);
    assert_eq!((status, &body["batchItemFailures"]), (200, &json!([{"itemIdentifier": "m1"}])));
    assert!(probe.serves().await);
    assert_eq!(probe.runtime.serving()[0].instances, 1);
}

/// The batch is halved until the record that causes the failure is alone; the others are done.
#[tokio::test]
#[allow(non_snake_case, reason = "begins with its line of docs/delivery.md")]
async fn d12_5__point_14_over_http_a_permanent_failure_costs_only_its_own_record() {
    let probe = Probe::start(tight()).await;
    let orders = [
        json!({"do": "ack"}),
        json!({"do": "retry", "reason": "busy", "after_ms": 9}),
        json!({"do": "nonsense"}),
        json!({"do": "reject", "reason": "no"}),
    ];
    let (status, body) = answer(probe.runtime.http(PROBE, post(&orders, "secret")).await);
    assert_eq!(status, 200, "{body}");
    let failures = body["batchItemFailures"].as_array().unwrap();
    assert_eq!(failures[0], json!({"itemIdentifier": "m1", "reason": "busy", "afterMs": 9}));
    assert_eq!((failures.len(), &failures[1]["itemIdentifier"]), (2, &json!("m2")));
    assert!(failures[1]["reason"].as_str().is_some_and(|reason| reason.contains("nonsense")), "{body}");
    assert_eq!(body["rejected"], json!([{"itemIdentifier": "m3", "reason": "no"}]));
    assert_eq!(body["count"], json!({"received": 4, "processed": 1, "failed": 2, "rejected": 1}));
}

#[tokio::test]
async fn over_http_a_missing_disposition_is_a_failure_and_one_too_many_an_error() {
    let probe = Probe::start(tight()).await;
    let (status, body) = answer(probe.runtime.http(PROBE, post(&[json!({"do": "none"})], "secret")).await);
    let reason = "the worker answered no disposition for the record";
    assert_eq!((status, &body["batchItemFailures"]), (200, &json!([{"itemIdentifier": "m0", "reason": reason}])));
    let (status, body) = answer(probe.runtime.http(PROBE, post(&[json!({"do": "too-many"})], "secret")).await);
    assert_eq!((status, &body["error"]["code"]), (500, &json!("WORKER_FAILED")));
}

#[tokio::test]
async fn http_needs_the_worker_token() {
    let probe = Probe::start(tight()).await;
    let (status, body) = answer(probe.runtime.http(PROBE, post(&[json!({"do": "ack"})], "guess")).await);
    assert_eq!((status, &body["error"]["code"]), (401, &json!("UNAUTHORIZED")));
}

#[tokio::test]
async fn an_unknown_component_cannot_be_called() {
    let probe = Probe::start(tight()).await;
    let called = probe.runtime.batch("other", vec![]).await;
    let error = called.result.unwrap_err();
    assert_eq!(error, CallError::NotCallable("there is no component `other`".to_owned()));
}

#[tokio::test]
async fn a_pre_initialised_component_starts_warm_and_others_do_not() {
    let probe = Probe::start(tight()).await;
    assert_eq!(probe.told(json!({"do": "warmth"})).await, "warm");
    probe.runtime.load(&probe::spec(&probe::files().await.cold, tight())).unwrap();
    assert_eq!(probe.told(json!({"do": "warmth"})).await, "cold");
}

#[tokio::test]
async fn an_instance_is_retired_after_its_calls() {
    let probe = Probe::start(Limits { max_instance_reuse_count: 3, ..tight() }).await;
    for _ in 0..10 {
        assert!(probe.serves().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overload_waits_and_nothing_fails() {
    let limits = Limits { max_instances: 2, ..Limits::default() };
    let probe = std::sync::Arc::new(Probe::start(limits).await);
    let calls = (0..100).map(|_| {
        let probe = probe.clone();
        tokio::spawn(async move {
            let answer = probe.order(json!({"do": "wait", "ms": 20})).await;
            (answer, probe.runtime.serving()[0].instances)
        })
    });
    let mut instances = HashSet::new();
    for call in calls.collect::<Vec<_>>() {
        let (answer, alive) = call.await.unwrap();
        assert_eq!(answer, Ok("ack".to_owned()));
        instances.insert(alive);
    }
    assert!(instances.contains(&2) && instances.iter().all(|alive| *alive <= 2), "{instances:?}");
}
