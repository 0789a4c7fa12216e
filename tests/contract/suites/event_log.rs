//! The event log: topics of records in partitions.

use host_adapters_platform::event_log::{MAX_LOG_RECORD_BYTES, partition_of};
use host_adapters_platform::{EventLogBackend, LoggedRecord};
use host_adapters_records::ErrorKind;
use host_adapters_records::event_log::LogRecord;
use std::collections::{BTreeMap, BTreeSet};

/// A topic with [`PARTITIONS`].
pub const TOPIC: &str = "contract.events";
/// See [`TOPIC`].
pub const PARTITIONS: u32 = 3;
/// A topic with one partition.
pub const OTHER_TOPIC: &str = "contract.others";

/// A backend with these topics, which are empty.
pub trait EventLogStore {
    fn event_log(&self) -> &dyn EventLogBackend;
}

pub fn record(key: &str, value: impl Into<String>) -> LogRecord {
    LogRecord { key: key.to_owned(), value: value.into(), headers: Vec::new() }
}

/// Produces records that are all taken.
async fn produce(backend: &impl EventLogStore, topic: &str, records: Vec<LogRecord>) {
    let count = records.len();
    let produced = backend.event_log().produce(topic, records).await.unwrap();
    assert_eq!(produced, vec![Ok(()); count]);
}

/// The records of a partition.
async fn read(backend: &impl EventLogStore, topic: &str, partition: u32) -> Vec<LoggedRecord> {
    let (mut records, mut from) = (Vec::new(), None);
    loop {
        let page = backend.event_log().read_log(topic, partition, from, 500).await.unwrap();
        if page.records.is_empty() {
            return records;
        }
        records.extend(page.records);
        from = Some(page.next);
    }
}

/// The records of all partitions, one after the other.
async fn all(backend: &impl EventLogStore, topic: &str) -> Vec<LoggedRecord> {
    let mut records = Vec::new();
    for partition in backend.event_log().log_partitions(topic).await.unwrap() {
        records.extend(read(backend, topic, partition.number).await);
    }
    records
}

fn values(records: &[LoggedRecord]) -> Vec<&str> {
    records.iter().map(|record| record.value.as_deref().unwrap()).collect()
}

pub async fn keeps_what_was_produced(backend: &impl EventLogStore) {
    let headers = [("dedup-id", "MARKET:m:1"), ("again", "1"), ("again", "ü"), ("empty", "")];
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let value = "{\"n\":12345678901234567890123,\"text\":\"ü 🦀 \\u0000\"}";
    let records = vec![
        LogRecord { headers: headers.clone(), ..record("ü 🦀", value) },
        record("ü 🦀", ""),
        record("ü 🦀", value),
    ];
    produce(backend, OTHER_TOPIC, records).await;
    let found = read(backend, OTHER_TOPIC, 0).await;
    assert_eq!(values(&found), [value, "", value]);
    assert_eq!(found.iter().map(|it| it.headers.clone()).collect::<Vec<_>>(), [headers, vec![], vec![]]);
    for (offset, record) in (0..).zip(&found) {
        assert_eq!((record.partition, record.offset, record.key.as_deref()), (0, offset, Some("ü 🦀")));
        assert!(record.time_ms > 1_600_000_000_000, "{record:?}");
    }
}

pub async fn answers_nothing_for_no_records(backend: &impl EventLogStore) {
    assert_eq!(backend.event_log().produce(TOPIC, vec![]).await.unwrap(), []);
    assert_eq!(all(backend, TOPIC).await, []);
}

pub async fn chooses_partitions_as_other_producers_do(backend: &impl EventLogStore) {
    let numbers: Vec<_> = backend.event_log().log_partitions(TOPIC).await.unwrap().iter().map(|it| it.number).collect();
    assert_eq!(numbers, (0..PARTITIONS).collect::<Vec<_>>());
    produce(backend, TOPIC, (0..50).map(|n| record(&format!("campaign-{n}"), "1")).collect()).await;
    let found = all(backend, TOPIC).await;
    assert_eq!(found.len(), 50);
    for record in &found {
        assert_eq!(record.partition, partition_of(record.key.as_deref().unwrap(), PARTITIONS), "{record:?}");
    }
    assert_eq!(found.iter().map(|record| record.partition).collect::<BTreeSet<_>>().len(), PARTITIONS as usize);
}

pub async fn keeps_the_order_of_a_key(backend: &impl EventLogStore) {
    for n in 0..5 {
        // Two of each key in one call.
        let of_key = |half: usize, key: usize| record(&format!("key-{key}"), format!("{}", 2 * n + half));
        produce(backend, TOPIC, (0..2).flat_map(|half| (0..30).map(move |key| of_key(half, key))).collect()).await;
    }
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in all(backend, TOPIC).await {
        seen.entry(record.key.unwrap()).or_default().push(record.value.unwrap());
    }
    assert_eq!(seen.len(), 30);
    for (key, values) in seen {
        assert_eq!(values, (0..10).map(|n| n.to_string()).collect::<Vec<_>>(), "{key}");
    }
}

