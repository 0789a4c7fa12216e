//! What only the embedded store does: partitions are added when the file is opened, and old records are dropped.

use crate::Embedded;
use host_adapters_platform::clock::Clock;
use host_adapters_platform::event_log::partition_of;
use host_adapters_platform::{Declared, EventLogBackend, LogTopicSpec};
use host_adapters_records::event_log::LogRecord;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

const TOPIC: &str = "prd2011.dmnd.markets";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn open(folder: &Path, clock: &Clock, partitions: u32) -> Embedded {
    let event_log = [(TOPIC.to_owned(), LogTopicSpec { partitions })].into();
    let declared = Declared { event_log, ..Declared::default() };
    Embedded::open_with_clock(&folder.join("store"), &declared, clock.clone()).unwrap()
}

async fn produce(store: &Embedded, values: &[&str]) {
    let record = |value: &&str| LogRecord { key: "k".to_owned(), value: (*value).to_owned(), headers: Vec::new() };
    let produced = store.produce(TOPIC, values.iter().map(record).collect()).await.unwrap();
    assert!(produced.iter().all(Result::is_ok), "{produced:?}");
}

/// The values of the key's partition among so many, from its first record on, with their offsets.
async fn values(store: &Embedded, partitions: u32) -> Vec<(u64, String)> {
    let page = store.read_log(TOPIC, partition_of("k", partitions), None, 100).await.unwrap();
    page.records.into_iter().map(|record| (record.offset, record.value.unwrap())).collect()
}

fn owned(values: &[(u64, &str)]) -> Vec<(u64, String)> {
    values.iter().map(|(offset, value)| (*offset, (*value).to_owned())).collect()
}

#[tokio::test]
async fn partitions_are_added_and_stay() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(1_000));
    let store = open(folder.path(), &clock, 1);
    produce(&store, &["a", "b"]).await;
    drop(store);
    // With six, the key is in another partition; what was written stays where it is.
    let store = open(folder.path(), &clock, 6);
    assert_ne!(partition_of("k", 6), 0);
    produce(&store, &["c"]).await;
    assert_eq!(values(&store, 1).await, owned(&[(0, "a"), (1, "b")]));
    assert_eq!(values(&store, 6).await, owned(&[(0, "c")]));
    drop(store);
    let store = open(folder.path(), &clock, 2);
    assert_eq!(store.log_partitions(TOPIC).await.unwrap().len(), 6);
    produce(&store, &["d"]).await;
    assert_eq!(values(&store, 6).await, owned(&[(0, "c"), (1, "d")]));
}

#[tokio::test]
async fn a_page_ends_after_a_megabyte_of_values_keys_and_headers() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(1_000));
    let store = open(folder.path(), &clock, 1);
    let long = "x".repeat(400_000);
    let headers = vec![("name".to_owned(), long.clone())];
    let of_key = LogRecord { key: long.clone(), value: String::new(), headers: Vec::new() };
    let of_value = LogRecord { key: "k".to_owned(), value: long, headers: Vec::new() };
    let of_header = LogRecord { key: "k".to_owned(), value: String::new(), headers };
    for record in [of_key, of_value, of_header] {
        let produced = store.produce(TOPIC, vec![record; 4]).await.unwrap();
        assert!(produced.iter().all(Result::is_ok), "{produced:?}");
    }
    for from in [0, 4, 8] {
        let page = store.read_log(TOPIC, 0, Some(from), 100).await.unwrap();
        assert_eq!((page.records.len(), page.next), (3, from + 3));
    }
}

#[tokio::test]
async fn records_go_after_a_week_and_offsets_go_on() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(1_000));
    let store = open(folder.path(), &clock, 1);
    produce(&store, &["a", "b"]).await;
    clock.advance(4 * DAY);
    produce(&store, &["c"]).await;
    clock.advance(3 * DAY);
    store.prune().await.unwrap();
    assert_eq!(values(&store, 1).await.len(), 3, "a week old, and not older");
    clock.advance(Duration::from_millis(1));
    store.prune().await.unwrap();
    assert_eq!(values(&store, 1).await, owned(&[(2, "c")]));
    let page = store.read_log(TOPIC, 0, Some(0), 10).await.unwrap();
    assert_eq!((page.records.len(), page.records[0].offset, page.next), (1, 2, 3), "behind what was dropped");
    clock.advance(7 * DAY);
    store.prune().await.unwrap();
    let partition = store.log_partitions(TOPIC).await.unwrap()[0];
    assert_eq!((partition.first, partition.end), (3, 3));
    produce(&store, &["d"]).await;
    assert_eq!(values(&store, 1).await, owned(&[(3, "d")]));
}

#[tokio::test]
async fn the_oldest_of_too_many_go() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(1_000));
    let store = open(folder.path(), &clock, 1);
    produce(&store, &["a", "b", "c", "d"]).await;
    let partition = store.names.log_topic(TOPIC).unwrap().partition(0).unwrap();
    let prune = move |newest: i64| move |conn: &Connection| partition.prune(conn, 0, newest);
    for (newest, left) in [(5, 4), (4, 4), (3, 3), (1, 1)] {
        store.store.write(prune(newest), |()| {}).await.unwrap();
        assert_eq!(values(&store, 1).await.len(), left, "{newest} are kept");
    }
    assert_eq!(values(&store, 1).await, owned(&[(3, "d")]));
}
