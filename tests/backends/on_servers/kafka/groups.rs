//! The source `kafka` on a real Kafka: the suite of all backends, and hosts that share a group.
#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

use super::{Files, brokers, declared, server};
use crate::backends::on_servers::servers::unique;
use host_adapters_delivery::event::Event;
use host_adapters_platform::{Checkpoint, EventLogReader, Opened};
use host_adapters_records::ErrorKind;
use host_adapters_sources::kafka::{KafkaSourceConfig, StartingPosition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use rdkafka::{ClientConfig, TopicPartitionList};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::contract;
use tests::contract::suites::event_log::{PARTITIONS, TOPIC};
use tests::contract::suites::kafka_source::{self, Store, plain};
use tests::contract::suites::kinesis_source::{Heard, WORKER};
use tests::wait;

/// A member whose source has ended without a word leaves its group after 10 s, and a lease lasts as long.
const TAKEN_OVER: Duration = Duration::from_secs(10 + 4);
/// The time for a rebalance, and for a record to reach the worker, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The key and the value of a record, as bytes.
type KeyAndValue<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Hosts with topics of this test's own. The files and the queues are there as long as it is.
struct Stage {
    prefix: String,
    hosts: Vec<Store>,
    files: Files,
    _queues: contract::embedded::Opened,
}

impl Stage {
    async fn new(hosts: usize) -> Self {
        let (files, prefix) = (Files::of("ca.pem", Some("client")).await, unique());
        let queues = contract::embedded::open().await;
        let mut stores = Vec::new();
        for _ in 0..hosts {
            let backend = files.backend(&brokers().await, &prefix).unwrap();
            backend.provision(&declared()).await.unwrap();
            let Opened::EventLog(log, reader) = backend.open(&declared(), Path::new("")).await.unwrap() else {
                panic!("another interface")
            };
            let queue = Arc::new(queues.embedded.clone());
            stores.push(Store { log, reader, queues: queue.clone(), browser: queue });
        }
        Self { prefix, hosts: stores, files, _queues: queues }
    }

    fn only(&self) -> Store {
        self.hosts[0].clone()
    }

    /// A client of another program.
    async fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", format!("127.0.0.1:{}", server().await.port - 1));
        client
    }

    /// The offsets of a group, as another program sees them.
    async fn offsets(&self, group: &str) -> i64 {
        let consumer: BaseConsumer =
            self.client().await.set("group.id", format!("{}{group}", self.prefix)).create().unwrap();
        let topic = format!("{}{TOPIC}", self.prefix);
        tokio::task::spawn_blocking(move || {
            let mut asked = TopicPartitionList::new();
            asked.add_partition_range(&topic, 0, i32::try_from(PARTITIONS).unwrap() - 1);
            let found = consumer.committed_offsets(asked, Duration::from_secs(10)).unwrap();
            found
                .elements()
                .iter()
                .filter_map(|partition| partition.offset().to_raw())
                .filter(|offset| *offset > 0)
                .sum()
        })
        .await
        .unwrap()
    }

    /// The ids of the members of a group.
    async fn members(&self, group: &str) -> BTreeSet<String> {
        let group = format!("{}{group}", self.prefix);
        let consumer: BaseConsumer = self.client().await.set("group.id", "onlooker").create().unwrap();
        tokio::task::spawn_blocking(move || {
            let found = consumer.fetch_group_list(Some(&group), Duration::from_secs(10)).unwrap();
            let members = found.groups().iter().flat_map(|group| group.members());
            members.map(|member| member.id().to_owned()).collect()
        })
        .await
        .unwrap()
    }

    /// Records that no component can produce.
    async fn produce_raw(&self, records: &[KeyAndValue<'_>]) {
        let producer: FutureProducer = self.client().await.create().unwrap();
        let topic = format!("{}{TOPIC}", self.prefix);
        for (key, value) in records {
            let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&topic).partition(0);
            record.key = *key;
            record.payload = *value;
            producer.send(record, Timeout::After(Duration::from_secs(10))).await.unwrap();
        }
    }
}

/// The numbers that were handed over, without repeats.
fn numbers(heard: &[Arc<Heard>]) -> BTreeSet<u64> {
    heard.iter().flat_map(|heard| heard.numbers().into_values().flatten()).collect()
}

/// Waits until this many were handed over.
async fn until(heard: &[Arc<Heard>], count: u64) {
    wait::eventually("all records", async || (numbers(heard).len() as u64 == count).then_some(())).await;
}

