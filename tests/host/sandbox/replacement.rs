//! A second load replaces the first one; a failed load changes nothing.

use super::probe::{self, Probe, tight};
use host_adapters_runtime::{
    ComponentSpec, Export, Limits, LoadError, RefusedImport, RequiredExport, Requirements, Source,
};
use serde_json::json;
use std::sync::Arc;

/// Longer than a call takes on a busy machine, in seconds.
const LONG: Option<u32> = Some(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_flight_end_on_the_old_version_and_later_ones_use_the_new() {
    let limits = Limits { max_instances: 2, request_timeout_secs: LONG, ..tight() };
    let probe = Arc::new(Probe::start(limits.clone()).await);
    let old = probe.runtime.serving()[0].digest.clone();
    let in_flight: Vec<_> = (0..2)
        .map(|_| {
            let probe = probe.clone();
            tokio::spawn(async move { probe.batch(&[json!({"do": "wait", "ms": 2_000})]).await })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;

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
    let limits = Limits { max_instances: 2, request_timeout_secs: LONG, ..tight() };
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
async fn a_file_that_cannot_serve_is_refused_and_the_previous_version_serves_on() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_version_is_kept_for_its_last_call_and_then_freed() {
    // The old version must end because it is replaced, not because it idles.
    let limits = || Limits { idle_instance_timeout_secs: 3600, request_timeout_secs: LONG, ..tight() };
    let probe = Arc::new(Probe::start(limits()).await);
    let waiting = probe.clone();
    let in_flight = tokio::spawn(async move { waiting.order(json!({"do": "wait", "ms": 4_000})).await });
    tests::wait::eventually("an instance", async || (probe.runtime.serving()[0].instances > 0).then_some(())).await;
    for file in [&probe::files().await.cold, &probe::files().await.warm] {
        probe.runtime.load(&probe::spec(file, limits())).unwrap();
        assert!(probe.serves().await);
    }
    let calls: usize = probe.runtime.serving()[0].retiring.iter().sum();
    assert_eq!(calls, 1, "the first version still ends its call");
    assert_eq!(in_flight.await.unwrap(), Ok("ack".to_owned()));
    tests::wait::eventually("freed versions", async || probe.runtime.serving()[0].retiring.is_empty().then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_file_again_leaves_its_instances_alone() {
    let probe = Probe::start(tight()).await;
    assert!(probe.serves().await);
    let before = probe.runtime.serving().remove(0);
    let loaded = probe.runtime.load(&probe::spec(&probe::files().await.warm, tight())).unwrap();
    assert!(!loaded.is_new() && loaded.digest == before.digest);
    let after = probe.runtime.serving().remove(0);
    assert_eq!((after.since, after.instances), (before.since, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_violations_of_the_requirements_are_reported_at_once() {
    let probe = Probe::start(Limits::default()).await;
    let before = probe.runtime.serving()[0].digest.clone();
    let requirements = Requirements {
        exports: vec![RequiredExport { export: Export::BatchWorker, needed_by: "its source".to_owned() }],
        refused: vec![
            RefusedImport { interface: "registration:platform/table".to_owned(), remedy: "grant tables".to_owned() },
            RefusedImport { interface: "spin:redis/redis".to_owned(), remedy: "grant redis".to_owned() },
        ],
        id: true,
    };
    let limits = Limits { max_memory_mb: 0, ..tight() };
    let spec = probe::spec(&probe::files().await.cold, limits);
    let error = probe.runtime.load(&ComponentSpec { requirements, ..spec }).unwrap_err();
    let LoadError::Unfit { complaints, .. } = &error else { panic!("{error}") };
    let [table, memory] = &complaints[..] else { panic!("{complaints:?}") };
    assert_eq!(table, "imports registration:platform/table@1.0.0, which nothing grants it: grant tables");
    assert!(memory.starts_with("begins with ") && memory.ends_with("raise max_memory_mb"), "{memory}");
    assert_eq!(probe.runtime.serving()[0].digest, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_sent_serves_like_one_on_disk() {
    let probe = Probe::start(tight()).await;
    let wasm = std::fs::read(&probe::files().await.cold).unwrap();
    let spec = probe::spec(&probe::files().await.cold, tight());
    let spec = ComponentSpec { source: Source::Sent(wasm.into()), ..spec };
    let loaded = probe.runtime.load(&spec).unwrap();
    assert!(loaded.cached && loaded.is_new());
    assert_eq!(probe.told(json!({"do": "warmth"})).await, "cold");
    assert_eq!(probe.runtime.serving()[0].source, "the file sent");
}
