//! The source `kafka` on any backend: pages, offsets of groups, the order of keys, beginning at a time, poison.

use super::backend::LOOSE_QUEUE;
use super::event_log::{OTHER_TOPIC, PARTITIONS, TOPIC, record};
use super::kinesis_source::{Heard, Running, WORKER, check_order};
use crate::wait;
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_delivery::event::{Disposition, Event};
use host_adapters_platform::clock::Clock;
use host_adapters_platform::{
    Checkpoint, EventLogBackend, EventLogReader, LogEntry, LogPlace, Position, QueueBackend, QueueBrowser,
};
use host_adapters_records::ErrorKind;
use host_adapters_records::event_log::LogRecord;
use host_adapters_sources::kafka::{KafkaSourceConfig, StartingPosition, Timestamp};
use host_adapters_sources::{SourceConfig, SourceContext, SourceStores};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A store with [`TOPIC`] and [`OTHER_TOPIC`], which are empty, and with [`LOOSE_QUEUE`].
#[derive(Clone)]
pub struct Store {
    pub log: Arc<dyn EventLogBackend>,
    pub reader: Arc<dyn EventLogReader>,
    pub queues: Arc<dyn QueueBackend>,
    pub browser: Arc<dyn QueueBrowser>,
}

impl Store {
    /// Starts the source, as `up` does.
    pub fn start(&self, worker: Arc<dyn Dispatch>, config: KafkaSourceConfig) -> Running {
        let stores = SourceStores { event_log: self.reader.clone(), ..SourceStores::of_queues(self.queues.clone()) };
        Running::of(SourceConfig::Kafka(config).source(&SourceContext::new(WORKER, worker, stores)))
    }

    /// Produces records of ten keys, numbered in this order.
    pub async fn put(&self, numbers: std::ops::Range<u64>) {
        self.put_all(numbers.map(|number| record(&format!("key-{}", number % 10), number.to_string())).collect()).await;
    }

    pub async fn put_all(&self, records: Vec<LogRecord>) {
        let produced = self.log.produce(TOPIC, records).await.unwrap();
        assert!(produced.iter().all(Result::is_ok), "{produced:?}");
    }

    /// The sum of what a group has settled in all partitions.
    pub async fn settled(&self, group: &str) -> u64 {
        let mut settled = 0;
        for partition in 0..PARTITIONS {
            match self.reader.checkpoint(TOPIC, &partition.to_string(), group).await.unwrap() {
                Some(Checkpoint::At(sequence)) => settled += LogPlace::of(partition, &sequence).unwrap().offset + 1,
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        }
        settled
    }

    /// Waits until all partitions of a topic are this host's, for a group that is used without a source.
    async fn hold(&self, topic: &str, group: &str) {
        let shards = self.reader.shards(topic).await.unwrap();
        wait::eventually("all partitions", async || {
            let leases = self.reader.hold(topic, group, &shards).await.unwrap();
            (leases.owned.len() == shards.len()).then_some(())
        })
        .await;
    }

    /// The records of a page that is not empty.
    async fn page(&self, shard: &str, from: &Position, limit: usize) -> (Vec<LogEntry>, Position) {
        wait::eventually("records", async || {
            let read = self.reader.page(OTHER_TOPIC, shard, from, limit).await.unwrap().read();
            (!read.records.is_empty()).then(|| (read.records, read.next.unwrap()))
        })
        .await
    }
}

pub fn plain() -> KafkaSourceConfig {
    KafkaSourceConfig::new(TOPIC)
}

fn now_ms() -> u64 {
    u64::try_from(Clock::wall().now_ms()).unwrap()
}

fn values(entries: &[LogEntry]) -> Vec<String> {
    entries.iter().map(|entry| String::from_utf8(entry.value.clone().unwrap()).unwrap()).collect()
}

pub async fn reads_pages_from_any_position(store: Store) {
    let shards = store.reader.shards(TOPIC).await.unwrap();
    let ids: Vec<&str> = shards.iter().map(|shard| shard.id.as_str()).collect();
    assert_eq!(ids, ["0", "1", "2"]);
    for from in [Position::TrimHorizon, Position::Latest] {
        let empty = store.reader.page(OTHER_TOPIC, "0", &from, 10).await.unwrap().read();
        assert_eq!((empty.records, empty.next), (vec![], Some(Position::TrimHorizon)), "{from:?}");
    }
    let began = now_ms();
    let headers = vec![("again".to_owned(), "1".to_owned()), ("again".to_owned(), "ü".to_owned())];
    let records = (0..5).map(|n| LogRecord { headers: headers.clone(), ..record("k", n.to_string()) }).collect();
    assert!(store.log.produce(OTHER_TOPIC, records).await.unwrap().iter().all(Result::is_ok));
    let (mut all, mut from) = (Vec::new(), Position::TrimHorizon);
    while all.len() < 5 {
        let (records, next) = store.page("0", &from, 3).await;
        assert!(records.len() <= 3);
        all.extend(records);
        from = next;
    }
    assert_eq!((values(&all).concat().as_str(), &from), ("01234", &Position::After("0-4".to_owned())));
    for (offset, entry) in (0..).zip(&all) {
        assert_eq!((entry.place, entry.key.as_deref()), (LogPlace { partition: 0, offset }, Some(&b"k"[..])));
        let headers = [("again", "1"), ("again", "ü")];
        assert_eq!(entry.headers, headers.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec()))));
        assert!(entry.time_ms + 60_000 > began, "{entry:?}");
    }
    // Back, as another worker's group would, and on again.
    for (after, first) in [("0-1", "2"), ("0-3", "4"), ("0-0", "1")] {
        let (records, _) = store.page("0", &Position::After(after.to_owned()), 10).await;
        assert_eq!(values(&records)[0], first, "after {after}");
    }
    let end = store.reader.page(OTHER_TOPIC, "0", &Position::Latest, 10).await.unwrap().read();
    assert_eq!((end.records.len(), end.next), (0, Some(from)));
    let unknown = store.reader.shards("no.such.topic").await.unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NotFound);
}