/// Puts records, from this number on, until each host has some. Returns how many there are.
async fn until_shared(stage: &Stage, heard: &[Arc<Heard>], first: u64) -> u64 {
    let (mut count, began) = (first, Instant::now());
    while heard.iter().any(|heard| heard.events().is_empty()) {
        assert!(began.elapsed() < Duration::from_secs(90), "one host alone reads all partitions");
        stage.hosts[0].put(count..count + 10).await;
        count += 10;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn d16_1__a_topic_keeps_the_order_of_each_key() {
    kafka_source::keeps_the_order_of_each_key(Stage::new(1).await.only()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d16_2__offsets_are_a_groups() {
    kafka_source::keeps_offsets_of_groups(Stage::new(1).await.only()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d16_3__a_group_begins_at_a_time() {
    kafka_source::begins_at_a_time(Stage::new(1).await.only()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d16_7__poison_in_a_topic_is_isolated() {
    kafka_source::isolates_poison(Stage::new(1).await.only()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_read_from_any_position() {
    let stage = Stage::new(1).await;
    kafka_source::reads_pages_from_any_position(stage.only()).await;
}

/// One client fetches a partition for both.
#[tokio::test(flavor = "multi_thread")]
async fn d16_6__groups_at_different_places_do_not_hold_each_other_up() {
    let stage = Stage::new(1).await;
    let host = &stage.hosts[0];
    host.put(0..5_000).await;
    let (newcomer, all) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
    let tail = "tail".to_owned();
    let latest =
        KafkaSourceConfig { group: Some(tail.clone()), starting_position: StartingPosition::Latest, ..plain() };
    let at_the_tail = host.start(newcomer.clone(), latest);
    wait::eventually("its beginning", async || (host.settled(&tail).await == 5_000).then_some(())).await;
    let from_the_first = host.start(all.clone(), plain());
    for first in [5_000, 5_050] {
        host.put(first..first + 50).await;
        let expected = usize::try_from(first).unwrap() + 50;
        newcomer.until(expected - 5_000).await;
        all.until(expected).await;
    }
    at_the_tail.stop().await;
    from_the_first.stop().await;
    assert_eq!(numbers(&[newcomer]), (5_000..5_100).collect());
    assert_eq!(numbers(&[all]), (0..5_100).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn d16_2__other_programs_see_the_offsets() {
    let stage = Stage::new(1).await;
    let heard = Arc::new(Heard::default());
    stage.hosts[0].put(0..60).await;
    let source = stage.hosts[0].start(heard.clone(), plain());
    heard.until(60).await;
    source.stop().await;
    assert_eq!(stage.offsets(WORKER).await, 60);
}

/// Nothing is handed over twice: the rebalance waits for the work in progress.
#[tokio::test(flavor = "multi_thread")]
async fn d16_4__a_host_that_comes_and_one_that_goes_repeat_nothing() {
    let stage = Stage::new(2).await;
    let heard = [Arc::new(Heard::default()), Arc::new(Heard::default())];
    let one = stage.hosts[0].start(heard[0].clone(), plain());
    stage.hosts[0].put(0..30).await;
    until(&heard[..1], 30).await;
    let other = stage.hosts[1].start(heard[1].clone(), plain());
    // Partitions are at work during the rebalance.
    let mut count = until_shared(&stage, &heard, 30).await;
    until(&heard, count).await;
    one.stop().await;
    stage.hosts[0].put(count..count + 100).await;
    count += 100;
    until(&heard, count).await;
    other.stop().await;
    let events: Vec<Event> = heard.iter().flat_map(|heard| heard.events()).collect();
    assert_eq!(events.len() as u64, count, "each record once");
    assert!(heard.iter().all(|heard| !heard.events().is_empty()));
    assert_eq!(stage.offsets(WORKER).await, i64::try_from(count).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn d16_11__two_hosts_share_a_group_and_one_goes_on_alone() {
    let stage = Stage::new(2).await;
    let heard = [Arc::new(Heard::default()), Arc::new(Heard::default())];
    let [one, other] = [0, 1].map(|host: usize| stage.hosts[host].start(heard[host].clone(), plain()));
    let mut count = until_shared(&stage, &heard, 0).await;
    one.kill().await;
    let (killed, since) = (heard[0].events().len(), Instant::now());
    stage.hosts[1].put(count..count + 100).await;
    count += 100;
    until(&heard, count).await;
    assert!(since.elapsed() < TAKEN_OVER + PATIENCE, "taken over only after {:?}", since.elapsed());
    assert_eq!(heard[0].events().len(), killed);
    for numbers in heard.iter().flat_map(|heard| heard.numbers().into_values()) {
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
    other.stop().await;
    assert_eq!(stage.offsets(WORKER).await, i64::try_from(count).unwrap());
}

/// A host that was suspended stores no offset of a partition that another one has.
#[tokio::test(flavor = "multi_thread")]
async fn d16_5__an_offset_of_another_hosts_partition_is_refused() {
    let stage = Stage::new(2).await;
    let [one, other] = [0, 1].map(|host: usize| stage.hosts[host].reader.clone());
    let shards = one.shards(TOPIC).await.unwrap();
    let owned = async |reader: &Arc<dyn EventLogReader>| {
        let leases = reader.hold(TOPIC, "group", &shards).await.unwrap();
        for shard in &leases.leaving {
            reader.leave(TOPIC, "group", shard).await;
        }
        leases.staying()
    };
    wait::eventually("all partitions", async || (owned(&one).await.len() == 3).then_some(())).await;
    let shared = async || {
        let (ours, theirs) = (owned(&one).await, owned(&other).await);
        (ours.len() + theirs.len() == 3 && !theirs.is_empty()).then_some(theirs)
    };
    let theirs = wait::eventually("a partition for each", shared).await;
    let settled = Checkpoint::At(format!("{}-7", theirs[0]));
    let refused = one.set_checkpoint(TOPIC, &theirs[0], "group", &settled).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::ConditionFailed, "{refused}");
    assert_eq!(other.checkpoint(TOPIC, &theirs[0], "group").await.unwrap(), None);
    other.set_checkpoint(TOPIC, &theirs[0], "group", &settled).await.unwrap();
    assert_eq!(other.checkpoint(TOPIC, &theirs[0], "group").await.unwrap(), Some(settled));
    for reader in [one, other] {
        reader.release(TOPIC, "group").await.unwrap();
    }
}

/// Keys and values that are not text, and records without them.
#[tokio::test(flavor = "multi_thread")]
async fn d16_6__records_of_other_producers_are_handed_over_byte_for_byte() {
    let stage = Stage::new(1).await;
    let records: [KeyAndValue<'_>; 4] =
        [(Some(b"\xff\x00"), Some(b"1")), (None, Some(b"\xff\x00")), (Some(b"k"), None), (Some(b"e"), Some(b""))];
    stage.produce_raw(&records).await;
    let heard = Arc::new(Heard::default());
    let source = stage.hosts[0].start(heard.clone(), plain());
    heard.until(4).await;
    source.stop().await;
    let shown: Vec<_> = heard.events().iter().map(shown).collect();
    let row = |id: &str, key: Option<&str>, payload: &[u8], is_tombstone: bool| {
        (id.to_owned(), key.map(str::to_owned), payload.to_vec(), is_tombstone)
    };
    let expected = [
        row("0-0", Some("/wA="), b"1", false),
        row("0-1", None, b"\xff\x00", false),
        row("0-2", Some("k"), b"", true),
        row("0-3", Some("e"), b"", false),
    ];
    assert_eq!(shown, expected);
}

fn shown(event: &Event) -> (String, Option<String>, Vec<u8>, bool) {
    let payload = match &event.payload {
        host_adapters_delivery::event::Payload::Json(text) => text.clone().into_bytes(),
        host_adapters_delivery::event::Payload::Bytes(bytes) => bytes.clone(),
    };
    let is_tombstone = event.attribute("tombstone").is_some();
    (event.id.clone(), event.ordering_key.clone(), payload, is_tombstone)
}

/// The broker refuses the old certificate only when a client connects, so a member keeps what it has until the new one is
/// there.
#[tokio::test(flavor = "multi_thread")]
async fn d16_12__certificates_are_rotated_under_a_group() {
    let stage = Stage::new(1).await;
    let heard = Arc::new(Heard::default());
    let source = stage.hosts[0].start(heard.clone(), plain());
    stage.hosts[0].put(0..10).await;
    heard.until(10).await;
    let before = stage.members(WORKER).await;
    assert_eq!(before.len(), 1, "{before:?}");
    // The same certificate is another text with something before it, which PEM ignores. A line break at the end would be cut
    // off.
    let path = stage.files.path("host.pem");
    let pem = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("renewed\n{pem}")).unwrap();
    stage.hosts[0].put(10..30).await;
    heard.until(30).await;
    let replaced = async || {
        let members = stage.members(WORKER).await;
        (members.len() == 1 && members != before).then_some(())
    };
    wait::eventually("another member", replaced).await;
    stage.hosts[0].put(30..50).await;
    heard.until(50).await;
    source.stop().await;
    assert_eq!(stage.offsets(WORKER).await, 50);
}
