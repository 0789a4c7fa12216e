//! What only the embedded store does: shards change when the file is opened, and old records are dropped.

use super::{DataStreams, RECORDS_PER_JOB};
use crate::Embedded;
use host_adapters_platform::clock::Clock;
use host_adapters_platform::{
    Checkpoint, DataStreamBackend, DataStreamSpec, Declared, LeaseTable, Position, Shard, ShardReader, hash_key,
};
use host_adapters_records::data_streams::DataRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

const STREAM: &str = "scoresStream";
const WORKER: &str = "save-scores";

fn open(folder: &Path, clock: &Clock, shards: u32) -> (Embedded, DataStreams) {
    let declared =
        Declared { data_streams: [(STREAM.to_owned(), DataStreamSpec { shards })].into(), ..Declared::default() };
    let store = Embedded::open_with_clock(&folder.join("store"), &declared, clock.clone()).unwrap();
    let streams = store.data_streams();
    (store, streams)
}

/// Puts `<key>:<n>` for each of 20 keys.
async fn put(streams: &DataStreams, n: usize) {
    let record =
        |key: usize| DataRecord { partition_key: format!("key-{key}"), data: format!("{key}:{n}").into_bytes() };
    let put = streams.put_records(STREAM, (0..20).map(record).collect()).await.unwrap();
    assert!(put.iter().all(Result::is_ok), "{put:?}");
}

/// All records of a shard, and whether it has ended.
async fn read(streams: &DataStreams, shard: &str, from: Position) -> (Vec<(String, String)>, bool) {
    let (mut found, mut next) = (Vec::new(), Some(from));
    loop {
        let Some(from) = next else { return (found, true) };
        let page = streams.records(STREAM, shard, &from, 3).await.unwrap();
        if page.records.is_empty() && page.next.is_some() {
            return (found, false);
        }
        let text = |data: Vec<u8>| String::from_utf8(data).unwrap();
        found.extend(page.records.into_iter().map(|record| (record.partition_key, text(record.data))));
        next = page.next;
    }
}

/// Reads parents before their children, as delivery does; the records of each key in the order in which they were met.
async fn in_order(streams: &DataStreams) -> BTreeMap<String, Vec<String>> {
    let mut waiting = streams.shards(STREAM).await.unwrap();
    let (mut found, mut done) = (BTreeMap::<String, Vec<String>>::new(), BTreeSet::new());
    while !waiting.is_empty() {
        let listed: BTreeSet<String> = waiting.iter().map(|shard| shard.id.clone()).collect();
        let is_ready = |shard: &Shard| shard.parents.iter().all(|it| done.contains(it) || !listed.contains(it));
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_ready);
        assert!(!ready.is_empty(), "a circle of parents: {rest:?}");
        for shard in ready {
            let (records, _) = read(streams, &shard.id, Position::TrimHorizon).await;
            for (key, text) in records {
                assert!(shard.hash_keys.as_ref().unwrap().contains(&hash_key(&key)), "{key} in {shard:?}");
                found.entry(key).or_default().push(text);
            }
            done.insert(shard.id);
        }
        waiting = rest;
    }
    found
}

