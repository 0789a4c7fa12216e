//! Two hosts at once share queues and shards. One is killed: the other takes over within the lease time. One is paused:
//! when it wakes, its leases are another's, and it keeps its hands off.

use super::proxy::{Line, Proxy};
use super::stage::{QUEUE, Stage, TABLE, received};
use crate::servers::endpoints;
use host_adapters_delivery::backends::{Checkpoint, QueueBackend, StreamBackend};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tests::{Child, manifest, wait};

const STREAM_WORKER: &str = "enqueue-entries";
const QUEUE_WORKER: &str = "save-entries";
/// A lease that nobody renews ends after 10 s; the other host looks every 3.3 s, and reads on then.
const TAKEN_OVER: Duration = Duration::from_secs(10 + 4);
/// For the way of a record to the Entry Service, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than a lease's renewals.
const QUIET: Duration = Duration::from_secs(5);
/// Fans of whom a paused host has some in its hands, some read ahead.
const MANY: usize = 500;
/// What DynamoDB takes at once.
const BATCH: usize = 25;

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
    // A fan that nobody has seen before.
    stage.write(MANY..MANY + 1, 1).await;
    wait::eventually("the other host reads on", async || stage.holds(MANY, 1).then_some(())).await;
    assert!(since.elapsed() < TAKEN_OVER + PATIENCE, "taken over only after {:?}", since.elapsed());
    let last = load.end().await;
    stage.settled(last).await;
    stage.knows_new_campaigns(&left).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_wakes_after_its_leases_were_taken_keeps_its_hands_off() {
    let direct = endpoints().await;
    let mut at = direct.clone();
    let queues = Proxy::before(at.of("elasticmq")).await;
    // What is queued stays there, to be looked at.
    let stage = Stage::new(direct, |manifest| manifest::cut_off(manifest, &[QUEUE_WORKER])).await;
    let paused = stage.host("host", &at).await;
    let mut queued = Queued::default();
    write(&stage, 1).await;
    queued.until(&stage, 1).await;

    // Its calls hang, more is read ahead, and there it stops.
    queues.set(Line::Held);
    write(&stage, 2).await;
    let handed_over = steady(&paused).await;
    send(&paused, Signal::STOP);
    queues.set(Line::Open);
    let other = stage.host("other", direct).await;
    queued.until(&stage, 2).await;
    write(&stage, 3).await;
    queued.until(&stage, 3).await;
    let checkpoint = settled_checkpoint(&stage).await;

    send(&paused, Signal::CONT);
    tokio::time::sleep(QUIET).await;
    assert_eq!(received(&paused, STREAM_WORKER).await, handed_over, "it goes on with what is not its own");
    assert_eq!(checkpoint_now(&stage).await, checkpoint, "it moves the checkpoint");
    write(&stage, 4).await;
    queued.until(&stage, 4).await;
    assert_eq!(received(&paused, STREAM_WORKER).await, handed_over, "the shard is the other's");

    // It is a host like any other again.
    send(&other, Signal::KILL);
    write(&stage, 5).await;
    queued.until(&stage, 5).await;
    assert!(received(&paused, STREAM_WORKER).await > handed_over);
    queued.in_order();
}

fn send(host: &Child, signal: Signal) {
    kill_process(Pid::from_raw(host.id().try_into().unwrap()).unwrap(), signal).unwrap();
}

async fn write(stage: &Stage, version: usize) {
    for first in (0..MANY).step_by(BATCH) {
        stage.write(first..first + BATCH, version).await;
    }
}

/// How many records the host has handed over, once that rests.
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

/// Where the checkpoint stands, once it rests.
async fn settled_checkpoint(stage: &Stage) -> Checkpoint {
    let mut last = checkpoint_now(stage).await;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = checkpoint_now(stage).await;
        if now == last {
            return now;
        }
        last = now;
    }
}

/// What enqueue-entries has queued: of each fan the versions, and when each was sent.
#[derive(Default)]
struct Queued(BTreeMap<String, Vec<(u64, String)>>);

impl Queued {
    /// Takes from the queue until a version of every fan was there.
    async fn until(&mut self, stage: &Stage, version: usize) {
        let deadline = Instant::now() + Duration::from_secs(90);
        while self.has(version) < MANY {
            let have = self.has(version);
            assert!(Instant::now() < deadline, "only {have} of {MANY} entries are queued in version {version}");
            self.take(stage).await;
        }
    }

    async fn take(&mut self, stage: &Stage) {
        let messages = stage.queues.receive(QUEUE, 500, Duration::from_secs(1), Duration::from_secs(60)).await.unwrap();
        let receipts: Vec<String> = messages.iter().map(|message| message.receipt.clone()).collect();
        for message in messages {
            let body: Value = serde_json::from_str(&message.body).unwrap();
            let fan = body["entry"]["globalUserId"].as_str().unwrap().to_owned();
            self.0.entry(fan).or_default().push((message.sent_ms, body["date"].as_str().unwrap().to_owned()));
        }
        stage.queues.delete_batch(QUEUE, &receipts).await.unwrap();
    }

    fn has(&self, version: usize) -> usize {
        let wanted = super::stage::updated(version);
        self.0.values().filter(|sent| sent.iter().any(|(_, version)| *version == wanted)).count()
    }

    /// No version of a fan was first sent after a later one: a repeat may be late, news may not.
    fn in_order(&self) {
        for (fan, sent) in &self.0 {
            let mut first = BTreeMap::<&str, u64>::new();
            for (at, version) in sent {
                first.entry(version).and_modify(|first| *first = (*first).min(*at)).or_insert(*at);
            }
            let times: Vec<u64> = first.values().copied().collect();
            assert!(times.is_sorted(), "{fan}: {first:?}");
        }
    }
}
