//! Data streams: putting records, the order of a key, positions, checkpoints.

use super::backend::{Backend, DATA_STREAM, SHARDS, WORKER, secs};
use host_adapters_platform::data_streams::MAX_RECORD_BYTES;
use host_adapters_platform::{Checkpoint, Position, Shard, StreamRecord, hash_key};
use host_adapters_records::ErrorKind;
use host_adapters_records::data_streams::DataRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often a shard is read before what was put is missing: Kinesis may answer nothing although there are records.
const LOOKS: u32 = 40;

/// A record to put.
pub fn record(key: &str, data: impl Into<Vec<u8>>) -> DataRecord {
    DataRecord { partition_key: key.to_owned(), data: data.into() }
}

/// Puts records; returns their sequence numbers.
pub async fn put(backend: &impl Backend, records: Vec<DataRecord>) -> Vec<String> {
    let put = backend.data_streams().put_records(DATA_STREAM, records).await.unwrap();
    put.into_iter().map(Result::unwrap).collect()
}

/// Reads `expected` records of a shard, or what there is of them; returns where to read on, too.
async fn read(
    backend: &impl Backend,
    shard: &str,
    from: Position,
    expected: usize,
) -> (Vec<StreamRecord>, Option<Position>) {
    let (mut found, mut next) = (Vec::new(), Some(from));
    for _ in 0..LOOKS {
        let Some(from) = &next else { break };
        let page = backend.data_stream_reader().records(DATA_STREAM, shard, from, 1_000).await.unwrap();
        let is_empty = page.records.is_empty();
        found.extend(page.records);
        next = page.next;
        if is_empty && found.len() >= expected {
            break;
        }
        if is_empty {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    (found, next)
}

/// All records of the stream, each with its shard.
async fn all(backend: &impl Backend, expected: usize) -> Vec<(Shard, StreamRecord)> {
    let mut found = Vec::new();
    for _ in 0..LOOKS {
        found.clear();
        for shard in backend.data_stream_reader().shards(DATA_STREAM).await.unwrap() {
            let (records, _) = read(backend, &shard.id, Position::TrimHorizon, 0).await;
            found.extend(records.into_iter().map(|record| (shard.clone(), record)));
        }
        if found.len() >= expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    found
}

/// The shard that takes a key.
async fn shard_of(backend: &impl Backend, key: &str) -> String {
    let shards = backend.data_stream_reader().shards(DATA_STREAM).await.unwrap();
    let takes = |shard: &Shard| shard.hash_keys.as_ref().unwrap().contains(&hash_key(key));
    shards.into_iter().find(takes).unwrap().id
}

fn texts(records: &[StreamRecord]) -> Vec<&str> {
    records.iter().map(|record| std::str::from_utf8(&record.data).unwrap()).collect()
}

/// Where a worker with this checkpoint begins.
fn begins(checkpoint: Option<Checkpoint>) -> Position {
    match checkpoint {
        None => Position::TrimHorizon,
        Some(Checkpoint::AtTimestamp(time_ms)) => Position::AtTimestamp(time_ms),
        Some(Checkpoint::At(sequence)) => Position::After(sequence),
        Some(Checkpoint::ShardEnd) => panic!("the shard is open"),
    }
}

pub async fn keeps_what_was_put(backend: &impl Backend) {
    let bytes: Vec<u8> = (0..=255).collect();
    let records = vec![record("k", bytes.clone()), record("ü 🦀", "text"), record("k", "")];
    let sequences = put(backend, records).await;
    let found = all(backend, 3).await;
    assert_eq!(found.len(), 3);
    for (sequence, (key, data)) in sequences.iter().zip([("k", bytes.as_slice()), ("ü 🦀", b"text"), ("k", b"")]) {
        let (shard, record) = found.iter().find(|(_, record)| record.sequence == *sequence).unwrap();
        assert_eq!((record.partition_key.as_str(), record.data.as_slice()), (key, data));
        assert!(record.time_ms > 1_600_000_000_000 && record.sequence.bytes().all(|it| it.is_ascii_digit()));
        assert!(shard.hash_keys.as_ref().unwrap().contains(&hash_key(key)));
    }
}

pub async fn answers_nothing_for_no_records(backend: &impl Backend) {
    assert_eq!(backend.data_streams().put_records(DATA_STREAM, vec![]).await.unwrap(), []);
}

pub async fn divides_the_hash_keys_among_shards(backend: &impl Backend) {
    let mut shards = backend.data_stream_reader().shards(DATA_STREAM).await.unwrap();
    shards.sort_by_key(|shard| *shard.hash_keys.as_ref().unwrap().start());
    let keys: Vec<_> = shards.iter().map(|shard| shard.hash_keys.clone().unwrap()).collect();
    assert_eq!((keys.len(), *keys[0].start(), *keys[keys.len() - 1].end()), (SHARDS as usize, 0, u128::MAX));
    assert!(keys.windows(2).all(|pair| pair[0].end() + 1 == *pair[1].start()), "{keys:?}");
    assert!(shards.iter().all(|shard| shard.parents.is_empty()), "{shards:?}");
}

pub async fn keeps_the_order_of_a_key(backend: &impl Backend) {
    for n in 0..10 {
        // Two of each key in one call.
        let of_key = |half: usize, key: usize| record(&format!("key-{key}"), format!("{}", 2 * n + half));
        put(backend, (0..2).flat_map(|half| (0..30).map(move |key| of_key(half, key))).collect()).await;
    }
    let mut seen: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut sequences: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
    for (shard, record) in all(backend, 600).await {
        let text = String::from_utf8(record.data).unwrap();
        seen.entry(record.partition_key).or_default().push((shard.id.clone(), text));
        sequences.entry(shard.id).or_default().push((record.sequence.len(), record.sequence));
    }
    assert_eq!(seen.len(), 30);
    for (key, records) in seen {
        let texts: Vec<_> = records.iter().map(|(_, text)| text.clone()).collect();
        assert_eq!(texts, (0..20).map(|n| n.to_string()).collect::<Vec<_>>(), "{key}");
        assert!(records.iter().all(|(shard, _)| *shard == records[0].0), "{key} stays in its shard");
    }
    assert!(sequences.values().all(|numbers| numbers.is_sorted_by(|a, b| a < b)), "strictly increasing");
}

pub async fn refuses_one_and_takes_the_rest(backend: &impl Backend) {
    let (long, large) = ("k".repeat(257), vec![0; MAX_RECORD_BYTES]);
    let records = vec![record("a", "1"), record("", "x"), record(&long, "x"), record("k", large), record("b", "2")];
    let put = backend.data_streams().put_records(DATA_STREAM, records).await.unwrap();
    let kinds: Vec<_> = put.iter().map(|put| put.as_ref().err().map(|error| error.kind)).collect();
    let (invalid, too_large) = (Some(ErrorKind::Invalid), Some(ErrorKind::TooLarge));
    assert_eq!(kinds, [None, invalid, invalid, too_large, None]);
    let found = all(backend, 2).await;
    let sequences: BTreeSet<_> = found.iter().map(|(_, record)| &record.sequence).collect();
    assert_eq!(sequences, put.iter().flatten().collect());
}

pub async fn takes_any_number(backend: &impl Backend) {
    let records = (0..1_201).map(|n| record(&format!("key-{n}"), n.to_string())).collect();
    let sequences: BTreeSet<_> = put(backend, records).await.into_iter().collect();
    let found: BTreeSet<_> = all(backend, 1_201).await.into_iter().map(|(_, record)| record.sequence).collect();
    assert!(found == sequences && found.len() == 1_201, "{} of {}", found.len(), sequences.len());
}

pub async fn accepts_what_just_fits(backend: &impl Backend) {
    let longest = "ü".repeat(256);
    let most = MAX_RECORD_BYTES - longest.len();
    // A shard of Kinesis takes 1 MiB a second.
    put(backend, (0..3).map(|n| record(&longest, vec![n; most])).collect()).await;
    let (found, _) = read(backend, &shard_of(backend, &longest).await, Position::TrimHorizon, 3).await;
    assert_eq!(found.len(), 3);
    for (n, record) in (0..).zip(found) {
        assert!(record.data == vec![n; most] && record.partition_key == longest, "{n}");
    }
}

pub async fn resumes_after_a_record(backend: &impl Backend) {
    let sequences = put(backend, (0..5).map(|n| record("k", n.to_string())).collect()).await;
    let shard = shard_of(backend, "k").await;
    let (rest, _) = read(backend, &shard, Position::After(sequences[2].clone()), 2).await;
    assert_eq!(texts(&rest), ["3", "4"]);
    let (none, next) = read(backend, &shard, Position::After(sequences[4].clone()), 0).await;
    assert_eq!(none, []);
    put(backend, vec![record("k", "9")]).await;
    let (found, _) = read(backend, &shard, next.unwrap(), 1).await;
    assert_eq!(texts(&found), ["9"], "an open shard can be read on");
}

pub async fn reads_from_latest(backend: &impl Backend) {
    let empty = shard_of(backend, "k").await;
    let reader = backend.data_stream_reader();
    for n in 0..2 {
        // The second time behind a record.
        let end = reader.records(DATA_STREAM, &empty, &Position::Latest, 10).await.unwrap();
        assert_eq!(end.records, []);
        let next = end.next.unwrap();
        assert_ne!(next, Position::Latest);
        put(backend, vec![record("k", n.to_string())]).await;
        let (found, _) = read(backend, &empty, next, 1).await;
        assert_eq!(texts(&found), [n.to_string()]);
    }
}

/// More than a second: kinesalite knows times to the second.
const SECOND: Duration = Duration::from_millis(1_050);

/// The beginning of a time's second.
fn seconds(time_ms: u64) -> u64 {
    time_ms / 1_000 * 1_000
}

pub async fn reads_from_a_time(backend: &impl Backend) {
    let shard = shard_of(backend, "k").await;
    for n in 0..3 {
        put(backend, vec![record("k", n.to_string())]).await;
        backend.pass(SECOND).await;
    }
    let (found, _) = read(backend, &shard, Position::TrimHorizon, 3).await;
    let times: Vec<_> = found.iter().map(|record| seconds(record.time_ms)).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    for (from, expected) in [(times[0] - 1_000, 3), (times[0], 3), (times[1], 2), (times[2], 1)] {
        let (found, _) = read(backend, &shard, Position::AtTimestamp(from), expected).await;
        assert_eq!(found.len(), expected, "{from} of {times:?}");
    }
    let (none, next) = read(backend, &shard, Position::AtTimestamp(times[2] + 1_000), 0).await;
    assert_eq!(none, []);
    put(backend, vec![record("k", "3")]).await;
    let (found, _) = read(backend, &shard, next.unwrap(), 1).await;
    assert_eq!(texts(&found), ["3"]);
}

pub async fn limits_a_read(backend: &impl Backend) {
    put(backend, (0..4).map(|n| record("k", n.to_string())).collect()).await;
    let shard = shard_of(backend, "k").await;
    read(backend, &shard, Position::TrimHorizon, 4).await;
    let reader = backend.data_stream_reader();
    let first = reader.records(DATA_STREAM, &shard, &Position::TrimHorizon, 3).await.unwrap();
    assert_eq!(texts(&first.records), ["0", "1", "2"]);
    let rest = reader.records(DATA_STREAM, &shard, &first.next.unwrap(), 3).await.unwrap();
    assert_eq!(texts(&rest.records), ["3"]);
}

pub async fn remembers_checkpoints(backend: &impl Backend) {
    let sequences = put(backend, (0..3).map(|n| record("k", n.to_string())).collect()).await;
    let (reader, shard) = (backend.data_stream_reader(), shard_of(backend, "k").await);
    let at = |n: usize| Checkpoint::At(sequences[n].clone());
    let shards = reader.shards(DATA_STREAM).await.unwrap();
    assert!(reader.hold(DATA_STREAM, WORKER, &shards).await.unwrap().owned.contains(&shard));
    assert_eq!(reader.checkpoint(DATA_STREAM, &shard, WORKER).await.unwrap(), None);
    for (set, expected) in [(1, 1), (2, 2), (0, 2)] {
        reader.set_checkpoint(DATA_STREAM, &shard, WORKER, &at(set)).await.unwrap();
        let stored = reader.checkpoint(DATA_STREAM, &shard, WORKER).await.unwrap();
        assert_eq!(stored, Some(at(expected)), "only ever forward");
    }
    assert_eq!(reader.checkpoint(DATA_STREAM, &shard, "another").await.unwrap(), None);
    reader.set_checkpoint(DATA_STREAM, &shard, WORKER, &Checkpoint::ShardEnd).await.unwrap();
    reader.set_checkpoint(DATA_STREAM, &shard, WORKER, &at(2)).await.unwrap();
    assert_eq!(reader.checkpoint(DATA_STREAM, &shard, WORKER).await.unwrap(), Some(Checkpoint::ShardEnd));
}

/// Also where nothing came since: what comes while the worker is away is found.
pub async fn remembers_a_time_to_begin_with(backend: &impl Backend) {
    let (reader, shard) = (backend.data_stream_reader(), shard_of(backend, "k").await);
    put(backend, vec![record("k", "before")]).await;
    backend.pass(SECOND).await;
    put(backend, vec![record("k", "first")]).await;
    let (found, _) = read(backend, &shard, Position::TrimHorizon, 2).await;
    let time = seconds(found[1].time_ms);
    backend.pass(SECOND).await;
    for (worker, time_ms) in [(WORKER, time), ("another", time + 1_000)] {
        assert!(!reader.has_begun(DATA_STREAM, worker).await.unwrap());
        reader.set_checkpoint(DATA_STREAM, &shard, worker, &Checkpoint::AtTimestamp(time_ms)).await.unwrap();
        assert!(reader.has_begun(DATA_STREAM, worker).await.unwrap());
    }
    put(backend, vec![record("k", "later")]).await;
    for (worker, expected) in [(WORKER, &["first", "later"][..]), ("another", &["later"])] {
        let from = begins(reader.checkpoint(DATA_STREAM, &shard, worker).await.unwrap());
        let (found, _) = read(backend, &shard, from, expected.len()).await;
        assert_eq!(texts(&found), expected, "{worker}");
    }
    let settled = Checkpoint::At(found[1].sequence.clone());
    reader.set_checkpoint(DATA_STREAM, &shard, WORKER, &settled).await.unwrap();
    reader.set_checkpoint(DATA_STREAM, &shard, WORKER, &Checkpoint::AtTimestamp(time)).await.unwrap();
    let stored = reader.checkpoint(DATA_STREAM, &shard, WORKER).await.unwrap();
    assert_eq!(stored, Some(settled), "only ever forward");
}

pub async fn remembers_that_a_worker_has_begun(backend: &impl Backend) {
    let (reader, shard) = (backend.data_stream_reader(), shard_of(backend, "k").await);
    assert!(!reader.has_begun(DATA_STREAM, WORKER).await.unwrap());
    for shard in reader.shards(DATA_STREAM).await.unwrap() {
        reader.begin(DATA_STREAM, &shard.id, WORKER).await.unwrap();
    }
    assert!(reader.has_begun(DATA_STREAM, WORKER).await.unwrap());
    assert!(!reader.has_begun(DATA_STREAM, "another").await.unwrap());
    let sequence = put(backend, vec![record("k", "1")]).await.remove(0);
    let from = begins(reader.checkpoint(DATA_STREAM, &shard, WORKER).await.unwrap());
    assert_eq!(read(backend, &shard, from, 1).await.0.len(), 1);
    let settled = Checkpoint::At(sequence);
    reader.set_checkpoint(DATA_STREAM, &shard, WORKER, &settled).await.unwrap();
    reader.begin(DATA_STREAM, &shard, WORKER).await.unwrap();
    let stored = reader.checkpoint(DATA_STREAM, &shard, WORKER).await.unwrap();
    assert_eq!(stored, Some(settled), "only ever forward");
}

pub async fn wakes_who_waits(backend: &impl Backend) {
    tokio::time::sleep(Duration::from_millis(50)).await;
    let later = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        put(backend, vec![record("k", "1")]).await;
    };
    let waited =
        async { tokio::time::timeout(secs(5), backend.data_stream_reader().changed(DATA_STREAM, secs(60))).await };
    let (waited, ()) = tokio::join!(waited, later);
    assert!(waited.is_ok(), "woken by the record, not by the end of the wait");
}

pub async fn knows_its_names(backend: &impl Backend) {
    let (reader, shard) = (backend.data_stream_reader(), shard_of(backend, "k").await);
    let put = backend.data_streams().put_records("no-such-stream", vec![record("k", "1")]).await;
    assert_eq!(put.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(reader.shards("no-such-stream").await.unwrap_err().kind, ErrorKind::NotFound);
    let error = reader.records(DATA_STREAM, "no-such-shard", &Position::TrimHorizon, 1).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    for sequence in ["", "nonsense", "-1", "9999"] {
        let error = reader.records(DATA_STREAM, &shard, &Position::After(sequence.into()), 1).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{sequence}");
    }
}
