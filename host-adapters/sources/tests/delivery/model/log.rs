//! A topic of the event log: partitions, groups with their offsets, and rebalances as a test scripts them
//! (docs/delivery.md, 16).

use super::{EPOCH_MS, Faults, rounded_ms};
use host_adapters_platform::{
    Checkpoint, LeaseTable, Leases, LogEntry, LogPlace, Position, Records, Result, Shard, ShardPage, ShardReader,
};
use host_adapters_records::{Error, ErrorKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The interval of renewals. A lease lasts three times as long.
const RENEWAL: Duration = Duration::from_secs(3);

pub struct ModelLog {
    pub faults: Faults,
    state: Mutex<State>,
    changed: Notify,
    rebalanced: Notify,
    began: Instant,
}

#[derive(Default)]
struct State {
    partitions: Vec<Vec<LogEntry>>,
    /// By group and partition: each offset that was stored, and when.
    offsets: BTreeMap<(String, u32), Vec<(u64, u64)>>,
    /// The partitions of this host; all of them unless a test says otherwise.
    owned: Option<BTreeSet<u32>>,
    leaving: BTreeSet<u32>,
    /// The partitions that were left, and when.
    left: Vec<(u64, u32)>,
    news: bool,
    /// How often the leases were renewed, other than by holding them.
    renewals: usize,
    released: bool,
}

impl ModelLog {
    pub fn new(seed: u64, began: Instant) -> Self {
        let (state, changed, rebalanced) = (Mutex::default(), Notify::new(), Notify::new());
        Self { faults: Faults::new(seed), state, changed, rebalanced, began }
    }

    /// Makes the topic have this many partitions.
    pub fn partitions(&self, count: usize) {
        self.lock().partitions.resize_with(count, Vec::new);
    }

    /// Produces a record.
    pub fn put(&self, partition: u32, key: Option<&str>, value: Option<&[u8]>) {
        let time_ms = EPOCH_MS + self.now_ms();
        let mut state = self.lock();
        let records = &mut state.partitions[partition as usize];
        let place = LogPlace { partition, offset: records.len() as u64 };
        let (key, value) = (key.map(|key| key.as_bytes().to_vec()), value.map(<[u8]>::to_vec));
        records.push(LogEntry { place, key, value, headers: Vec::new(), time_ms });
        self.changed.notify_waiters();
    }

    /// Produces a record for each number, with a key of its own.
    pub fn put_range(&self, partition: u32, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.put(partition, Some(&format!("key-{number}")), Some(number.to_string().as_bytes()));
        }
    }

    /// A rebalance is over: these are this host's partitions, and no others.
    pub fn own(&self, partitions: &[u32]) {
        let mut state = self.lock();
        state.owned = Some(partitions.iter().copied().collect());
        let owned = state.owned.clone().unwrap();
        state.leaving.retain(|partition| owned.contains(partition));
        self.rebalance(&mut state);
    }

    /// A rebalance wants to give these partitions to another host, and waits for this one.
    pub fn revoke(&self, partitions: &[u32]) {
        let mut state = self.lock();
        state.leaving.extend(partitions);
        self.rebalance(&mut state);
    }

    fn rebalance(&self, state: &mut State) {
        state.news = true;
        self.rebalanced.notify_waiters();
    }

    /// Each offset that a group has stored for a partition, and when.
    pub fn offsets(&self, group: &str, partition: u32) -> Vec<(u64, u64)> {
        self.lock().offsets.get(&(group.to_owned(), partition)).cloned().unwrap_or_default()
    }

    /// The offset that a group reads next.
    pub fn offset(&self, group: &str, partition: u32) -> Option<u64> {
        self.offsets(group, partition).last().map(|(_, next)| *next)
    }

    /// The partitions that were left, and when.
    pub fn left(&self) -> Vec<(u64, u32)> {
        self.lock().left.clone()
    }

    /// How often the leases were renewed, other than by holding them.
    pub fn renewals(&self) -> usize {
        self.lock().renewals
    }

    pub fn is_released(&self) -> bool {
        self.lock().released
    }

    fn owned(state: &State) -> BTreeSet<u32> {
        let all = || (0..u32::try_from(state.partitions.len()).unwrap()).collect();
        state.owned.clone().unwrap_or_else(all)
    }

    fn store(&self, group: &str, shard: &str, next: u64) -> Result<()> {
        self.faults.check("set checkpoint")?;
        let (partition, now_ms) = (number(shard), self.now_ms());
        let mut state = self.lock();
        if !Self::owned(&state).contains(&partition) {
            return Err(Error::new(ErrorKind::ConditionFailed, "another host has the partition"));
        }
        state.offsets.entry((group.to_owned(), partition)).or_default().push((now_ms, next));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn now_ms(&self) -> u64 {
        rounded_ms(self.began.elapsed())
    }
}

fn number(shard: &str) -> u32 {
    shard.parse().unwrap()
}

#[async_trait::async_trait]
impl ShardReader<LogEntry> for ModelLog {
    async fn shards(&self, _topic: &str) -> Result<Vec<Shard>> {
        self.faults.check("shards")?;
        let count = self.lock().partitions.len();
        Ok((0..count).map(|number| Shard { id: number.to_string(), ..Shard::default() }).collect())
    }

    async fn page(&self, _topic: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<LogEntry>> {
        self.faults.check("records")?;
        let partition = number(shard);
        let state = self.lock();
        let all = &state.partitions[partition as usize];
        let begin = match from {
            Position::TrimHorizon => 0,
            Position::Latest => all.len(),
            Position::AtTimestamp(time_ms) => all.partition_point(|entry| entry.time_ms < *time_ms),
            Position::After(sequence) => usize::try_from(LogPlace::of(partition, sequence)?.offset + 1).unwrap(),
        };
        let records: Vec<LogEntry> = all[begin..].iter().take(limit).cloned().collect();
        let offset = (begin + records.len()) as u64;
        let more = offset < all.len() as u64;
        let next = Some(LogPlace { partition, offset }.from_here());
        Ok(ShardPage::from(Records { records, next }).and_more(more))
    }

    fn most_records(&self) -> usize {
        1_000
    }

    async fn changed(&self, _topic: &str, wait: Duration) {
        let _ = tokio::time::timeout(wait, self.changed.notified()).await;
    }
}

#[async_trait::async_trait]
impl LeaseTable for ModelLog {
    async fn hold(&self, _topic: &str, _group: &str, _shards: &[Shard]) -> Result<Leases> {
        self.faults.check("hold")?;
        let mut state = self.lock();
        state.news = false;
        let text = |numbers: &BTreeSet<u32>| numbers.iter().map(u32::to_string).collect::<Vec<_>>();
        let (owned, leaving) = (text(&Self::owned(&state)), text(&state.leaving));
        Ok(Leases { owned, leaving, ..Leases::default() })
    }

    async fn renew(&self, topic: &str, group: &str) -> Result<Vec<String>> {
        self.lock().renewals += 1;
        Ok(self.hold(topic, group, &[]).await?.owned)
    }

    async fn reassigned(&self, _topic: &str, _group: &str) {
        loop {
            let rebalanced = self.rebalanced.notified();
            if self.lock().news {
                return;
            }
            rebalanced.await;
        }
    }

    /// The rebalance goes on.
    async fn leave(&self, _topic: &str, _group: &str, shard: &str) {
        let (partition, now_ms) = (number(shard), self.now_ms());
        let mut state = self.lock();
        if state.leaving.remove(&partition) {
            let mut owned = Self::owned(&state);
            owned.remove(&partition);
            state.owned = Some(owned);
            state.left.push((now_ms, partition));
            self.rebalance(&mut state);
        }
    }

    async fn release(&self, _topic: &str, _group: &str) -> Result<()> {
        self.lock().released = true;
        Ok(())
    }

    fn lease_renewal(&self) -> Option<Duration> {
        Some(RENEWAL)
    }

    async fn has_begun(&self, _topic: &str, group: &str) -> Result<bool> {
        Ok(self.lock().offsets.keys().any(|(of, _)| of == group))
    }

    async fn begin(&self, _topic: &str, shard: &str, group: &str) -> Result<()> {
        self.store(group, shard, 0)
    }

    async fn checkpoint(&self, _topic: &str, shard: &str, group: &str) -> Result<Option<Checkpoint>> {
        let partition = number(shard);
        Ok(self.offset(group, partition).and_then(|offset| LogPlace { partition, offset }.checkpoint()))
    }

    async fn set_checkpoint(&self, _topic: &str, shard: &str, group: &str, checkpoint: &Checkpoint) -> Result<()> {
        let partition = number(shard);
        let next = match checkpoint {
            Checkpoint::At(sequence) => LogPlace::of(partition, sequence)?.offset + 1,
            Checkpoint::AtTimestamp(time_ms) => {
                let state = self.lock();
                state.partitions[partition as usize].partition_point(|entry| entry.time_ms < *time_ms) as u64
            }
            Checkpoint::ShardEnd => panic!("a partition has no end"),
        };
        self.store(group, shard, next)
    }
}
