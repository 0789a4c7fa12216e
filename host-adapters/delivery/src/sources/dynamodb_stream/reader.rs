//! Reading one shard: records go to the lane of their key, in order; the lanes settle them, and the checkpoint follows.

use super::{Shared, decode};
use crate::{
    backends::{Change, Checkpoint, Position, Records, Result},
    crash_point::{self, Step},
    delivery::{
        checkpoint::Checkpointer,
        drain::{Drain, Ended},
        lane::{Lane, Record},
    },
};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// DynamoDB Streams gives no more at once (peers C1). Reads are few, so each takes what there is; lanes make batches of it.
const MOST_RECORDS: usize = 1_000;
/// Four polls a second where nothing tells of new records (peers C1).
const POLL: Duration = Duration::from_millis(250);
/// Between two writes of a checkpoint: more of them would cost the table, and the lanes' speed, more than what a restart
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
        let checkpointer = Checkpointer::new(backend.clone(), &config.table, &self.shard, &rules.caller.worker);
        let checkpointer = Arc::new(checkpointer);
        let Some(start) = self.start().await else { return ReadEnd::Drained(Ended::Drained) };
        let Some(position) = start else { return ReadEnd::ShardEnd };

        let (senders, lanes) = self.lanes(&checkpointer);
        let done = CancellationToken::new();
        let work = async {
            let complete = self.read(position, &checkpointer, senders).await;
            let ended = lanes.join_all().await.into_iter().fold(Ended::Drained, Ended::and);
            done.cancel();
            (complete, ended)
        };
        let ((complete, ended), ()) = tokio::join!(work, self.follow(&checkpointer, &done));
        // Before the mark of the end, which may be stored although its answer is lost: nothing may follow that.
        self.commit(&checkpointer).await;
        let settled = complete && ended == Ended::Drained && checkpointer.is_idle();
        if settled && self.insist(|| checkpointer.end()).await.is_some() {
            return ReadEnd::ShardEnd;
        }
        ReadEnd::Drained(ended)
    }

    /// Stores the checkpoint when it has moved, at once and then every [`PACE`], until the lanes are done. A write is
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
            let (caller, shard) = (&self.shared.rules.caller, &self.shard);
            let (worker, source) = (&caller.worker, &caller.source);
            tracing::warn!(worker, source, shard, %error, "checkpoint not stored, trying again with the next one");
        }
        stored.is_ok()
    }

    /// Where to begin: `Some(None)` if all of the shard is settled already, `None` if the drain came first.
    async fn start(&self) -> Option<Option<Position>> {
        let Shared { backend, config, rules, .. } = &*self.shared;
        let stored = self.insist(|| backend.checkpoint(&config.table, &self.shard, &rules.caller.worker)).await?;
        Some(match stored {
            None => Some(Position::TrimHorizon),
            Some(Checkpoint::At(sequence)) => Some(Position::After(sequence)),
            Some(Checkpoint::ShardEnd) => None,
        })
    }

    fn lanes(&self, checkpointer: &Arc<Checkpointer>) -> (Vec<mpsc::Sender<Vec<Record>>>, JoinSet<Ended>) {
        let mut lanes = JoinSet::new();
        let lane = |_| {
            // One read ahead: the next records are at hand when a batch ends, and memory stays bounded.
            let (sender, receiver) = mpsc::channel(1);
            let rules = self.shared.rules.clone();
            let (shard, checkpointer, drain) = (self.shard.clone(), checkpointer.clone(), self.drain.clone());
            lanes.spawn(Lane { rules, shard, checkpointer, drain }.run(receiver));
            sender
        };
        let senders = (0..self.shared.config.parallelization_factor.max(1)).map(lane).collect();
        (senders, lanes)
    }

    /// Reads on and on; true at the end of the shard, false on drain. Dropping the senders ends the lanes.
    async fn read(
        &self,
        mut position: Position,
        checkpointer: &Checkpointer,
        senders: Vec<mpsc::Sender<Vec<Record>>>,
    ) -> bool {
        let Shared { backend, config, .. } = &*self.shared;
        loop {
            let read = self.insist(|| backend.records(&config.table, &self.shard, &position, MOST_RECORDS)).await;
            let Some(Records { records, next }) = read else { return false };
            let idle = records.is_empty();
            if !idle {
                crash_point::reached(Step::Receive);
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

    /// Gives records to the lanes of their keys; waits while a lane has enough. False on drain.
    async fn hand_on(
        &self,
        records: Vec<Change>,
        checkpointer: &Checkpointer,
        senders: &[mpsc::Sender<Vec<Record>>],
    ) -> bool {
        let mut portions: Vec<Vec<Record>> = senders.iter().map(|_| Vec::new()).collect();
        for change in records {
            let lane = lane_of(&change, senders.len());
            let ticket = checkpointer.add(&change.sequence);
            let event = decode::event(&self.shared.rules.caller.source, &self.shard, change);
            if let Some(portion) = portions.get_mut(lane) {
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
            self.shared.rules.caller.meter.iterator_age.set(0.0);
        }
        tokio::select! {
            biased;
            () = self.drain.stopping() => (),
            () = self.shared.backend.changed(&self.shared.config.table, POLL) => (),
        }
    }

    async fn insist<T, F: Future<Output = Result<T>>>(&self, call: impl FnMut() -> F) -> Option<T> {
        self.shared.insist(&self.drain, call).await
    }
}

/// The lane of an item: always the same one, so that its changes stay in order.
fn lane_of(change: &Change, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    change.key.hash(&mut hasher);
    usize::try_from(hasher.finish() % lanes.max(1) as u64).unwrap_or(0)
}