pub async fn keeps_offsets_of_groups(store: Store) {
    store.log.produce(OTHER_TOPIC, (0..5).map(|n| record("k", n.to_string())).collect()).await.unwrap();
    store.hold(OTHER_TOPIC, "one").await;
    assert!(!store.reader.has_begun(OTHER_TOPIC, "one").await.unwrap());
    assert_eq!(store.reader.checkpoint(OTHER_TOPIC, "0", "one").await.unwrap(), None);
    let at = |offset: u64| Checkpoint::At(LogPlace { partition: 0, offset }.to_string());
    for offset in [0, 3, 4] {
        store.reader.set_checkpoint(OTHER_TOPIC, "0", "one", &at(offset)).await.unwrap();
        assert_eq!(store.reader.checkpoint(OTHER_TOPIC, "0", "one").await.unwrap(), Some(at(offset)));
    }
    assert!(store.reader.has_begun(OTHER_TOPIC, "one").await.unwrap());
    store.hold(OTHER_TOPIC, "two").await;
    assert_eq!(store.reader.checkpoint(OTHER_TOPIC, "0", "two").await.unwrap(), None);
    store.reader.begin(OTHER_TOPIC, "0", "two").await.unwrap();
    assert!(store.reader.has_begun(OTHER_TOPIC, "two").await.unwrap());
    assert_eq!(store.reader.checkpoint(OTHER_TOPIC, "0", "two").await.unwrap(), None, "nothing is settled");
    let foreign = Checkpoint::At("1-3".to_owned());
    let refused = store.reader.set_checkpoint(OTHER_TOPIC, "0", "two", &foreign).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    for group in ["one", "two"] {
        store.reader.release(OTHER_TOPIC, group).await.unwrap();
    }
    assert_eq!(store.reader.checkpoint(OTHER_TOPIC, "0", "one").await.unwrap(), Some(at(4)), "also without members");
    store.reader.release(OTHER_TOPIC, "one").await.unwrap();
}

pub async fn keeps_the_order_of_each_key(store: Store) {
    let heard = Arc::new(Heard::default());
    store.put(0..300).await;
    let config = KafkaSourceConfig { parallelization_factor: 3, batch_size: 7, ..plain() };
    let source = store.start(heard.clone(), config);
    for first in [300, 310, 320] {
        store.put(first..first + 10).await;
    }
    heard.until(330).await;
    check_order(&heard, 330);
    let events = heard.events();
    let shards: BTreeSet<_> = events.iter().map(|event| event.attribute("shardId").unwrap()).collect();
    assert_eq!(shards.len(), PARTITIONS as usize, "{shards:?}");
    let first = &events[0];
    assert_eq!((first.source.clone(), first.attempt), (format!("kafka:{TOPIC}"), 1));
    assert_eq!(first.attribute("key"), first.ordering_key.as_deref());
    source.stop().await;
    assert_eq!(store.settled(WORKER).await, 330);
    store.reader.release(TOPIC, WORKER).await.unwrap();
    // What was settled is not read again.
    let again = Arc::new(Heard::default());
    let source = store.start(again.clone(), plain());
    store.put(330..340).await;
    again.until(10).await;
    assert_eq!(again.events().len(), 10);
    source.stop().await;
}

