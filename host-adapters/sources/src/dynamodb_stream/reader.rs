//! Reading one shard: records go to the key group of their key, in order; the key groups settle them, and the checkpoint follows.

use super::{Shared, decode};
use host_adapters_delivery::checkpoint::Checkpointer;
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::key_group::{KeyGroup, Record};
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::{Change, Checkpoint, Position, Records, Result};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// DynamoDB Streams gives no more at once (peers C1). Reads are few, so each takes what there is; key groups make batches of it.
const MOST_RECORDS: usize = 1_000;
/// Four polls a second where nothing tells of new records (peers C1).
const POLL: Duration = Duration::from_millis(250);
/// Between two writes of a checkpoint: more of them would cost the table, and the key groups' speed, more than what a restart
/// repeats.
const PACE: Duration = Duration::from_secs(1);

/// How the reading of a shard ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadEnd {
    /// The shard is closed and all of it is settled: its children may be read.
    ShardEnd,
    /// The drain came first.
    Drained(Ended),
}

/// Reads one shard.
pub struct Reader {
    /// What it shares with the other shards.
    pub shared: Arc<Shared>,
    /// Which shard.
    pub shard: String,
    /// When to end.
    pub drain: Drain,
}

impl Reader {
    /// Reads the shard from the checkpoint to its end or the drain's.
    pub async fn run(self) -> ReadEnd {
        let Shared { backend, config, rules, .. } = &*self.shared;
        let checkpointer = Checkpointer::new(backend.clone(), &config.table, &self.shard, &rules.invoker.worker);
        let checkpointer = Arc::new(checkpointer);
        let Some(start) = self.start().await else { return ReadEnd::Drained(Ended::Drained) };
        let Some(position) = start else { return ReadEnd::ShardEnd };

        let (senders, key_groups) = self.key_groups(&checkpointer);
        let done = CancellationToken::new();
        let work = async {
            let complete = self.read(position, &checkpointer, senders).await;
            let ended = key_groups.join_all().await.into_iter().fold(Ended::Drained, Ended::and);
            done.cancel();
            (complete, ended)
        };
        let ((complete, ended), ()) = tokio::join!(work, self.follow(&checkpointer, &done));
        // Before the mark of the end, which may be stored although its answer is lost: nothing may follow that.
        self.commit(&checkpointer).await;
        let settled = complete && ended == Ended::Drained && checkpointer.is_idle();
        if settled && self.retry_until_ok(|| checkpointer.end()).await.is_some() {
            return ReadEnd::ShardEnd;
        }
        ReadEnd::Drained(ended)
    }

    /// Stores the checkpoint when it has moved, at once and then every [`PACE`], until the key groups are done. A write is
    /// never cut short: it could arrive late, and move the checkpoint back.
    async fn follow(&self, checkpointer: &Checkpointer, done: &CancellationToken) {
        while done.run_until_cancelled(checkpointer.moved()).await.is_some() {
            let wait = if self.commit(checkpointer).await { PACE } else { self.shared.rules.backoff.after(1) };
            let _ = done.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
    }

    /// Whether it is stored. If not, it is with the next one; until then a restart repeats records.
    async fn commit(&self, checkpointer: &Checkpointer) -> bool {
        let stored = checkpointer.commit().await;
        if let Err(error) = &stored {
            let (invoker, shard) = (&self.shared.rules.invoker, &self.shard);
            let (worker, source) = (&invoker.worker, &invoker.source);
            tracing::warn!(worker, source, shard, %error, "checkpoint not stored, trying again with the next one");
        }
        stored.is_ok()
    }

    /// Where to begin: `Some(None)` if all of the shard is settled already, `None` if the drain came first.
    async fn start(&self) -> Option<Option<Position>> {
        let Shared { backend, config, rules, .. } = &*self.shared;
        let stored =
            self.retry_until_ok(|| backend.checkpoint(&config.table, &self.shard, &rules.invoker.worker)).await?;
        Some(match stored {
            None => Some(Position::TrimHorizon),
            Some(Checkpoint::At(sequence)) => Some(Position::After(sequence)),
            Some(Checkpoint::ShardEnd) => None,
        })
    }

    fn key_groups(&self, checkpointer: &Arc<Checkpointer>) -> (Vec<mpsc::Sender<Vec<Record>>>, JoinSet<Ended>) {
        let mut key_groups = JoinSet::new();
        let key_group = |_| {
            // One read ahead: the next records are at hand when a batch ends, and memory stays bounded.
            let (sender, receiver) = mpsc::channel(1);
            let rules = self.shared.rules.clone();
            let (shard, checkpointer, drain) = (self.shard.clone(), checkpointer.clone(), self.drain.clone());
            key_groups.spawn(KeyGroup { rules, shard, checkpointer, drain }.run(receiver));
            sender
        };
        let senders = (0..self.shared.config.parallelization_factor.max(1)).map(key_group).collect();
        (senders, key_groups)
    }

    /// Reads on and on; true at the end of the shard, false on drain. Dropping the senders ends the key groups.
    async fn read(
        &self,
        mut position: Position,
        checkpointer: &Checkpointer,
        senders: Vec<mpsc::Sender<Vec<Record>>>,
    ) -> bool {
        let Shared { backend, config, .. } = &*self.shared;
        loop {
            let read =
                self.retry_until_ok(|| backend.records(&config.table, &self.shard, &position, MOST_RECORDS)).await;
            let Some(Records { records, next }) = read else { return false };
            let idle = records.is_empty();
            if !idle {
                failpoint::reached(Step::Receive);
            }
            if !self.hand_on(records, checkpointer, &senders).await {
                return false;
            }
            match next {
                None => return true,
                Some(next) => position = next,
            }
            if idle {
                self.idle(checkpointer).await;
            }
        }
    }

    /// Gives records to the key groups of their keys; waits while a key group has enough. False on drain.
    async fn hand_on(
        &self,
        records: Vec<Change>,
        checkpointer: &Checkpointer,
        senders: &[mpsc::Sender<Vec<Record>>],
    ) -> bool {
        let mut portions: Vec<Vec<Record>> = senders.iter().map(|_| Vec::new()).collect();
        for change in records {
            let key_group = key_group_of(&change, senders.len());
            let ticket = checkpointer.add(&change.sequence);
            let event = decode::event(&self.shared.rules.invoker.source, &self.shard, change);
            if let Some(portion) = portions.get_mut(key_group) {
                portion.push(Record { ticket, event });
            }
        }
        for (sender, portion) in senders.iter().zip(portions).filter(|(_, portion)| !portion.is_empty()) {
            let sent = tokio::select! {
                biased;
                () = self.drain.stopping() => return false,
                sent = sender.send(portion) => sent,
            };
            if sent.is_err() {
                return false;
            }
        }
        true
    }

    /// Nothing new: the worker is as far as the stream.
    async fn idle(&self, checkpointer: &Checkpointer) {
        if checkpointer.is_idle() {
            self.shared.rules.invoker.meter.iterator_age.set(0.0);
        }
        tokio::select! {
            biased;
            () = self.drain.stopping() => (),
            () = self.shared.backend.changed(&self.shared.config.table, POLL) => (),
        }
    }

    async fn retry_until_ok<T, F: Future<Output = Result<T>>>(&self, call: impl FnMut() -> F) -> Option<T> {
        self.shared.retry_until_ok(&self.drain, call).await
    }
}

/// The key group of an item: always the same one, so that its changes stay in order.
fn key_group_of(change: &Change, key_groups: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    change.key.hash(&mut hasher);
    usize::try_from(hasher.finish() % key_groups.max(1) as u64).unwrap_or(0)
}
