//! Data streams that are split and merged while they are read, and two hosts that share one.
#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

use crate::backends::on_servers::amazon::leases;
use crate::backends::on_servers::servers::{amazon, endpoints, unique};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::StreamStatus;
use backend_dynamodb::lease::LeaseRows;
use backend_kinesis::Kinesis;
use host_adapters_platform::Shard;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::aws::aws;
use tests::contract::suites::backend::DATA_STREAM;
use tests::contract::suites::kinesis_source::{self, Heard, Store, check_order, plain};
use tests::wait;

/// A lease that is not renewed expires after 10 s; the other host checks every 3.3 s, and then reads on.
const TAKEN_OVER: Duration = Duration::from_secs(10 + 4);
/// The time for a record to reach the worker, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A stream of this test's own, as hosts of these names see it.
struct Stage {
    client: Client,
    stream: String,
    hosts: Vec<Store>,
}

impl Stage {
    async fn new(names: &[&str]) -> Self {
        let (at, prefix) = (endpoints().await, unique());
        let amazon = amazon(at, &prefix).await;
        amazon.provision().await;
        let (kinesis, dynamodb) = (aws(&at.kinesis).await, aws(&at.dynamodb).await);
        let host = |name: &&str| {
            let rows = LeaseRows::new(&dynamodb, &leases(&prefix), name);
            let streams = Arc::new(Kinesis::new(&kinesis, &prefix, [DATA_STREAM.to_owned()].into(), rows));
            Store { put: streams.clone(), reader: streams, queues: Arc::new(amazon.queues.clone()) }
        };
        let hosts = names.iter().map(host).collect();
        Self { client: Client::new(kinesis.sdk()), stream: format!("{prefix}{DATA_STREAM}"), hosts }
    }

    /// The shards that take records, in the order of their hash keys.
    async fn open_shards(&self) -> Vec<Shard> {
        let shards = self.hosts[0].reader.shards(DATA_STREAM).await.unwrap();
        let is_parent = |id: &String| shards.iter().any(|shard| shard.parents.contains(id));
        let mut open: Vec<Shard> = shards.iter().filter(|shard| !is_parent(&shard.id)).cloned().collect();
        open.sort_by_key(|shard| *shard.hash_keys.as_ref().unwrap().start());
        open
    }

    async fn split(&self, shard: &Shard) {
        let keys = shard.hash_keys.as_ref().unwrap();
        let middle = keys.start() + (keys.end() - keys.start()) / 2 + 1;
        let split = self.client.split_shard().stream_name(&self.stream).shard_to_split(&shard.id);
        split.new_starting_hash_key(middle.to_string()).send().await.unwrap();
        self.is_active().await;
    }

    async fn merge(&self, left: &Shard, right: &Shard) {
        let merge = self.client.merge_shards().stream_name(&self.stream).shard_to_merge(&left.id);
        merge.adjacent_shard_to_merge(&right.id).send().await.unwrap();
        self.is_active().await;
    }

    async fn is_active(&self) {
        wait::eventually("the new shards", async || {
            let described = self.client.describe_stream_summary().stream_name(&self.stream).send().await.unwrap();
            let status = described.stream_description_summary.unwrap().stream_status;
            (status == StreamStatus::Active).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_15__the_order_of_a_key_holds_through_a_split_and_a_merge() {
    let stage = Stage::new(&["host"]).await;
    let (host, heard) = (&stage.hosts[0], Arc::new(Heard::default()));
    host.put(0..50).await;
    let source = host.start(&heard, plain());
    let first = stage.open_shards().await;
    stage.split(&first[0]).await;
    host.put(50..100).await;
    let split = stage.open_shards().await;
    assert_eq!(split.len(), first.len() + 1);
    // A child and its neighbour, which was not split.
    stage.merge(&split[1], &split[2]).await;
    host.put(100..150).await;
    heard.until(150).await;
    source.stop().await;
    check_order(&heard, 150);
    let merged = stage.open_shards().await.pop().unwrap();
    assert_eq!(merged.parents.len(), 2);
    let events = heard.events();
    let of = |shard: &str| events.iter().find(|event| event.attribute("shardId") == Some(shard));
    assert_eq!(of(&split[0].id).unwrap().attribute("parentShardId"), Some(first[0].id.as_str()));
    assert_eq!(of(&merged.id).unwrap().attribute("parentShardId"), Some(merged.parents.join(",").as_str()));
    assert_eq!(of(&first[0].id).unwrap().attribute("parentShardId"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_11__a_source_that_starts_after_a_split_reads_parents_first_and_settled_ones_not_again() {
    let stage = Stage::new(&["host"]).await;
    let host = &stage.hosts[0];
    host.put(0..50).await;
    let first = stage.open_shards().await;
    stage.split(&first[1]).await;
    host.put(50..100).await;
    let heard = Arc::new(Heard::default());
    let source = host.start(&heard, plain());
    heard.until(100).await;
    source.stop().await;
    check_order(&heard, 100);
    let again = Arc::new(Heard::default());
    let source = host.start(&again, plain());
    host.put(100..110).await;
    again.until(10).await;
    source.stop().await;
    assert_eq!(again.events().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_6__two_hosts_share_a_stream_and_one_goes_on_alone() {
    let stage = Stage::new(&["one", "other"]).await;
    let heard = [Arc::new(Heard::default()), Arc::new(Heard::default())];
    let [one, other] = [0, 1].map(|host| stage.hosts[host].start(&heard[host], plain()));
    let mut count = 0;
    // Until each host has a shard.
    while heard.iter().any(|heard| heard.events().is_empty()) {
        assert!(count < 6_000, "one host alone reads both shards");
        stage.hosts[0].put(count..count + 10).await;
        count += 10;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    one.kill().await;
    let (killed, since) = (heard[0].events().len(), Instant::now());
    stage.hosts[1].put(count..count + 100).await;
    count += 100;
    let all = || heard.iter().flat_map(|heard| heard.numbers().into_values().flatten()).collect::<Vec<u64>>();
    wait::eventually("what the killed host has left", async || {
        let mut all = all();
        all.sort_unstable();
        all.dedup();
        (all.len() as u64 == count).then_some(())
    })
    .await;
    assert!(since.elapsed() < TAKEN_OVER + PATIENCE, "taken over only after {:?}", since.elapsed());
    assert_eq!(heard[0].events().len(), killed);
    for numbers in heard.iter().flat_map(|heard| heard.numbers().into_values()) {
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_3__the_order_of_each_key_is_kept() {
    kinesis_source::keeps_the_order_of_each_key(Stage::new(&["host"]).await.hosts.remove(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_20__a_worker_begins_at_a_time() {
    kinesis_source::begins_at_a_time(Stage::new(&["host"]).await.hosts.remove(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_22__what_is_packed_is_taken_apart() {
    kinesis_source::takes_what_is_packed_apart(Stage::new(&["host"]).await.hosts.remove(0)).await;
}
