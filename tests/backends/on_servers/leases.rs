//! Two hosts on one lease table in DynamoDB: they share shards, one takes over the shards that the other leaves, and a
//! host that has lost a lease cannot move its checkpoint. (The shards are made up, because the streams of these servers
//! have one shard.)
#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

use crate::backends::on_servers::servers::{endpoints, unique};
use backend_dynamodb::DynamodbStreams;
use host_adapters_platform::{Checkpoint, LeaseTable, Shard};
use host_adapters_records::ErrorKind;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tests::aws::aws;

const TABLE: &str = "t";
const WORKER: &str = "w";
/// How long a lease lasts without a renewal.
const LEASE: Duration = Duration::from_secs(10);
/// After this time a shard that is not listed counts as gone.
const GONE: Duration = Duration::from_secs(10 * 60);
/// How often the remaining host checks; in production it does so every 3.3 s.
const LOOK: Duration = Duration::from_millis(500);

/// A host of the deployment `prefix`.
async fn host(prefix: &str, name: &str) -> DynamodbStreams {
    let tables = BTreeSet::from([TABLE.to_owned()]);
    let leases = format!("{prefix}leases");
    let host = DynamodbStreams::new(&aws(&endpoints().await.dynamodb).await, prefix, tables, &leases, name);
    host.provision().await.unwrap();
    host
}

fn shards(count: usize) -> Vec<Shard> {
    (0..count).map(|n| Shard { id: format!("shard-{n}"), ..Shard::default() }).collect()
}

async fn hold(host: &DynamodbStreams, shards: &[Shard]) -> BTreeSet<String> {
    host.hold(TABLE, WORKER, shards).await.unwrap().owned.into_iter().collect()
}

async fn renew(host: &DynamodbStreams) -> BTreeSet<String> {
    host.renew(TABLE, WORKER).await.unwrap().into_iter().collect()
}

fn at(sequence: &str) -> Checkpoint {
    Checkpoint::At(sequence.to_owned())
}

#[tokio::test]
async fn two_hosts_share_the_shards() {
    let (prefix, shards) = (unique(), shards(4));
    let (a, b) = (host(&prefix, "a").await, host(&prefix, "b").await);
    assert_eq!(hold(&a, &shards).await.len(), 4, "alone");
    for _ in 0..4 {
        hold(&b, &shards).await;
        hold(&a, &shards).await;
    }
    let (of_a, of_b) = (renew(&a).await, renew(&b).await);
    assert_eq!((of_a.len(), of_b.len()), (2, 2), "{of_a:?} {of_b:?}");
    assert!(of_a.is_disjoint(&of_b), "{of_a:?} {of_b:?}");
}

#[tokio::test]
async fn d9_6__a_host_that_stops_is_followed_within_the_lease_time_and_fenced() {
    let (prefix, shards) = (unique(), shards(2));
    let (a, b) = (host(&prefix, "a").await, host(&prefix, "b").await);
    hold(&a, &shards).await;
    hold(&b, &shards).await;
    let before = renew(&a).await;
    let shard = before.iter().next().unwrap().clone();
    a.set_checkpoint(TABLE, &shard, WORKER, &at("10")).await.unwrap();
    // From here on `a` does nothing.
    let stopped = Instant::now();
    while hold(&b, &shards).await.len() < 2 {
        assert!(stopped.elapsed() < LEASE + Duration::from_secs(4), "not taken over");
        tokio::time::sleep(LOOK).await;
    }
    assert!(stopped.elapsed() > LEASE - Duration::from_secs(1), "taken too early: {:?}", stopped.elapsed());
    assert_eq!(b.checkpoint(TABLE, &shard, WORKER).await.unwrap(), Some(at("10")), "where `a` was");
    b.set_checkpoint(TABLE, &shard, WORKER, &at("11")).await.unwrap();
    // It wakes, and believes that it still owns the shard.
    let refused = a.set_checkpoint(TABLE, &shard, WORKER, &at("12")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::ConditionFailed, "{refused}");
    let refused = a.set_checkpoint(TABLE, &shard, WORKER, &at("12")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::ConditionFailed, "nor when it has noticed: {refused}");
    assert_eq!(renew(&a).await, BTreeSet::new());
    assert_eq!(b.checkpoint(TABLE, &shard, WORKER).await.unwrap(), Some(at("11")));
}

#[tokio::test]
async fn released_leases_are_taken_at_once() {
    let (prefix, shards) = (unique(), shards(3));
    let (a, b) = (host(&prefix, "a").await, host(&prefix, "b").await);
    hold(&a, &shards).await;
    a.release(TABLE, WORKER).await.unwrap();
    assert_eq!(renew(&a).await, BTreeSet::new());
    assert_eq!(hold(&b, &shards).await.len(), 3);
}

#[tokio::test]
async fn d9_7__a_host_that_starts_again_takes_its_own_leases_up_at_once() {
    let (prefix, shards) = (unique(), shards(2));
    let before = host(&prefix, "a").await;
    hold(&before, &shards).await;
    let after = host(&prefix, "a").await;
    assert_eq!(hold(&after, &shards).await.len(), 2);
    let refused = before.set_checkpoint(TABLE, "shard-0", WORKER, &at("1")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::ConditionFailed, "the previous process, if it still runs: {refused}");
}

#[tokio::test]
async fn rows_of_shards_that_another_host_has_found_are_left_alone() {
    let (prefix, shards) = (unique(), shards(2));
    let (a, b) = (host(&prefix, "a").await, host(&prefix, "b").await);
    hold(&a, &shards).await;
    a.set_checkpoint(TABLE, "shard-1", WORKER, &at("1")).await.unwrap();
    for news in [true, false] {
        assert_eq!(b.hold(TABLE, WORKER, &shards[..1]).await.unwrap().news, news, "told once");
    }
    assert_eq!(renew(&a).await.len(), 2);
    assert_eq!(a.checkpoint(TABLE, "shard-1", WORKER).await.unwrap(), Some(at("1")));
}

#[tokio::test]
async fn rows_of_shards_that_are_gone_are_deleted() {
    let (prefix, shards) = (unique(), shards(2));
    let a = host(&prefix, "a").await;
    hold(&a, &shards).await;
    a.set_checkpoint(TABLE, "shard-0", WORKER, &at("1")).await.unwrap();
    hold(&a, &shards[1..]).await;
    assert_eq!(a.checkpoint(TABLE, "shard-0", WORKER).await.unwrap(), Some(at("1")), "it may only be unlisted");
    tokio::time::pause();
    tokio::time::advance(GONE).await;
    tokio::time::resume();
    assert_eq!(hold(&a, &shards[1..]).await, BTreeSet::from(["shard-1".to_owned()]));
    assert_eq!(a.checkpoint(TABLE, "shard-0", WORKER).await.unwrap(), None);
}