#[tokio::test]
async fn any_change_of_the_number_of_shards_loses_and_reorders_nothing() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(1_000));
    let numbers = [4, 3, 3, 7, 1, 2, 5];
    for (n, shards) in numbers.into_iter().enumerate() {
        let (_store, streams) = open(folder.path(), &clock, shards);
        put(&streams, n).await;
        let listed = streams.shards(STREAM).await.unwrap();
        assert!(listed.iter().all(|shard| shard.parents.len() <= 2), "{listed:?}");
        let mut open = 0;
        for shard in &listed {
            let has_ended = read(&streams, &shard.id, Position::TrimHorizon).await.1;
            open += u32::from(!has_ended);
            assert_eq!(read(&streams, &shard.id, Position::Latest).await, (Vec::new(), has_ended));
        }
        assert_eq!(open, shards);
        let found = in_order(&streams).await;
        assert_eq!(found.len(), 20);
        for (key, texts) in found {
            let number = key.trim_start_matches("key-");
            assert_eq!(texts, (0..=n).map(|n| format!("{number}:{n}")).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn old_records_and_closed_shards_are_dropped_and_the_loss_is_told_once() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(1_000));
    let (store, streams) = open(folder.path(), &clock, 2);
    put(&streams, 0).await;
    let first = streams.shards(STREAM).await.unwrap()[0].id.clone();
    streams.begin(STREAM, &first, WORKER).await.unwrap();
    drop((store, streams));
    let (store, streams) = open(folder.path(), &clock, 1);
    put(&streams, 1).await;
    assert_eq!(streams.shards(STREAM).await.unwrap().len(), 3);
    clock.advance(Duration::from_secs(24 * 3600));
    put(&streams, 2).await;
    store.prune().await.unwrap();
    assert_eq!(streams.shards(STREAM).await.unwrap().len(), 3, "kept for a whole day");

    clock.advance(Duration::from_millis(1));
    store.prune().await.unwrap();
    let Some(Checkpoint::At(begun)) = streams.checkpoint(STREAM, &first, WORKER).await.unwrap() else {
        panic!("a checkpoint before the first record")
    };
    assert_eq!(read(&streams, &first, Position::After(begun)).await, (Vec::new(), true));
    store.prune().await.unwrap();
    let left = streams.shards(STREAM).await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].parents.len(), 2);
    let (records, has_ended) = read(&streams, &left[0].id, Position::TrimHorizon).await;
    assert!(!has_ended && records.len() == 20 && records.iter().all(|(_, text)| text.ends_with(":2")), "{records:?}");
    assert!(streams.checkpoint(STREAM, &first, WORKER).await.is_err(), "its shard is gone");

    // A position before what was dropped continues behind it, and counts it once.
    let page = streams.records(STREAM, &left[0].id, &Position::TrimHorizon, 1).await.unwrap();
    let before: u64 = page.records[0].sequence.parse::<u64>().unwrap() - 6;
    let behind = Position::After(format!("{before:020}"));
    let stream = streams.0.names.data_stream(STREAM).unwrap();
    for _ in 0..2 {
        assert_eq!(read(&streams, &left[0].id, behind.clone()).await.0.len(), 20);
        assert_eq!(stream.dropped.lock().unwrap().len(), 2, "this and the one above");
    }
}

/// The second job of three fails.
#[tokio::test]
async fn a_call_that_fails_in_its_middle_puts_no_later_record() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(1_000));
    let (store, streams) = open(folder.path(), &clock, 1);
    let record = |n: usize| DataRecord { partition_key: "fan-1".to_owned(), data: n.to_string().into_bytes() };
    let records: Vec<_> = (0..3 * RECORDS_PER_JOB).map(record).collect();
    let trigger = format!(
        "CREATE TRIGGER fails BEFORE INSERT ON records WHEN CAST(new.data AS TEXT) = '{}'
         BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
        RECORDS_PER_JOB + 7
    );
    store.store.write(move |conn| conn.execute_batch(&trigger), |()| {}).await.unwrap();
    let put = streams.put_records(STREAM, records.clone()).await.unwrap();
    let is_put: Vec<bool> = put.iter().map(Result::is_ok).collect();
    assert_eq!(is_put, (0..records.len()).map(|n| n < RECORDS_PER_JOB).collect::<Vec<_>>());

    // What failed is put again, as every caller does it, and comes in its order.
    store.store.write(|conn| conn.execute_batch("DROP TRIGGER fails"), |()| {}).await.unwrap();
    let failed: Vec<_> = records.into_iter().zip(is_put).filter(|(_, is_put)| !is_put).map(|(it, _)| it).collect();
    let again = streams.put_records(STREAM, failed).await.unwrap();
    assert!(again.iter().all(Result::is_ok), "{again:?}");
    let shard = streams.shards(STREAM).await.unwrap()[0].id.clone();
    let texts: Vec<_> =
        read(&streams, &shard, Position::TrimHorizon).await.0.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, (0..3 * RECORDS_PER_JOB).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_time_is_a_place_in_a_shard() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(1_000));
    let (_store, streams) = open(folder.path(), &clock, 1);
    let shard = streams.shards(STREAM).await.unwrap()[0].id.clone();
    for n in 0..3 {
        put(&streams, n).await;
        clock.advance(Duration::from_millis(10));
    }
    for (time_ms, expected) in [(0, 60), (1_000, 60), (1_001, 40), (1_010, 40), (1_020, 20), (1_021, 0), (9_999, 0)] {
        let at = Position::AtTimestamp(time_ms);
        assert_eq!(read(&streams, &shard, at).await.0.len(), expected, "{time_ms}");
        let worker = format!("worker-{time_ms}");
        streams.set_checkpoint(STREAM, &shard, &worker, &Checkpoint::AtTimestamp(time_ms)).await.unwrap();
        let stored = streams.checkpoint(STREAM, &shard, &worker).await.unwrap();
        let Some(Checkpoint::At(sequence)) = stored else { panic!("{stored:?}") };
        assert_eq!(read(&streams, &shard, Position::After(sequence)).await.0.len(), expected, "{time_ms}");
    }
}
