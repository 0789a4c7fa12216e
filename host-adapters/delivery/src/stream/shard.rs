//! A worker's progress through one shard: records go to the key slice of their key, in order; the slices settle them,
//! and the checkpoint follows.

use super::consumer::StreamConsumer;
use crate::checkpoint::Checkpointer;
use crate::drain::{Drain, Ended};
use crate::event::Event;
use crate::key_slice::{KeySlice, Record};
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::{Checkpoint, Position, Result};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The time between reads of an idle shard: four a second (docs/delivery.md, 4.7).
const POLL: Duration = Duration::from_millis(250);
/// The time between two writes of a checkpoint. More frequent writes would load the table and slow the slices down,
/// which costs more than the records that a restart repeats.
const PACE: Duration = Duration::from_secs(1);

/// The time between two measurements of the age of what waits.
const MEASURE: Duration = Duration::from_secs(5);

/// How the reading of a shard ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ReadEnd {
    /// The shard is closed and all of it is settled: its children may be read.
    ShardEnd,
    /// The drain came first.
    Drained(Ended),
}

/// Feeds a worker from one shard.
pub(super) struct ShardConsumer {
    /// What the shards of the stream share.
    pub(super) consumer: Arc<StreamConsumer>,
    /// Which shard.
    pub(super) shard: String,
    /// When to end.
    pub(super) drain: Drain,
}

impl ShardConsumer {
    /// Reads the shard from the checkpoint until the shard ends or the drain comes.
    pub(super) async fn run(self) -> ReadEnd {
        let StreamConsumer { streams, stream, group, rules, .. } = &*self.consumer;
        let checkpointer = Checkpointer::new(streams.leases.clone(), stream, &self.shard, group);
        let checkpointer = Arc::new(checkpointer);
        let Some(start) = self.start().await else { return ReadEnd::Drained(Ended::Drained) };
        let Some(position) = start else { return ReadEnd::ShardEnd };

        let (senders, slices) = self.slices(&checkpointer);
        let done = CancellationToken::new();
        let work = async {
            let complete = self.read(position, &checkpointer, senders).await;
            let ended = slices.join_all().await.into_iter().fold(Ended::Drained, Ended::and);
            done.cancel();
            (complete, ended)
        };
        let ((complete, ended), (), ()) =
            tokio::join!(work, self.follow(&checkpointer, &done), self.watch_age(&checkpointer, &done));
        rules.invoker.meter.ages.forget(&self.shard);
        // The checkpoint is written before the mark of the end. That mark may be stored although its response is lost,
        // so no write may follow it.
        self.commit(&checkpointer).await;
        let settled = complete && ended == Ended::Drained && checkpointer.is_idle();
        if settled && self.retry_until_ok(|| checkpointer.end()).await.is_some() {
            return ReadEnd::ShardEnd;
        }
        ReadEnd::Drained(ended)
    }

