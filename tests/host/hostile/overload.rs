//! Ten times more calls than the capacity wait, and all of them are answered.

use super::host::Hostile;
use super::wat;
use crate::host::sandbox::probe::{self, tight};
use crate::host::sandbox::world::World;
use host_adapters_runtime::component::Source;
use host_adapters_runtime::identity::marked;
use host_adapters_runtime::{ComponentSpec, Limits, Runtime};
use serde_json::json;
use std::sync::Arc;
use tests::programs;

/// The capacity of `neighbour`: instances times calls in each.
const CAPACITY: usize = 2 * 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_the_capacity_of_requests_waits_and_drains() {
    let host = Arc::new(Hostile::start().await);
    let before = host.memory();
    let calls = (0..20 * CAPACITY).map(|_| {
        let host = host.clone();
        tokio::spawn(async move { host.ask("neighbour", "wait?100").await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), (200, "waited".to_owned()));
    }
    assert!(host.started("neighbour").await <= 2.0);
    assert!(host.peak_memory() <= before + 96, "{} MiB, {before} before", host.peak_memory());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_the_capacity_of_batches_waits_and_drains() {
    let host = Hostile::start().await;
    // Eighty batches of one record are in flight at a time.
    host.send("waits", &["wait?100"; 30 * CAPACITY]).await;
    host.holds("waits", 0).await;
    assert_eq!(host.depth("waitsDlq").await, 0);
    assert_eq!(host.metric("registration_rejected_total", "neighbour").await, (30 * CAPACITY) as f64);
    assert_eq!(host.metric("registration_retried_total", "neighbour").await, 0.0);
}

/// Components as large as allowed, all of them with all their instances, are replaced during their calls. There is room
/// for every instance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn components_with_all_their_instances_leave_each_other_room() {
    const INSTANCES: usize = 3;
    let limits = Limits { max_instances: INSTANCES, request_timeout_secs: Some(60), ..tight() };
    let runtime = probe::runtime_for(World::new(), 4 * INSTANCES as u32);
    let load = |id: &str, source| load(&runtime, id, source, &limits);
    let crowd = Source::Sent(wat::crowd(60).into());
    load("crowd-a", crowd.clone()).unwrap();
    load("crowd-b", crowd).unwrap();
    let files = probe::files().await;
    let file = |id: &str, path| Source::Sent(marked(std::fs::read(path).unwrap(), id).into());
    load("a", file("a", &files.warm)).unwrap();
    load("b", file("b", &files.warm)).unwrap();
    let refused = load("c", file("c", &files.warm)).unwrap_err();
    assert!(refused.contains("c: wants 3 instances; of 12 in all the others may have 12"), "{refused}");

    let call = |id: &'static str, ms: u64| {
        let runtime = runtime.clone();
        tokio::spawn(async move { runtime.batch(id, vec![probe::event(&json!({"do": "wait", "ms": ms}))]).await })
    };
    let round = || {
        let calls = ["a", "b", "crowd-a", "crowd-b"].into_iter().flat_map(|id| (0..10 * INSTANCES).map(move |_| id));
        calls.map(|id| call(id, 100)).collect::<Vec<_>>()
    };
    let mut calls = round();
    // Faster than the calls of a version end, so that more versions exist than there may be instances.
    for path in [&files.cold, &files.warm, &files.cold, &files.warm, &files.cold, &files.warm] {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        load("a", file("a", path)).unwrap();
        load("b", file("b", path)).unwrap();
        calls.extend(round());
    }
    for call in calls {
        let called = call.await.unwrap();
        assert!(called.result.is_ok(), "{:?}", called.result);
    }
}

fn load(runtime: &Arc<Runtime>, id: &str, source: Source, limits: &Limits) -> Result<(), String> {
    let spec = probe::spec(&programs::guest("probe"), limits.clone());
    let spec = ComponentSpec { id: id.to_owned(), source, ..spec };
    runtime.load(&spec).map(drop).map_err(|error| error.to_string())
}
