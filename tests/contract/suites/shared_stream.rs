//! Three workers of a host on the stream of a table: one keeps up, one has an outage, one gives up a poison record. The
//! reads of a shard are counted.

use super::backend::{LOOSE_QUEUE, TABLE};
use crate::wait;
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_delivery::drain::Drain;
use host_adapters_delivery::event::{Disposition, Event};
use host_adapters_platform::{
    Change, Checkpoint, LeaseTable, Leases, Position, QueueBackend, Result, Shard, ShardPage, ShardReader,
    StreamBackend, TableBackend,
};
use host_adapters_records::table::BatchWrite;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use host_adapters_sources::{SourceConfig, SourceContext, SourceStores};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Number of items, each written once, and the time between them, milliseconds.
const ITEMS: usize = 100;
const APART: Duration = Duration::from_millis(50);
const POISON: &str = "item-17";
/// The interval that DynamoDB requires, for the embedded store, which has none.
pub const INTERVAL: Duration = Duration::from_millis(250);
/// How many items the first worker may be behind nine times of ten, while they are written: what is written in 1.25 s,
/// which is five reads of the shard.
const MOST_BEHIND: usize = 25;

/// A stream whose reads are counted.
struct Counted {
    streams: Arc<dyn StreamBackend>,
    /// In place of the store's own.
    interval: Option<Duration>,
    reads: Mutex<BTreeMap<String, Vec<Instant>>>,
}