    /// Stores the checkpoint when it has moved, at once and then every [`PACE`], until the slices are done. A write is
    /// never cancelled: it could arrive late and move the checkpoint back.
    async fn follow(&self, checkpointer: &Checkpointer, done: &CancellationToken) {
        while done.run_until_cancelled(checkpointer.moved()).await.is_some() {
            let wait = if self.commit(checkpointer).await { PACE } else { self.consumer.rules.backoff.after(1) };
            let _ = done.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
    }

    /// Keeps the metric up to date while records wait, until the slices are done.
    async fn watch_age(&self, checkpointer: &Checkpointer, done: &CancellationToken) {
        while done.run_until_cancelled(tokio::time::sleep(MEASURE)).await.is_some() {
            self.measure(checkpointer);
        }
    }

    fn measure(&self, checkpointer: &Checkpointer) {
        let rules = &self.consumer.rules;
        let age = checkpointer.oldest_ms().map_or(Duration::ZERO, |oldest| rules.age(oldest));
        rules.invoker.meter.ages.set(&self.shard, age);
    }

    /// Stores the checkpoint; returns whether that succeeded. If not, the next write includes it, and until then a
    /// restart repeats records.
    async fn commit(&self, checkpointer: &Checkpointer) -> bool {
        let stored = checkpointer.commit().await;
        if let Err(error) = &stored {
            let (invoker, shard) = (&self.consumer.rules.invoker, &self.shard);
            let (worker, source) = (&invoker.worker, &invoker.source);
            tracing::warn!(worker, source, shard, %error, "checkpoint not stored, trying again with the next one");
        }
        stored.is_ok()
    }

    /// Where to begin: `Some(None)` if all of the shard is already settled, `None` if the drain came first.
    async fn start(&self) -> Option<Option<Position>> {
        let StreamConsumer { streams, stream, group, .. } = &*self.consumer;
        let stored = self.retry_until_ok(|| streams.leases.checkpoint(stream, &self.shard, group)).await?;
        Some(match stored {
            None => Some(Position::TrimHorizon),
            Some(Checkpoint::AtTimestamp(time_ms)) => Some(Position::AtTimestamp(time_ms)),
            Some(Checkpoint::At(sequence)) => Some(Position::After(sequence)),
            Some(Checkpoint::ShardEnd) => None,
        })
    }

    fn slices(&self, checkpointer: &Arc<Checkpointer>) -> (Vec<mpsc::Sender<Vec<Record>>>, JoinSet<Ended>) {
        let mut slices = JoinSet::new();
        let slice = |_| {
            // Room for one read: the next records are ready when a batch ends, and memory stays bounded.
            let (sender, receiver) = mpsc::channel(1);
            let rules = self.consumer.rules.clone();
            let (shard, checkpointer, drain) = (self.shard.clone(), checkpointer.clone(), self.drain.clone());
            slices.spawn(KeySlice { rules, shard, checkpointer, drain }.run(receiver));
            sender
        };
        let senders = (0..self.consumer.slices.max(1)).map(slice).collect();
        (senders, slices)
    }

    /// Reads until the end of the shard (true) or the drain (false). Dropping the senders ends the slices.
    async fn read(
        &self,
        mut position: Position,
        checkpointer: &Checkpointer,
        senders: Vec<mpsc::Sender<Vec<Record>>>,
    ) -> bool {
        let subscription = self.consumer.streams.subscribe(&self.consumer.stream, &self.shard);
        loop {
            let Some(read) = self.retry_until_ok(|| subscription.next(&position)).await else { return false };
            let idle = read.events().is_empty() && !read.page().is_full;
            if !read.events().is_empty() {
                failpoint::reached(Step::Receive);
            }
            if !self.hand_on(read.events(), checkpointer, &senders).await {
                return false;
            }
            match read.next() {
                None => return true,
                Some(next) => position = next.clone(),
            }
            drop(read);
            if idle {
                self.idle(checkpointer).await;
            }
        }
    }

    /// Gives records to the slices of their keys, and settles those that are not for the worker; waits while a slice is
    /// full. False on drain.
    async fn hand_on(
        &self,
        events: &[Arc<Event>],
        checkpointer: &Checkpointer,
        senders: &[mpsc::Sender<Vec<Record>>],
    ) -> bool {
        let mut portions: Vec<Vec<Record>> = senders.iter().map(|_| Vec::new()).collect();
        let mut filtered = Vec::new();
        for (place, event) in events.iter().enumerate() {
            let sequence = event.sequence();
            // A page holds whole records: what is packed into one comes together.
            let is_last = events.get(place + 1).is_none_or(|next| next.sequence() != sequence);
            let ticket = checkpointer.add(is_last.then_some(sequence), event.time_ms);
            if self.consumer.wanted.as_ref().is_some_and(|is_wanted| !is_wanted(event)) {
                filtered.push(ticket);
                continue;
            }
            if let Some(portion) = portions.get_mut(slice_of(event, senders.len())) {
                portion.push(Record::new(ticket, event.clone()));
            }
        }
        if !filtered.is_empty() {
            self.consumer.rules.invoker.meter.filtered(filtered.len());
            checkpointer.settle(filtered);
        }
        self.measure(checkpointer);
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

    /// Waits for new records: the worker has read all of the shard.
    async fn idle(&self, checkpointer: &Checkpointer) {
        self.measure(checkpointer);
        tokio::select! {
            biased;
            () = self.drain.stopping() => (),
            () = self.consumer.streams.reader.changed(&self.consumer.stream, POLL) => (),
        }
    }

    async fn retry_until_ok<T, F: Future<Output = Result<T>>>(&self, call: impl FnMut() -> F) -> Option<T> {
        self.consumer.retry_until_ok(&self.drain, call).await
    }
}

/// The slice of an ordering key. It is always the same, so that the records of a key stay in order.
fn slice_of(event: &Event, slices: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    event.ordering_key.hash(&mut hasher);
    usize::try_from(hasher.finish() % slices.max(1) as u64).unwrap_or(0)
}
