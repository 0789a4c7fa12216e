//! One table's stream with DynamoDB Streams' semantics: shards with parents, that close and split (docs/delivery.md, 4).

use super::{EPOCH_MS, Faults, rounded_ms};
use host_adapters_platform::{Change, Checkpoint, Leases, Position, Records, Result, Shard, StreamBackend};
use platform_wire::table::Key;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

pub struct ModelStreams {
    pub faults: Faults,
    shards: Mutex<BTreeMap<String, ModelShard>>,
    checkpoints: Mutex<BTreeMap<String, Vec<(u64, Checkpoint)>>>,
    reads: Mutex<Vec<(u64, String, Position)>>,
    leases: Mutex<Option<BTreeSet<String>>>,
    changed: Notify,
    began: Instant,
}

#[derive(Default)]
struct ModelShard {
    parent: Option<String>,
    records: Vec<Change>,
    closed: bool,
}

impl ModelStreams {
    pub fn new(seed: u64, began: Instant) -> Self {
        let (shards, checkpoints, reads) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (faults, leases, changed) = (Faults::new(seed), Mutex::default(), Notify::new());
        Self { faults, shards, checkpoints, reads, leases, changed, began }
    }

    pub fn open(&self, shard: &str, parent: Option<&str>) {
        let parent = parent.map(str::to_owned);
        self.lock().insert(shard.to_owned(), ModelShard { parent, ..ModelShard::default() });
    }

    pub fn close(&self, shard: &str) {
        self.lock().get_mut(shard).unwrap().closed = true;
        self.changed.notify_waiters();
    }

    /// From now on shards are shared with other hosts, and these are ours.
    pub fn lease(&self, shards: &[&str]) {
        *self.leases.lock().unwrap() = Some(shards.iter().map(|&shard| shard.to_owned()).collect());
    }

    /// The shards that are ours, if they are shared.
    pub fn leased(&self) -> Option<BTreeSet<String>> {
        self.leases.lock().unwrap().clone()
    }

