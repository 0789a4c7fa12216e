//! The source `kinesis` on any backend: the order of keys in several shards, beginning at a time, records in one.

use super::backend::{DATA_STREAM, SHARDS};
use super::data_streams::record;
use crate::{programs, wait};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_delivery::dispatch::{Dispatch, Dispatched};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::event::{Disposition, Event};
use host_adapters_platform::clock::Clock;
use host_adapters_platform::{Checkpoint, DataStreamBackend, DataStreamReader, QueueBackend};
use host_adapters_records::data_streams::DataRecord;
use host_adapters_sources::kinesis::{KinesisConfig, StartingPosition, Timestamp};
use host_adapters_sources::{Source, SourceConfig, SourceContext, SourceStores};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// The worker that the source feeds.
pub const WORKER: &str = "save-fan-scores";
const PATIENCE: Duration = Duration::from_secs(10);

/// What the worker was handed. It acknowledges everything.
#[derive(Default)]
pub struct Heard(Mutex<Vec<Event>>);

#[async_trait::async_trait]
impl Dispatch for Heard {
    async fn dispatch(&self, _worker: &str, batch: Vec<Event>) -> Dispatched {
        let dispositions = vec![Disposition::Ack; batch.len()];
        self.0.lock().unwrap().extend(batch);
        Dispatched { result: Ok(dispositions), ..Dispatched::default() }
    }
}

impl Heard {
    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until the worker was handed this many different records.
    pub async fn until(&self, count: usize) {
        let ids = || self.events().into_iter().map(|event| event.id).collect::<BTreeSet<_>>();
        wait::eventually("all records", async || (ids().len() >= count).then_some(())).await;
    }

    /// For each key the numbers that were put under it, in the order in which they were handed over last.
    pub fn numbers(&self) -> BTreeMap<String, Vec<u64>> {
        let mut keys: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for event in self.events() {
            let number: u64 = event.json().unwrap();
            let numbers = keys.entry(event.ordering_key.clone().unwrap()).or_default();
            // After another host has taken a shard over, records may come again.
            numbers.retain(|other| *other != number);
            numbers.push(number);
        }
        keys
    }
}

/// A store with [`DATA_STREAM`].
#[derive(Clone)]
pub struct Store {
    pub put: Arc<dyn DataStreamBackend>,
    pub reader: Arc<dyn DataStreamReader>,
    pub queues: Arc<dyn QueueBackend>,
}

/// A source that runs.
pub struct Running {
    drain: Drain,
    task: JoinHandle<Ended>,
}

impl Running {
    /// Runs a source.
    pub fn of(source: Arc<dyn Source>) -> Self {
        let drain = Drain::new();
        let draining = drain.clone();
        Self { drain, task: tokio::spawn(async move { source.run(draining).await }) }
    }

    /// Ends it as SIGTERM does.
    pub async fn stop(self) {
        assert_eq!(self.drain.finish(PATIENCE, self.task).await.unwrap(), Ended::Drained);
    }

    /// Ends it as `kill -9` does.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

impl Store {
    /// Starts the source, as `up` does.
    pub fn start(&self, heard: &Arc<Heard>, config: KinesisConfig) -> Running {
        let stores = SourceStores { data_streams: self.reader.clone(), ..SourceStores::of_queues(self.queues.clone()) };
        let context = SourceContext::new(WORKER, heard.clone(), stores);
        Running::of(SourceConfig::Kinesis(config).source(&context))
    }

    /// Puts records of ten keys, numbered in this order.
    pub async fn put(&self, numbers: std::ops::Range<u64>) {
        self.put_all(numbers.map(|number| record(&format!("key-{}", number % 10), number.to_string())).collect()).await;
    }

    async fn put_all(&self, records: Vec<DataRecord>) {
        let put = self.put.put_records(DATA_STREAM, records).await.unwrap();
        assert!(put.iter().all(Result::is_ok), "{put:?}");
    }

