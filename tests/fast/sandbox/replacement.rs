//! A second load replaces the first; one that fails changes nothing.

use super::probe::{self, Probe, tight};
use host_adapters_runtime::{Limits, LoadError};
use serde_json::json;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_flight_end_on_the_old_version_and_later_ones_use_the_new() {
    let limits = Limits { max_instances: 2, ..tight() };
    let probe = Arc::new(Probe::start(limits.clone()).await);
    let old = probe.runtime.serving()[0].digest.clone();
    let in_flight: Vec<_> = (0..2)
        .map(|_| {
            let probe = probe.clone();
            tokio::spawn(async move { probe.batch(&[json!({"do": "wait", "ms": 500})]).await })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;

    let new = probe.runtime.load(&probe::spec(&probe::files().await.cold, limits)).unwrap();
    assert_ne!(new.digest, old);
    let called = probe.batch(&[json!({"do": "warmth"})]).await;
    assert_eq!(called.result.unwrap(), ["reject cold"]);
    assert_eq!(called.digest, new.digest);
    for call in in_flight {
        let called = call.await.unwrap();
        assert_eq!(called.result.unwrap(), ["ack"]);
        assert_eq!(called.digest, old);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_while_versions_come_and_go() {
    let limits = Limits { max_instances: 2, ..tight() };
    let probe = Arc::new(Probe::start(limits.clone()).await);
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let probe = probe.clone();
            tokio::spawn(async move { probe.order(json!({"do": "wait", "ms": 10})).await })
        })
        .collect();
    let files = probe::files().await;
    for file in [&files.cold, &files.warm].into_iter().cycle().take(6) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        probe.runtime.load(&probe::spec(file, limits.clone())).unwrap();
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok("ack".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_serve_is_refused_and_the_old_one_serves_on() {
    let probe = Probe::start(tight()).await;
    let before = probe.runtime.serving()[0].digest.clone();
    let folder = tempfile::tempdir().unwrap();
    for (text, expected) in [
        (Some("no component"), "does not compile"),
        (Some("(component (import \"elsewhere:things/thing\" (instance (export \"f\" (func)))))"), "elsewhere:things"),
        (Some("(component)"), "exports neither"),
        (None, "cannot read"),
    ] {
        let file = folder.path().join("candidate.wasm");
        match text {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let error = probe.runtime.load(&probe::spec(&file, tight())).unwrap_err();
        assert!(error.to_string().starts_with("probe: ") && error.to_string().contains(expected), "{error}");
        assert_eq!(matches!(error, LoadError::Link { .. }), expected == "elsewhere:things", "{error:?}");
        assert_eq!(probe.runtime.serving()[0].digest, before);
        assert!(probe.serves().await);
    }
}