pub async fn refuses_one_and_takes_the_rest(backend: &impl EventLogStore) {
    let nameless = LogRecord { headers: vec![(String::new(), "v".to_owned())], ..record("k", "x") };
    let large = record("k", "v".repeat(MAX_LOG_RECORD_BYTES));
    let records = vec![record("a", "1"), record("", "x"), nameless, large, record("b", "2")];
    let produced = backend.event_log().produce(TOPIC, records).await.unwrap();
    let kinds: Vec<_> = produced.iter().map(|produced| produced.as_ref().err().map(|error| error.kind)).collect();
    let (invalid, too_large) = (Some(ErrorKind::Invalid), Some(ErrorKind::TooLarge));
    assert_eq!(kinds, [None, invalid, invalid, too_large, None]);
    let found = all(backend, TOPIC).await;
    assert_eq!(values(&found).into_iter().collect::<BTreeSet<_>>(), ["1", "2"].into());
}

pub async fn takes_any_number(backend: &impl EventLogStore) {
    produce(backend, TOPIC, (0..2_001).map(|n| record(&format!("key-{n}"), n.to_string())).collect()).await;
    let found = all(backend, TOPIC).await;
    let distinct: BTreeSet<_> = values(&found).into_iter().collect();
    assert_eq!((found.len(), distinct.len()), (2_001, 2_001));
}

pub async fn accepts_what_just_fits(backend: &impl EventLogStore) {
    let headers = vec![("dedup-id".to_owned(), "id".to_owned())];
    let most = MAX_LOG_RECORD_BYTES - "k".len() - "dedup-id".len() - "id".len();
    let value = |n: usize| n.to_string().repeat(most);
    let records = (0..3).map(|n| LogRecord { headers: headers.clone(), ..record("k", value(n)) }).collect();
    produce(backend, TOPIC, records).await;
    let found = read(backend, TOPIC, partition_of("k", PARTITIONS)).await;
    assert_eq!(found.len(), 3);
    for (n, record) in found.iter().enumerate() {
        assert!(record.value.as_deref() == Some(&value(n)), "{n}");
    }
}

pub async fn reads_pages_from_any_offset(backend: &impl EventLogStore) {
    let empty = backend.event_log().read_log(OTHER_TOPIC, 0, None, 10).await.unwrap();
    assert_eq!((empty.records.len(), empty.next), (0, 0));
    produce(backend, OTHER_TOPIC, (0..5).map(|n| record("k", n.to_string())).collect()).await;
    for (from, limit, expected, next) in [
        (None, 2, &["0", "1"][..], 2),
        (Some(2), 2, &["2", "3"], 4),
        (Some(4), 2, &["4"], 5),
        (Some(5), 2, &[], 5),
        (Some(0), 10, &["0", "1", "2", "3", "4"], 5),
    ] {
        let page = backend.event_log().read_log(OTHER_TOPIC, 0, from, limit).await.unwrap();
        assert_eq!((values(&page.records), page.next), (expected.to_vec(), next), "{from:?} {limit}");
    }
    let partitions = backend.event_log().log_partitions(OTHER_TOPIC).await.unwrap();
    let [partition] = partitions.as_slice() else { panic!("{partitions:?}") };
    assert_eq!((partition.number, partition.first, partition.end), (0, 0, 5));
    produce(backend, OTHER_TOPIC, vec![record("k", "5")]).await;
    let page = backend.event_log().read_log(OTHER_TOPIC, 0, Some(5), 10).await.unwrap();
    assert_eq!(values(&page.records), ["5"], "reading goes on");
}

pub async fn keeps_topics_apart(backend: &impl EventLogStore) {
    produce(backend, TOPIC, vec![record("k", "1")]).await;
    produce(backend, OTHER_TOPIC, vec![record("k", "2")]).await;
    assert_eq!(values(&all(backend, TOPIC).await), ["1"]);
    assert_eq!(values(&all(backend, OTHER_TOPIC).await), ["2"]);
}

pub async fn knows_its_names(backend: &impl EventLogStore) {
    let log = backend.event_log();
    let unknown = "no.such.topic";
    assert_eq!(log.produce(unknown, vec![record("k", "1")]).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(log.log_partitions(unknown).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(log.read_log(unknown, 0, None, 1).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(log.read_log(TOPIC, PARTITIONS, None, 1).await.unwrap_err().kind, ErrorKind::NotFound);
}