    async fn checkpoints(&self) -> Vec<Option<Checkpoint>> {
        let mut checkpoints = Vec::new();
        for shard in self.reader.shards(DATA_STREAM).await.unwrap() {
            checkpoints.push(self.reader.checkpoint(DATA_STREAM, &shard.id, WORKER).await.unwrap());
        }
        checkpoints
    }
}

pub fn plain() -> KinesisConfig {
    KinesisConfig::new(DATA_STREAM)
}

/// The numbers of each key are in order and complete.
pub fn check_order(heard: &Heard, count: u64) {
    for (key, numbers) in heard.numbers() {
        let own: u64 = key.strip_prefix("key-").unwrap().parse().unwrap();
        let expected: Vec<u64> = (0..count).filter(|number| number % 10 == own).collect();
        assert_eq!(numbers, expected, "{key}");
    }
}

pub async fn keeps_the_order_of_each_key(store: Store) {
    let heard = Arc::new(Heard::default());
    store.put(0..300).await;
    let source = store.start(&heard, KinesisConfig { parallelization_factor: 3, batch_size: 7, ..plain() });
    for first in [300, 310, 320] {
        store.put(first..first + 10).await;
    }
    heard.until(330).await;
    check_order(&heard, 330);
    let events = heard.events();
    let shards: BTreeSet<_> = events.iter().map(|event| event.attribute("shardId").unwrap()).collect();
    assert_eq!(shards.len(), usize::try_from(SHARDS).unwrap(), "{shards:?}");
    let first = &events[0];
    assert_eq!(first.source, format!("kinesis:{DATA_STREAM}"));
    assert_eq!((first.attribute("partitionKey"), first.attempt), (first.ordering_key.as_deref(), 1));
    source.stop().await;
    // What was settled is not read again.
    let again = Arc::new(Heard::default());
    let source = store.start(&again, plain());
    store.put(330..340).await;
    again.until(10).await;
    assert_eq!(again.events().len(), 10);
    source.stop().await;
}

pub async fn begins_at_a_time(store: Store) {
    store.put(0..20).await;
    // Clocks of servers may differ by some milliseconds.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let time_ms = u64::try_from(Clock::wall().now_ms()).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    store.put(20..40).await;
    let heard = Arc::new(Heard::default());
    let config = KinesisConfig {
        starting_position: StartingPosition::AtTimestamp,
        starting_position_timestamp: Timestamp(Some(time_ms)),
        ..plain()
    };
    let source = store.start(&heard, config.clone());
    heard.until(20).await;
    source.stop().await;
    let source = store.start(&heard, KinesisConfig { starting_position: StartingPosition::Latest, ..plain() });
    store.put(40..50).await;
    heard.until(30).await;
    source.stop().await;
    let all: BTreeSet<u64> = heard.numbers().into_values().flatten().collect();
    assert_eq!((heard.events().len(), all), (30, (20..50).collect()));
}

/// The parts are settled together: the checkpoint is the sequence number of their record.
pub async fn takes_what_is_packed_apart(store: Store) {
    let path = programs::project().join("tests/fixtures/cases/L01-aggregates/L01-two-of-one-key.b64");
    let data = BASE64_STANDARD.decode(std::fs::read_to_string(path).unwrap().trim()).unwrap();
    store.put_all(vec![record("fan-1", data)]).await;
    let heard = Arc::new(Heard::default());
    let source = store.start(&heard, KinesisConfig { batch_size: 1, ..plain() });
    heard.until(2).await;
    source.stop().await;
    let events = heard.events();
    let sequence = events[0].sequence().to_owned();
    let ids: Vec<_> = events.iter().map(|event| (event.id.clone(), event.ordering_key.as_deref().unwrap())).collect();
    assert_eq!(ids, [(format!("{sequence}#0"), "fan-1"), (format!("{sequence}#1"), "fan-1")]);
    assert!(store.checkpoints().await.contains(&Some(Checkpoint::At(sequence))));
}