pub async fn begins_at_a_time(store: Store) {
    store.put(0..20).await;
    // Clocks of servers may differ by some milliseconds.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let time_ms = now_ms();
    tokio::time::sleep(Duration::from_secs(2)).await;
    store.put(20..40).await;
    let heard = Arc::new(Heard::default());
    let config = KafkaSourceConfig {
        starting_position: StartingPosition::AtTimestamp,
        starting_position_timestamp: Timestamp(Some(time_ms)),
        ..plain()
    };
    let source = store.start(heard.clone(), config);
    heard.until(20).await;
    source.stop().await;
    let latest = KafkaSourceConfig { starting_position: StartingPosition::Latest, ..plain() };
    store.put(40..50).await;
    let source = store.start(heard.clone(), latest.clone());
    heard.until(30).await;
    source.stop().await;
    let all: BTreeSet<u64> = heard.numbers().into_values().flatten().collect();
    assert_eq!((heard.events().len(), all), (30, (20..50).collect()));
    // A group of its own begins with what comes from now on.
    let other = Arc::new(Heard::default());
    let source = store.start(other.clone(), KafkaSourceConfig { group: Some("newcomer".to_owned()), ..latest });
    let begun = async || store.reader.has_begun(TOPIC, "newcomer").await.unwrap().then_some(());
    wait::eventually("the beginning", begun).await;
    // Its partitions are begun one after the other.
    tokio::time::sleep(Duration::from_secs(2)).await;
    store.put(50..60).await;
    other.until(10).await;
    source.stop().await;
    let all: BTreeSet<u64> = other.numbers().into_values().flatten().collect();
    assert_eq!(all, (50..60).collect());
}

/// Cannot read one of the records.
#[derive(Default)]
pub struct Poisoned {
    handled: Mutex<BTreeSet<Vec<u8>>>,
}

impl Poisoned {
    pub const POISON: &'static [u8] = b"poison";

    pub fn handled(&self) -> usize {
        self.handled.lock().unwrap().len()
    }
}

fn bytes(event: &Event) -> Vec<u8> {
    match &event.payload {
        host_adapters_delivery::event::Payload::Json(text) => text.clone().into_bytes(),
        host_adapters_delivery::event::Payload::Bytes(bytes) => bytes.clone(),
    }
}

#[async_trait::async_trait]
impl Dispatch for Poisoned {
    async fn dispatch(&self, _worker: &str, batch: Vec<Event>) -> Dispatched {
        if batch.iter().any(|event| bytes(event) == Self::POISON) {
            return Dispatched::of(Err(CallError::Trapped("unreachable".to_owned())));
        }
        self.handled.lock().unwrap().extend(batch.iter().map(bytes));
        Dispatched::of(Ok(vec![Disposition::Ack; batch.len()]))
    }
}

/// The poison record becomes a dead letter, byte for byte, and everything else is handled.
pub async fn isolates_poison(store: Store) {
    store.put(0..20).await;
    store.put_all(vec![record("key-3", "poison")]).await;
    store.put(20..40).await;
    let worker = Arc::new(Poisoned::default());
    let config =
        KafkaSourceConfig { dead_letter_queue: Some(LOOSE_QUEUE.to_owned()), maximum_retry_attempts: 1, ..plain() };
    let source = store.start(worker.clone(), config);
    wait::eventually("all others", async || (worker.handled() == 40).then_some(())).await;
    let settled = async || (store.settled(WORKER).await == 41).then_some(());
    wait::eventually("the poison record", settled).await;
    source.stop().await;
    let page = store.browser.browse(LOOSE_QUEUE, None, 10).await.unwrap();
    let [dead_letter] = page.messages.as_slice() else { panic!("{page:?}") };
    let envelope: serde_json::Value = serde_json::from_str(&dead_letter.body).unwrap();
    assert_eq!(envelope["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!((&envelope["payloadEncoding"], &envelope["payload"]), (&"base64".into(), &"cG9pc29u".into()));
}
