//! Entries of many fans, and the messages that enqueue-entries has queued for them.

use super::stage::{QUEUE, Stage, updated};
use host_adapters_platform::QueueBackend;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

/// The number of fans. A host has some of their records in flight, and some read ahead.
pub const MANY: usize = 500;
/// Most items of one write to DynamoDB.
const BATCH: usize = 25;

/// Writes this version of these fans' entries.
pub async fn write(stage: &Stage, fans: Range<usize>, version: usize) {
    for first in fans.clone().step_by(BATCH) {
        stage.write(first..fans.end.min(first + BATCH), version).await;
    }
}

/// The messages of enqueue-entries: each fan's versions, and when each was sent.
#[derive(Default)]
pub struct Queued(BTreeMap<String, Vec<(u64, String)>>);

impl Queued {
    /// Receives from the queue until it has seen this version of every fan's entry.
    pub async fn until(&mut self, stage: &Stage, version: usize) {
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
        let wanted = updated(version);
        self.0.values().filter(|sent| sent.iter().any(|(_, version)| *version == wanted)).count()
    }

    /// Checks the order: no version of a fan was first sent after a later one. Only repeats may be late.
    pub fn in_order(&self) {
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
