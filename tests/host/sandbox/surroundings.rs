//! What a guest sees of the host, and what the host learns of outages.

use super::probe::{Probe, tight};
use host_adapters_runtime::Limits;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn a_guest_reads_its_own_variables_only() {
    let probe = Probe::start(tight()).await;
    assert_eq!(probe.told(json!({"do": "variable", "name": "worker_token"})).await, "secret");
    let error = probe.told(json!({"do": "variable", "name": "signing_key"})).await;
    assert!(error.to_lowercase().contains("undefined") && error.contains("signing_key"), "{error}");
}

#[tokio::test]
async fn a_denied_host_is_an_error_and_not_an_outage() {
    let probe = Probe::start(tight()).await;
    assert_eq!(probe.told(json!({"do": "get", "url": "http://up.example/"})).await, "200 OK");
    let called = probe.batch(&[json!({"do": "get", "url": "http://elsewhere.example/"})]).await;
    let told = format!("{:?}", called.result.unwrap());
    assert!(told.to_lowercase().contains("denied"), "{told}");
    assert_eq!(called.outages, Vec::<String>::new());
}

#[tokio::test]
async fn the_platform_knows_which_component_asks() {
    let probe = Probe::start(tight()).await;
    let digest = probe.runtime.serving()[0].digest.clone();
    let told = probe.told(json!({"do": "call", "service": "up", "path": "/c1/entries?a=b"})).await;
    assert_eq!(told, format!("200 [(\"x-of\", \"probe\")] GET /c1/entries?a=b for probe {digest}"));
    assert_eq!(probe.told(json!({"do": "call", "service": "absent", "path": "/"})).await, "not granted");
    assert_eq!(probe.told(json!({"do": "read", "table": "present"})).await, "p/s for probe");
    assert_eq!(probe.told(json!({"do": "read", "table": "absent"})).await, "not granted");
}

#[tokio::test]
async fn outages_are_reported_with_the_call_that_met_them() {
    let probe = Probe::start(tight()).await;
    for (order, outages) in [
        (json!({"do": "read", "table": "down"}), vec!["table:down"]),
        (json!({"do": "call", "service": "busy", "path": "/"}), vec!["service:busy"]),
        (json!({"do": "call", "service": "down", "path": "/"}), vec!["service:down"]),
        (json!({"do": "call", "service": "limiting", "path": "/"}), vec![]),
        (json!({"do": "call", "service": "absent", "path": "/"}), vec![]),
        (json!({"do": "get", "url": "http://down.example/"}), vec![]),
        (json!({"do": "get", "url": "http://slow.example/"}), vec![]),
        (json!({"do": "read", "table": "absent"}), vec![]),
        (json!({"do": "ack"}), vec![]),
    ] {
        let called = probe.batch(std::slice::from_ref(&order)).await;
        assert!(called.result.is_ok(), "{order}");
        assert_eq!(called.outages, outages, "{order}");
    }
    let both = [json!({"do": "read", "table": "down"}), json!({"do": "call", "service": "down", "path": "/"})];
    assert_eq!(probe.batch(&both).await.outages, ["service:down", "table:down"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_before_a_trap_is_also_reported() {
    let probe = Arc::new(Probe::start(Limits { max_instance_concurrent_reuse_count: Some(2), ..tight() }).await);
    let called = probe.batch(&[json!({"do": "read", "table": "down"}), json!({"do": "trap"})]).await;
    assert!(called.result.is_err());
    assert_eq!(called.outages, ["table:down"]);
    assert_eq!(probe.batch(&[json!({"do": "ack"})]).await.outages, Vec::<String>::new());
}