#[async_trait::async_trait]
impl ShardReader<Change> for Counted {
    async fn shards(&self, stream: &str) -> Result<Vec<Shard>> {
        self.streams.shards(stream).await
    }
    async fn page(&self, stream: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<Change>> {
        self.reads.lock().unwrap().entry(shard.to_owned()).or_default().push(Instant::now());
        self.streams.page(stream, shard, from, limit).await
    }
    fn most_records(&self) -> usize {
        self.streams.most_records()
    }
    async fn changed(&self, stream: &str, wait: Duration) {
        self.streams.changed(stream, wait).await;
    }
    fn read_interval(&self) -> Duration {
        self.interval.unwrap_or_else(|| self.streams.read_interval())
    }
}

#[async_trait::async_trait]
impl LeaseTable for Counted {
    async fn hold(&self, stream: &str, worker: &str, shards: &[Shard]) -> Result<Leases> {
        self.streams.hold(stream, worker, shards).await
    }
    async fn renew(&self, stream: &str, worker: &str) -> Result<Vec<String>> {
        self.streams.renew(stream, worker).await
    }
    async fn release(&self, stream: &str, worker: &str) -> Result<()> {
        self.streams.release(stream, worker).await
    }
    fn lease_renewal(&self) -> Option<Duration> {
        self.streams.lease_renewal()
    }
    async fn has_begun(&self, stream: &str, worker: &str) -> Result<bool> {
        self.streams.has_begun(stream, worker).await
    }
    async fn begin(&self, stream: &str, shard: &str, worker: &str) -> Result<()> {
        self.streams.begin(stream, shard, worker).await
    }
    async fn checkpoint(&self, stream: &str, shard: &str, worker: &str) -> Result<Option<Checkpoint>> {
        self.streams.checkpoint(stream, shard, worker).await
    }
    async fn set_checkpoint(&self, stream: &str, shard: &str, worker: &str, checkpoint: &Checkpoint) -> Result<()> {
        self.streams.set_checkpoint(stream, shard, worker, checkpoint).await
    }
}

/// Which items each worker has settled.
#[derive(Default)]
struct Workers {
    service_is_up: AtomicBool,
    done: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Workers {
    fn done(&self, worker: &str) -> usize {
        self.done.lock().unwrap().get(worker).map_or(0, BTreeSet::len)
    }
}

fn item(event: &Event) -> String {
    event.ordering_key.as_deref().unwrap_or_default().trim_start_matches("p|").to_owned()
}

#[async_trait::async_trait]
impl Dispatch for Workers {
    async fn dispatch(&self, worker: &str, batch: Vec<Event>) -> Dispatched {
        let items = batch.iter().map(item).collect::<BTreeSet<_>>();
        if worker == "stopped" && !self.service_is_up.load(Ordering::Relaxed) {
            let retry = Disposition::retry("down");
            let (result, outages) = (Ok(vec![retry; batch.len()]), vec!["service:entry".into()]);
            return Dispatched { result, outages, ..Dispatched::default() };
        }
        if worker == "poisoned" && items.contains(POISON) {
            let result = Err(CallError::Trapped("unreachable".to_owned()));
            return Dispatched { result, ..Dispatched::default() };
        }
        self.done.lock().unwrap().entry(worker.to_owned()).or_default().extend(items);
        Dispatched { result: Ok(vec![Disposition::Ack; batch.len()]), ..Dispatched::default() }
    }
}

/// With `interval` the store's reads are spaced by it, and not by its own.
pub async fn one_reader_feeds_three_workers(
    tables: &dyn TableBackend,
    streams: Arc<dyn StreamBackend>,
    queues: Arc<dyn QueueBackend>,
    interval: Option<Duration>,
) {
    let counted = Arc::new(Counted { streams, interval, reads: Mutex::default() });
    let (workers, drain) = (Arc::new(Workers::default()), Drain::new());
    let stores = SourceStores { streams: counted.clone(), ..SourceStores::of_queues(queues.clone()) };
    let context = SourceContext::new("", workers.clone(), stores);
    let mut sources = JoinSet::new();
    for worker in ["first", "stopped", "poisoned"] {
        let context = context.of_worker(worker);
        let config = DynamodbStreamConfig {
            maximum_retry_attempts: 0,
            dead_letter_queue: Some(LOOSE_QUEUE.to_owned()),
            ..DynamodbStreamConfig::new(TABLE)
        };
        let (source, drain) = (SourceConfig::DynamodbStream(config).source(&context), drain.clone());
        sources.spawn(async move { source.run(drain).await });
    }
    let has_all = |worker: &'static str, count: usize| {
        let workers = workers.clone();
        wait::eventually(worker, async move || (workers.done(worker) == count).then_some(()))
    };
    let write = async |number: usize| {
        let item = json!({"pk": "p", "sk": format!("item-{number}")}).to_string();
        let args = BatchWrite { table: TABLE.into(), puts: vec![item], deletes: vec![] };
        assert_eq!(tables.batch_write(args).await.unwrap(), [None]);
    };
    // The stream is found, and its shard is taken.
    write(0).await;
    has_all("first", 1).await;
    has_all("poisoned", 1).await;
    let mut behind = Vec::new();
    for number in 1..ITEMS {
        write(number).await;
        tokio::time::sleep(APART).await;
        behind.push(number + 1 - workers.done("first"));
    }
    keeps_up(behind);
    has_all("first", ITEMS).await;
    has_all("poisoned", ITEMS - 1).await;
    assert_eq!(workers.done("stopped"), 0, "its service is down, and the others did not wait for it");
    let dead_letters = || async { queues.depth(LOOSE_QUEUE).await.unwrap().visible };
    assert_eq!(dead_letters().await, 1);
    workers.service_is_up.store(true, Ordering::Relaxed);
    has_all("stopped", ITEMS).await;
    drain.finish(Duration::from_secs(10), sources.join_all()).await;
    at_most_five_a_second(&counted.reads.lock().unwrap());
}

/// How many items a worker was behind after each was written. One time of ten the machine may have been busy.
fn keeps_up(mut behind: Vec<usize>) {
    behind.sort_unstable();
    assert!(behind[behind.len() * 9 / 10] <= MOST_BEHIND, "the first worker was behind by {behind:?}");
}

/// DynamoDB's limit for a shard, by the times of its reads.
///
/// # Panics
/// When six reads of a shard are within a second, or there are too few to tell.
pub fn at_most_five_a_second(reads: &BTreeMap<String, Vec<Instant>>) {
    assert!(reads.values().any(|reads| reads.len() > 10), "{reads:?}");
    for (shard, reads) in reads {
        let closest = reads.windows(6).map(|six| six[5] - six[0]).min();
        assert!(closest.is_none_or(|closest| closest >= Duration::from_secs(1)), "{shard}: six reads in {closest:?}");
    }
}