    /// A change of the item `key` for each number; the number becomes the sequence number.
    pub fn put(&self, shard: &str, changes: impl IntoIterator<Item = (u64, String)>) {
        let time_ms = EPOCH_MS + rounded_ms(self.began.elapsed());
        let change = |(sequence, key): (u64, String)| Change {
            sequence: name(sequence),
            event_name: "MODIFY".to_owned(),
            key: Key { pk: key, sk: "s".to_owned() },
            new_image: Some(format!(r#"{{"n":{sequence}}}"#)),
            old_image: None,
            time_ms,
        };
        self.lock().get_mut(shard).unwrap().records.extend(changes.into_iter().map(change));
        self.changed.notify_waiters();
    }

    /// Changes of as many items.
    pub fn put_range(&self, shard: &str, sequences: std::ops::Range<u64>) {
        self.put(shard, sequences.map(|sequence| (sequence, format!("item-{sequence}"))));
    }

    /// Every checkpoint stored for a shard, with its time.
    pub fn checkpoints(&self, shard: &str) -> Vec<(u64, Checkpoint)> {
        self.checkpoints.lock().unwrap().get(shard).cloned().unwrap_or_default()
    }

    /// The last of them.
    pub fn position(&self, shard: &str) -> Option<Checkpoint> {
        self.checkpoints(shard).pop().map(|(_, checkpoint)| checkpoint)
    }

    /// For each shard its last sequence number, and whether it is closed.
    pub fn ends(&self) -> Vec<(String, Option<String>, bool)> {
        let shards = self.lock();
        let last = |shard: &ModelShard| shard.records.last().map(|change| change.sequence.clone());
        shards.iter().map(|(id, shard)| (id.clone(), last(shard), shard.closed)).collect()
    }

    /// Every read of a shard: when and from where.
    pub fn reads(&self, shard: &str) -> Vec<(u64, Position)> {
        let reads = self.reads.lock().unwrap();
        reads.iter().filter(|(_, id, _)| id == shard).map(|(at, _, position)| (*at, position.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ModelShard>> {
        self.shards.lock().unwrap()
    }

    fn now_ms(&self) -> u64 {
        rounded_ms(self.began.elapsed())
    }
}

/// A sequence number as a stream has it: the order of the text is the order of the records.
pub fn name(sequence: u64) -> String {
    format!("{sequence:06}")
}

#[async_trait::async_trait]
impl StreamBackend for ModelStreams {
    async fn shards(&self, _table: &str) -> Result<Vec<Shard>> {
        self.faults.check("shards")?;
        // Children first, to show that the order of the list means nothing.
        let shards = self.lock();
        Ok(shards.iter().rev().map(|(id, shard)| Shard { id: id.clone(), parent: shard.parent.clone() }).collect())
    }

    async fn records(&self, _table: &str, shard: &str, from: &Position, limit: usize) -> Result<Records> {
        self.reads.lock().unwrap().push((self.now_ms(), shard.to_owned(), from.clone()));
        self.faults.check("records")?;
        let shards = self.lock();
        let shard = &shards[shard];
        let start = match from {
            Position::TrimHorizon => 0,
            Position::Latest => shard.records.len(),
            Position::After(sequence) => shard.records.partition_point(|change| change.sequence <= *sequence),
        };
        let records: Vec<Change> = shard.records[start..].iter().take(limit).cloned().collect();
        let end = start + records.len();
        let last = end.checked_sub(1).map(|last| Position::After(shard.records[last].sequence.clone()));
        let done = shard.closed && end == shard.records.len();
        Ok(Records { records, next: (!done).then(|| last.unwrap_or(Position::TrimHorizon)) })
    }

    async fn hold(&self, _table: &str, _worker: &str, shards: &[Shard]) -> Result<Leases> {
        self.faults.check("hold")?;
        let ours = |shard: &&Shard| self.leased().is_none_or(|leased| leased.contains(&shard.id));
        let done = |shard: &&Shard| self.position(&shard.id) == Some(Checkpoint::ShardEnd);
        let ids = |shards: Vec<&Shard>| shards.into_iter().map(|shard| shard.id.clone()).collect();
        let (held, done) = (ids(shards.iter().filter(ours).collect()), ids(shards.iter().filter(done).collect()));
        Ok(Leases { held, done, news: false })
    }

    async fn renew(&self, _table: &str, _worker: &str) -> Result<Vec<String>> {
        Ok(self.leased().into_iter().flatten().collect())
    }

    async fn release(&self, _table: &str, _worker: &str) -> Result<()> {
        self.leases.lock().unwrap().iter_mut().for_each(BTreeSet::clear);
        Ok(())
    }

    fn lease_renewal(&self) -> Option<Duration> {
        self.leased().map(|_| Duration::from_secs(3))
    }

    async fn checkpoint(&self, _table: &str, shard: &str, _worker: &str) -> Result<Option<Checkpoint>> {
        self.faults.check("checkpoint")?;
        Ok(self.position(shard))
    }

    async fn set_checkpoint(&self, _table: &str, shard: &str, worker: &str, checkpoint: &Checkpoint) -> Result<()> {
        assert_eq!(worker, super::WORKER);
        self.faults.check("set checkpoint")?;
        match (self.position(shard), checkpoint) {
            (Some(Checkpoint::At(before)), Checkpoint::At(now)) => {
                // The same again is what a host stores that did not hear the answer.
                assert!(*now >= before, "a checkpoint went backwards")
            }
            (Some(Checkpoint::ShardEnd), Checkpoint::At(_)) => panic!("a checkpoint after the end of its shard"),
            _ => (),
        }
        let mut checkpoints = self.checkpoints.lock().unwrap();
        checkpoints.entry(shard.to_owned()).or_default().push((self.now_ms(), checkpoint.clone()));
        Ok(())
    }

    async fn changed(&self, _table: &str, wait: Duration) {
        let _ = tokio::time::timeout(wait, self.changed.notified()).await;
    }
}
