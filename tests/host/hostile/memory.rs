//! The host's memory stays bounded, whatever its guests do.

use super::host::{Hostile, Neighbour};
use std::sync::Arc;

/// The most MiB that the host may use: `max_memory_mb` of `hostile` and the host's own memory for an instance, times
/// `max_instances`, and some more.
const BOUND: u64 = 2 * (128 + 32) + 96;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deeds_that_take_memory_give_it_back_or_end() {
    let host = Arc::new(Hostile::start().await);
    let neighbour = Neighbour::of(&host).await;
    let (before, files) = (host.memory(), host.open_files());
    for deed in [
        "hog",
        "storm?2000",
        "timers?1000000",
        "big-message?100",
        "body?1000",
        "line?200",
        "lines?1000000",
        "random?1000000",
        "sockets?127.0.0.1:1",
    ] {
        let calls = (0..8).map(|_| {
            let host = host.clone();
            tokio::spawn(async move { host.ask("hostile", deed).await })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
        let peak = host.peak_memory();
        assert!(peak <= before + BOUND, "{deed}: {peak} MiB, {before} before");
    }
    assert!(host.open_files() <= files + 32, "{} open files, {files} before", host.open_files());
    assert!(neighbour.answers().await > 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_under_way_are_bounded_and_refused_calls_may_be_repeated() {
    let host = Hostile::start().await;
    // Each has a hundred kilobytes, and the host keeps some three hundred of them at a time.
    assert_eq!(host.told("storm?1000").await, "1000 answers, some throttled");
    assert_eq!(host.told("storm?10").await, "10 answers, none throttled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_cache_refuses_writes() {
    let host = Hostile::start().await;
    let before = host.memory();
    let told = host.told("fill-cache?400").await;
    assert!(told.starts_with("255 ") && told.contains("OOM"), "{told}");
    assert!(host.peak_memory() <= before + BOUND, "{} MiB, {before} before", host.peak_memory());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_bounded_per_call() {
    let host = Hostile::start().await;
    host.ask("hostile", "lines?1000000").await;
    let lines = host.log().iter().filter(|line| line["worker"] == "hostile").count();
    // The failure of the call may be one more line.
    assert!((1_000..=1_002).contains(&lines), "{lines}");
}
