//! Delivery in order. The records of one ordering key are a key group: a record is handed over only when those before
//! it are settled. A [`KeySlice`] delivers the key groups whose keys hash to it, with one call at a time.

use super::batch::{BatchLimits, Batcher, Need, Weigh};
use super::call::{CallOutcome, Invoker};
use super::checkpoint::{Checkpointer, Ticket};
use super::circuit_breaker::{CircuitBreaker, Permit};
use super::dead_letter::{DeadLetterSink, note_attempt};
use super::drain::{Drain, Ended};
use super::retry::Backoff;
use super::split::{Chunk, Policy, Step, Wait, step};
use crate::OnReject;
use crate::event::{Disposition, Event};
use host_adapters_platform::clock::Clock;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

mod give_up;
mod refused;

pub use refused::{Patience, Refused};

/// A record of an ordered source.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its place in the shard.
    pub ticket: Ticket,
    /// How often it was handed over.
    pub attempt: u32,
    /// When it was handed over, milliseconds since 1970 (UTC).
    pub attempts_ms: Vec<u64>,
    /// The event for the worker, shared with the other workers that read the shard.
    pub event: Arc<Event>,
}

impl Record {
    /// A record that has not been handed over yet.
    pub fn new(ticket: Ticket, event: Arc<Event>) -> Self {
        Self { ticket, attempt: 0, attempts_ms: Vec::new(), event }
    }

    /// The event as it is handed over at this attempt.
    fn event(&self) -> Event {
        Event { attempt: self.attempt, ..Event::clone(&self.event) }
    }
}

impl Weigh for Record {
    fn weight(&self) -> usize {
        self.event.payload.len()
    }
}

/// What all key slices of a source share.
pub struct Rules {
    /// The worker.
    pub invoker: Invoker,
    /// Open while a dependency of the worker is down.
    pub breaker: Arc<CircuitBreaker>,
    /// Waits between retries.
    pub backoff: Backoff,
    /// Tells the age of records.
    pub clock: Clock,
    /// When a batch is due.
    pub limits: BatchLimits,
    /// How often to retry.
    pub policy: Policy,
    /// How long a record may be refused alone.
    pub patience: Patience,
    /// Records older than this are given up instead of handed over.
    pub max_age: Option<Duration>,
    /// Whether rejected records are dropped or become dead letters.
    pub on_reject: OnReject,
    /// Where given-up records are stored.
    pub dead_letters: DeadLetterSink,
    /// Lambda's name of this kind of source in the envelope of a dead letter: `DDBStreamBatchInfo`.
    pub batch_info: &'static str,
}

impl Rules {
    /// The age of a record, by the time that it contains.
    pub(crate) fn age(&self, time_ms: u64) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(time_ms))
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or(0)
    }
}

/// The part of the keys of one shard that one task handles.
pub struct KeySlice {
    /// What all key slices of the source share.
    pub rules: Arc<Rules>,
    /// The shard whose records these are.
    pub shard: String,
    /// Keeps track of what is settled.
    pub checkpointer: Arc<Checkpointer>,
    /// When to end.
    pub drain: Drain,
}

/// The drain ended the work on a batch; this many of its records are not settled.
struct Interrupted(usize);

impl KeySlice {
    /// Delivers the records that arrive through `records`, until the sender is dropped or the drain ends it.
    pub async fn run(self, mut records: mpsc::Receiver<Vec<Record>>) -> Ended {
        let mut batcher = Batcher::new(self.rules.limits);
        while let Some(batch) = self.gather(&mut batcher, &mut records).await {
            if let Err(Interrupted(left)) = self.deliver(batch, &mut batcher, &mut records).await {
                return Ended::Abandoned(left);
            }
        }
        Ended::Drained
    }

    /// The next batch; `None` at the end of the shard or of the intake. Records that were not handed over are not
    /// returned anywhere: the checkpoint is before them, so they are read again.
    async fn gather(
        &self,
        batcher: &mut Batcher<Record>,
        records: &mut mpsc::Receiver<Vec<Record>>,
    ) -> Option<Vec<Record>> {
        batcher.open();
        while !self.drain.is_stopping() {
            arrived(batcher, records);
            let Need::More { until, .. } = batcher.need() else { return Some(batcher.take()) };
            tokio::select! {
                biased;
                () = self.drain.stopping() => (),
                more = records.recv() => match more {
                    Some(more) => batcher.push(more),
                    None => return Some(batcher.take()).filter(|last| !last.is_empty()),
                },
                () = sleep_until(until) => (),
            }
        }
        None
    }

