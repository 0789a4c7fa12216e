//! How far a worker has come in a shard. Key slices settle events out of order. The checkpoint is the last record of
//! the prefix in which all events are settled, so a restart may repeat records but never skips one. A record with
//! several packed events counts only when all of them are settled.

use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::{Checkpoint, LeaseTable, Result};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A record's place among those read from its shard.
pub type Ticket = u64;

/// Which records of a shard are settled.
#[derive(Debug, Default)]
struct Progress {
    /// Read and above the checkpoint, in order.
    open: VecDeque<Open>,
    /// Ticket of the first of `open`.
    first: Ticket,
    /// All records up to this sequence number are settled.
    settled: Option<String>,
}

/// An event above the checkpoint.
#[derive(Debug)]
struct Open {
    /// Only for the last event of a record, because a checkpoint is between records, never within one.
    sequence: Option<String>,
    /// When it was created, milliseconds since 1970 (UTC).
    time_ms: u64,
    is_settled: bool,
}

impl Progress {
    fn add(&mut self, sequence: Option<&str>, time_ms: u64) -> Ticket {
        self.open.push_back(Open { sequence: sequence.map(str::to_owned), time_ms, is_settled: false });
        self.first + self.open.len() as Ticket - 1
    }

    fn settle(&mut self, ticket: Ticket) {
        let place = ticket.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        if let Some(record) = place.and_then(|place| self.open.get_mut(place)) {
            record.is_settled = true;
        }
        while let Some(Open { sequence, .. }) = self.open.pop_front_if(|record| record.is_settled) {
            self.settled = sequence.or(self.settled.take());
            self.first += 1;
        }
    }
}

/// Keeps the checkpoint of one worker in one shard.
pub struct Checkpointer {
    leases: Arc<dyn LeaseTable>,
    stream: String,
    shard: String,
    worker: String,
    progress: Mutex<Progress>,
    moved: Notify,
    /// The stored checkpoint. Locked while it is written.
    stored: tokio::sync::Mutex<Option<String>>,
}

impl Checkpointer {
    /// The checkpointer of `worker` in `shard` of `stream`.
    pub fn new(leases: Arc<dyn LeaseTable>, stream: &str, shard: &str, worker: &str) -> Self {
        let (stream, shard, worker) = (stream.to_owned(), shard.to_owned(), worker.to_owned());
        let (progress, moved, stored) = Default::default();
        Self { leases, stream, shard, worker, progress, moved, stored }
    }

    /// Registers an event that was read, and when it was created (milliseconds since 1970). `sequence` is that of its
    /// record; `None` if more events of the same record follow. Call it in the shard's order.
    pub fn add(&self, sequence: Option<&str>, time_ms: u64) -> Ticket {
        self.progress().add(sequence, time_ms)
    }

    /// Marks records as settled: acknowledged, rejected or stored as dead letters.
    pub fn settle(&self, tickets: impl IntoIterator<Item = Ticket>) {
        let mut progress = self.progress();
        tickets.into_iter().for_each(|ticket| progress.settle(ticket));
        self.moved.notify_one();
    }

    /// Waits until records have been settled since the previous call.
    pub async fn moved(&self) {
        self.moved.notified().await;
    }

    /// When the oldest record that was read and is not settled was created.
    pub fn oldest_ms(&self) -> Option<u64> {
        self.progress().open.front().map(|record| record.time_ms)
    }

    /// Whether every record read is settled.
    pub fn is_idle(&self) -> bool {
        self.progress().open.is_empty()
    }

    /// Stores the checkpoint if it has moved. One that failed to be stored is retried with the next call.
    pub async fn commit(&self) -> Result<()> {
        let mut stored = self.stored.lock().await;
        let settled = self.progress().settled.clone();
        if let Some(sequence) = settled.filter(|sequence| Some(sequence) != stored.as_ref()) {
            self.store(&Checkpoint::At(sequence.clone())).await.inspect_err(|_| self.moved.notify_one())?;
            *stored = Some(sequence);
        }
        Ok(())
    }

    /// Stores the mark of the shard's end: the worker has settled all of it.
    pub async fn end(&self) -> Result<()> {
        let _stored = self.stored.lock().await;
        self.store(&Checkpoint::ShardEnd).await
    }

    async fn store(&self, checkpoint: &Checkpoint) -> Result<()> {
        failpoint::reached(Step::BeforeCheckpoint);
        self.leases.set_checkpoint(&self.stream, &self.shard, &self.worker, checkpoint).await?;
        failpoint::reached(Step::Checkpoint);
        Ok(())
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The checkpoint is the last record of the settled prefix, in whatever order events are read and settled. A
        /// record of several events counts once all of them are settled.
        #[test]
        fn the_checkpoint_is_the_end_of_the_settled_prefix(
            steps in prop::collection::vec((prop::option::of(any::<prop::sample::Index>()), any::<bool>()), 1..200),
        ) {
            let mut progress = Progress::default();
            let mut model: Vec<(Ticket, Option<String>, bool)> = Vec::new();
            for (step, is_last) in steps {
                match step {
                    Some(index) if !model.is_empty() => {
                        let (ticket, _, settled) = index.get_mut(&mut model);
                        *settled = true;
                        progress.settle(*ticket);
                    }
                    _ => {
                        let sequence = is_last.then(|| model.len().to_string());
                        model.push((progress.add(sequence.as_deref(), 0), sequence, false));
                    }
                }
                let prefix = model.iter().take_while(|(_, _, settled)| *settled).count();
                let last = model[..prefix].iter().rev().find_map(|(_, sequence, _)| sequence.clone());
                prop_assert_eq!(&progress.settled, &last);
                prop_assert_eq!(progress.open.len(), model.len() - prefix);
            }
        }
    }
}
