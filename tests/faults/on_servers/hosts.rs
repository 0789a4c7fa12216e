//! Two hosts share queues and shards. If one is killed, the other takes over within the lease time. If one is paused,
//! its leases have another owner when it wakes, and it must not touch their shards.

use super::proxy::{Line, Proxy};
use super::queued::{MANY, Queued, write};
use super::stage::{QUEUE_WORKER, STREAM_WORKER, Stage, TABLE, received};
use crate::backends::on_servers::servers::endpoints;
use host_adapters_platform::{Checkpoint, LeaseTable, ShardReader};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};
use tests::{Child, manifest, wait};

/// A lease that is not renewed expires after 10 s; the other host checks every 3.3 s, and then reads on.
const TAKEN_OVER: Duration = Duration::from_secs(10 + 4);
/// The time for a record to reach the Entry Service, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than several renewals of a lease.
const QUIET: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_the_work_and_one_goes_on_alone() {
    let at = endpoints().await;
    let stage = Stage::new(at, |_| ()).await;
    let (one, other) = tokio::join!(stage.host("host", at), stage.host("other", at));
    let load = stage.load();
    wait::eventually("both take from the queue", async || {
        let (one, other) = (received(&one, QUEUE_WORKER).await, received(&other, QUEUE_WORKER).await);
        (one > 0 && other > 0).then_some(())
    })
    .await;
    let reads = [received(&one, STREAM_WORKER).await > 0, received(&other, STREAM_WORKER).await > 0];
    let (killed, left) = match reads {
        [true, false] => (one, other),
        [false, true] => (other, one),
        _ => panic!("one host alone reads a shard: {reads:?}"),
    };
    send(&killed, Signal::KILL);
    let since = Instant::now();
    // A fan whose entry is new.
    stage.write(MANY..MANY + 1, 1).await;
    wait::eventually("the other host reads on", async || stage.holds(MANY, 1).then_some(())).await;
    assert!(since.elapsed() < TAKEN_OVER + PATIENCE, "taken over only after {:?}", since.elapsed());
    let last = load.end().await;
    stage.settled(last).await;
    stage.knows_new_campaigns(&left).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_wakes_after_its_leases_were_taken_leaves_the_shards_alone() {
    let direct = endpoints().await;
    let mut at = direct.clone();
    let queues = Proxy::before(at.of("elasticmq")).await;
    // Queued messages stay there, so that the test can read them.
    let stage = Stage::new(direct, |manifest| manifest::cut_off(manifest, &[QUEUE_WORKER])).await;
    let paused = stage.host("host", &at).await;
    let mut queued = Queued::default();
    write(&stage, 0..MANY, 1).await;
    queued.until(&stage, 1).await;

    // Its calls hang. It reads some more ahead, and then stops.
    queues.set(Line::Stalled);
    write(&stage, 0..MANY, 2).await;
    let handed_over = steady(&paused).await;
    send(&paused, Signal::STOP);
    queues.set(Line::Open);
    let other = stage.host("other", direct).await;
    queued.until(&stage, 2).await;
    write(&stage, 0..MANY, 3).await;
    queued.until(&stage, 3).await;
    let checkpoint = settled_checkpoint(&stage).await;

    send(&paused, Signal::CONT);
    tokio::time::sleep(QUIET).await;
    assert_eq!(received(&paused, STREAM_WORKER).await, handed_over, "it goes on with a shard that it does not own");
    assert_eq!(checkpoint_now(&stage).await, checkpoint, "it moves the checkpoint");
    write(&stage, 0..MANY, 4).await;
    queued.until(&stage, 4).await;
    assert_eq!(received(&paused, STREAM_WORKER).await, handed_over, "the other host owns the shard");

    // The woken host works normally again.
    send(&other, Signal::KILL);
    write(&stage, 0..MANY, 5).await;
    queued.until(&stage, 5).await;
    assert!(received(&paused, STREAM_WORKER).await > handed_over);
    queued.in_order();
}

fn send(host: &Child, signal: Signal) {
    kill_process(Pid::from_raw(host.id().try_into().unwrap()).unwrap(), signal).unwrap();
}

/// How many records the host has handed over, once the number stays the same.
async fn steady(host: &Child) -> u64 {
    let mut last = received(host, STREAM_WORKER).await;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = received(host, STREAM_WORKER).await;
        if now == last && now > MANY as u64 {
            return now;
        }
        last = now;
    }
}

async fn checkpoint_now(stage: &Stage) -> Checkpoint {
    let shard = stage.streams.shards(TABLE).await.unwrap().remove(0);
    stage.streams.checkpoint(TABLE, &shard.id, STREAM_WORKER).await.unwrap().unwrap()
}

/// The checkpoint, once it stays the same. The host that moves it may be slow.
async fn settled_checkpoint(stage: &Stage) -> Checkpoint {
    let mut last = checkpoint_now(stage).await;
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let now = checkpoint_now(stage).await;
        if now == last {
            return now;
        }
        last = now;
    }
}