    /// Calls the worker until every record of `batch` is settled. If records are refused, the records that were halved
    /// off before and newer ones join the next call, to show whether the refused records are the cause.
    async fn deliver(
        &self,
        batch: Vec<Record>,
        batcher: &mut Batcher<Record>,
        records: &mut mpsc::Receiver<Vec<Record>>,
    ) -> Result<(), Interrupted> {
        let mut chunks = VecDeque::from([Chunk::new(batch)]);
        while let Some(chunk) = chunks.pop_front() {
            let left = |chunks: &VecDeque<Chunk<Record>>| chunks.iter().map(|chunk| chunk.records.len()).sum::<usize>();
            let Some(mut chunk) = self.give_up_expired(chunk).await? else { continue };
            let Some(permit) = Invoker::enter(&self.rules.breaker, &self.drain).await else {
                return Err(Interrupted(chunk.records.len() + left(&chunks)));
            };
            let is_refused = chunk.head.refused.calls > 0;
            // Without halving, all records of a call that fails as a whole would be given up with the first one.
            if is_refused && !chunk.head.is_cut_off && self.rules.policy.bisect {
                chunk.records.extend(chunks.drain(..).flat_map(|left| left.records));
            }
            if is_refused && chunks.is_empty() {
                arrived(batcher, records);
                chunk.records.extend(batcher.take_beside(&chunk.records));
            }
            // Records may have become too old during an outage. They are given up first, and the permit is returned.
            if chunk.records.iter().any(|record| self.is_expired(record)) {
                chunks.push_front(chunk);
                continue;
            }
            let Some(mut outcome) = self.call(permit, &mut chunk).await else {
                return Err(Interrupted(chunk.records.len() + left(&chunks)));
            };
            self.rules.judge(&mut chunk, &mut outcome);
            let step = step(chunk, &outcome, self.rules.policy);
            let wait = self.settle(step, &outcome, &mut chunks).await?;
            self.pause(wait).await;
            if self.drain.is_stopping() && !chunks.is_empty() {
                return Err(Interrupted(left(&chunks)));
            }
        }
        Ok(())
    }

    async fn call(&self, permit: Permit<'_>, chunk: &mut Chunk<Record>) -> Option<CallOutcome> {
        // Another host may have these records already.
        if self.drain.is_abandoned() {
            return None;
        }
        let now_ms = self.rules.now_ms();
        for record in &mut chunk.records {
            record.attempt += 1;
            note_attempt(&mut record.attempts_ms, now_ms);
        }
        let events: Vec<Event> = chunk.records.iter().map(Record::event).collect();
        self.rules.invoker.call_with(permit, &self.drain, events).await
    }

    /// Carries out a step: settles records, stores dead letters, and queues what is to be delivered again.
    async fn settle(
        &self,
        step: Step<Record>,
        outcome: &CallOutcome,
        chunks: &mut VecDeque<Chunk<Record>>,
    ) -> Result<Wait, Interrupted> {
        let meter = &self.rules.invoker.meter;
        let retried: usize = step.again.iter().map(|chunk| chunk.records.len()).sum();
        meter.retried.increment(retried as u64);
        for (record, disposition) in &step.settled {
            match disposition {
                Disposition::Reject(reason) => self.reject(record, reason, outcome).await?,
                Disposition::Skip(reason) => {
                    self.rules.invoker.skipped(&record.event(), reason, &outcome.digest);
                }
                Disposition::GiveUp(reason) => {
                    self.give_up(vec![record.clone()], give_up::INVALID, outcome.cause(reason)).await?;
                }
                _ => meter.acked.increment(1),
            }
        }
        self.checkpointer.settle(step.settled.iter().map(|(record, _)| record.ticket));
        let reason = outcome.reason();
        self.give_up(step.dead, give_up::RETRIES_EXHAUSTED, outcome.cause(&reason)).await?;
        step.again.into_iter().rev().for_each(|chunk| chunks.push_front(chunk));
        Ok(step.wait)
    }

    async fn reject(&self, record: &Record, reason: &str, outcome: &CallOutcome) -> Result<(), Interrupted> {
        let queue = self.rules.on_reject.queue(&self.rules.dead_letters.queue);
        self.rules.invoker.rejected(&record.event(), reason, &outcome.digest, queue);
        match self.rules.on_reject {
            OnReject::Drop => Ok(()),
            OnReject::DeadLetter => self.give_up(vec![record.clone()], give_up::REJECTED, outcome.cause(reason)).await,
        }
    }

    async fn pause(&self, wait: Wait) {
        let wait = match wait {
            Wait::No => return,
            Wait::For(wait) => wait,
            Wait::Backoff(failures) => self.rules.backoff.after(failures),
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => (),
            () = self.drain.stopping() => (),
        }
    }

    fn is_expired(&self, record: &Record) -> bool {
        self.rules.max_age.is_some_and(|max_age| self.rules.age(record.event.time_ms) > max_age)
    }
}

/// Adds records that have arrived, as many as fit into a batch.
fn arrived(batcher: &mut Batcher<Record>, records: &mut mpsc::Receiver<Vec<Record>>) {
    while !batcher.is_full()
        && let Ok(more) = records.try_recv()
    {
        batcher.push(more);
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
