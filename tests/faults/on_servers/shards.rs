//! A shard splits while two hosts are running. Its children wait until it is settled to the end, also for the host that
//! does not read it. Then the hosts share them.

use super::proxy::{Line, Proxy};
use super::queued::{MANY, Queued, write};
use super::resharded::{CHILDREN, Resharded};
use super::stage::{QUEUE_WORKER, STREAM_WORKER, Stage, received};
use crate::backends::on_servers::servers::endpoints;
use std::time::Duration;
use tests::{manifest, wait};

/// Longer than a host takes to list the shards twice.
const QUIET: Duration = Duration::from_secs(8);
/// More rounds than a lease needs to change its owner.
const ROUNDS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn children_wait_for_their_parent_and_are_shared() {
    let direct = endpoints().await;
    let mut at = direct.clone();
    let stream = Resharded::before(at.of("dynamodb")).await;
    let queues = Proxy::before(at.of("elasticmq")).await;
    // Queued messages stay there, so that the test can read them. Nobody else subscribes to the stream: what the other
    // worker has settled, it would read on from.
    let cut_off = [QUEUE_WORKER, "mark-assigned-codes", "count-verdicts"];
    let stage = Stage::new(direct, |manifest| manifest::cut_off(manifest, &cut_off)).await;
    let (one, other) = tokio::join!(stage.host("host", &at), stage.host("other", &at));
    let mut queued = Queued::default();
    write(&stage, 0..MANY, 1).await;
    queued.until(&stage, 1).await;

    // Its calls hang: the parent is read, but not settled.
    queues.set(Line::Stalled);
    write(&stage, 0..MANY / 2, 2).await;
    wait::eventually("the parent's last records", async || (stream.all().await == MANY * 3 / 2).then_some(())).await;
    stream.split().await;
    write(&stage, MANY / 2..MANY, 2).await;
    write(&stage, 0..MANY, 3).await;
    tokio::time::sleep(QUIET).await;
    for child in CHILDREN {
        assert_eq!(stream.read(child).await, 0, "{child} is read before its parent is settled");
    }

    queues.set(Line::Open);
    for version in [2, 3] {
        queued.until(&stage, version).await;
    }
    queued.in_order();
    let mut version = 3;
    // Each round is read to its end before the next, so that DynamoDB Local has time for the hosts' leases too.
    while received(&one, STREAM_WORKER).await == 0 || received(&other, STREAM_WORKER).await == 0 {
        version += 1;
        assert!(version < ROUNDS, "no child for each host");
        write(&stage, 0..MANY, version).await;
        queued.until(&stage, version).await;
    }
    queued.in_order();
}
