//! Carries out dispositions at the queue (docs/delivery.md, 3). Acknowledged messages are deleted. Messages to be
//! retried reappear at their visibility timeout or when the worker asked, and their failures are counted. Messages that
//! are given up are first stored as dead letters, then deleted.
//!
//! In a FIFO queue, a message that is not settled keeps its place: the messages behind it in its group are delivered
//! again after it, whatever the worker said about them. So are those behind a message that becomes a dead letter,
//! because the dead letter queue may refuse it.

use super::attempts::Attempts;
use super::expiry::Expiry;
use super::heartbeat::InFlightMessage;
use host_adapters_delivery::OnReject;
use host_adapters_delivery::call::{CallOutcome, Invoker};
use host_adapters_delivery::dead_letter::{Cause, DeadLetterSink, Unstored};
use host_adapters_delivery::event::Disposition;
use host_adapters_delivery::retry::Backoff;
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::{FailureTable, QueueBackend, fifo};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// A message that only waits does so for as long as its worker asks, until it has this many receives left before the
/// queue's own redrive. Then it waits longer each time: with 90 receives, the queue does not move it before the end of
/// its retention, 4 days by default.
const SLOW_RECEIVES: u32 = 90;
/// Even if a queue allows few receives, the first ones follow each other as the worker asks.
const PROMPT_RECEIVES: u32 = 10;
/// The wait at the receive after that, which doubles with each.
const FIRST_LONG_WAIT: Duration = Duration::from_secs(30);
/// The longest of these waits.
const LONGEST_WAIT: Duration = Duration::from_secs(70 * 60);
/// Attempts to delete a message. If all fail, the worker sees the message again.
const DELETE_ATTEMPTS: u32 = 3;

/// Settles messages of one queue.
#[derive(Clone)]
pub struct Settler {
    /// The worker and source of these messages.
    pub invoker: Invoker,
    /// The queue that the messages are from.
    pub backend: Arc<dyn QueueBackend>,
    /// The queue's name.
    pub queue: String,
    /// Where dead letters are stored.
    pub dead_letters: DeadLetterSink,
    /// How often each message has failed.
    pub failures: Arc<dyn FailureTable>,
    /// The failure at which a message becomes a dead letter.
    pub max_attempts: u32,
    /// The receives after which the queue itself moves a message.
    pub max_receives: u32,
    /// Whether rejected records are dropped or become dead letters.
    pub on_reject: OnReject,
    /// When messages that come again were handed over.
    pub attempts: Attempts,
    /// The wait between attempts to delete.
    pub backoff: Backoff,
    /// When the queue drops a message.
    pub expiry: Expiry,
    /// How long a message that failed stays invisible.
    pub visibility: Duration,
}

/// The consequences of the outcome of a call.
#[derive(Default)]
pub struct Plan {
    /// Messages that were not handled because of an outage. They stay in flight.
    pub keep: Vec<InFlightMessage>,
    /// Messages of a batch that failed for good. They are delivered again in halves, until the culprit is alone.
    pub halve: Vec<InFlightMessage>,
    /// Groups of a FIFO queue in which a message is not settled: messages behind it wait in the queue.
    pub blocked: BTreeSet<String>,
    /// Changes to make at the queue.
    pub changes: Changes,
}

/// Changes to be made at the queue.
#[derive(Default)]
pub struct Changes {
    delete: Vec<Settled>,
    hide: Vec<(String, Duration)>,
    give_back: Vec<String>,
    give_up: Vec<(Settled, Unstored)>,
    failed: Vec<Failed>,
}

/// A message that is done.
struct Settled {
    receipt: String,
    /// Its id, if it may have failures to forget.
    failed_id: Option<String>,
}

impl Settled {
    fn new(message: InFlightMessage) -> Self {
        Self { failed_id: (message.receives > 1).then_some(message.event.id), receipt: message.receipt }
    }
}

/// A message that failed, to be retried or given up.
struct Failed {
    message: InFlightMessage,
    reason: String,
    digest: String,
    traceparent: Option<String>,
}

/// What became of a message.
enum Fate {
    Settled,
    Kept,
    /// It is not settled, or may not be: messages behind it wait.
    Blocks,
}

impl Changes {
    /// Returns messages to the queue, where they are visible at once.
    pub fn give_back(&mut self, messages: impl IntoIterator<Item = InFlightMessage>) {
        self.show(messages.into_iter().map(|message| message.receipt));
    }

    /// Makes messages visible at once.
    pub fn show(&mut self, receipts: impl IntoIterator<Item = String>) {
        self.give_back.extend(receipts);
    }

    /// Makes a message invisible for this long.
    pub fn hide(&mut self, receipt: String, by: Duration) {
        self.hide.push((receipt, by));
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Self { delete, hide, give_back, give_up, failed } = self;
        let nothing_to_store = give_up.is_empty() && failed.is_empty();
        nothing_to_store && delete.is_empty() && hide.is_empty() && give_back.is_empty()
    }
}

impl Settler {
    /// The consequences of `outcome` for `batch`.
    pub fn plan(&self, batch: Vec<InFlightMessage>, outcome: &CallOutcome) -> Plan {
        let mut plan = Plan::default();
        if outcome.is_permanent() && batch.len() > 1 {
            self.invoker.meter.retried.increment(batch.len() as u64);
            plan.halve = batch;
            return plan;
        }
        let mut kept = BTreeSet::new();
        for (message, disposition) in batch.into_iter().zip(&outcome.dispositions) {
            let group = message.event.ordering_key.clone().filter(|_| fifo::is_fifo(&self.queue));
            match group {
                Some(group) if plan.blocked.contains(&group) => plan.changes.give_back([message]),
                Some(group) if kept.contains(&group) => plan.keep.push(message),
                group => match (self.plan_one(&mut plan, message, disposition, outcome), group) {
                    (Fate::Kept, Some(group)) => drop(kept.insert(group)),
                    (Fate::Blocks, Some(group)) => drop(plan.blocked.insert(group)),
                    _ => {}
                },
            }
        }
        if outcome.is_suspected {
            // The next call uses other messages, so messages that were received behind these are returned.
            plan.blocked.extend(kept);
        }
        plan
    }

    /// Makes these changes. If the queue fails, retries take time, so the other messages in flight need their
    /// heartbeat.
    pub async fn settle(&self, changes: Changes) {
        let Changes { delete, hide, give_back, give_up, failed } = changes;
        // Messages that succeeded, and those that no longer have a heartbeat, do not wait until the failures are
        // counted.
        let failed = self.settle_failed(failed, give_up, give_back);
        tokio::join!(self.finish(delete), self.change_visibility(hide), failed);
    }

    async fn settle_failed(&self, failed: Vec<Failed>, mut give_up: Vec<(Settled, Unstored)>, give_back: Vec<String>) {
        // Kept before they are counted: meanwhile a message may reappear.
        for Failed { message, .. } in &failed {
            self.attempts.keep(message.event.id.clone(), message.attempts_ms.clone());
        }
        for (failed, is_last) in self.count(failed).await {
            if is_last {
                self.attempts.take(&failed.message.event.id);
                let Failed { message, reason, digest, traceparent } = failed;
                let cause =
                    Cause { reason: &reason, digest: &digest, traceparent: traceparent.as_deref(), attempts_ms: &[] };
                give_up.push(self.given_up(message, cause));
                continue;
            }
            self.invoker.meter.retried.increment(1);
            // Nothing is changed: the message reappears when its visibility ends, not before.
        }
        let given_up = self.give_up(give_up).await;
        self.finish(given_up).await;
        self.return_now(give_back).await;
    }

    /// Deletes messages that are done, and forgets the failures of those that are deleted: the others are delivered
    /// again.
    async fn finish(&self, mut settled: Vec<Settled>) {
        let receipts = settled.iter().map(|it| it.receipt.clone()).collect();
        let left = self.delete(receipts).await;
        settled.retain(|it| !left.contains(&it.receipt));
        self.forget(settled.into_iter().filter_map(|it| it.failed_id).collect()).await;
    }

    /// Counts the failures of messages; returns whether each was the last that it may have. If the table of failures is
    /// down, no failure counts as the last one: the queue's own redrive ends messages that keep failing.
    async fn count(&self, failed: Vec<Failed>) -> Vec<(Failed, bool)> {
        if failed.is_empty() || self.max_attempts <= 1 {
            return failed.into_iter().map(|failed| (failed, true)).collect();
        }
        let ids: Vec<String> = failed.iter().map(|failed| failed.message.event.id.clone()).collect();
        let counts = self.failures.count_failures(&self.queue, &ids).await.unwrap_or_else(|error| {
            let (queue, count) = (&self.queue, ids.len());
            tracing::warn!(queue, count, %error, "failures not counted: the messages may be retried more often");
            Vec::new()
        });
        let counts = counts.into_iter().chain(std::iter::repeat(0));
        failed.into_iter().zip(counts).map(|(failed, count)| (failed, count >= self.max_attempts)).collect()
    }

    /// Forgets the failures of settled messages. If that fails, they expire.
    async fn forget(&self, ids: Vec<String>) {
        if !ids.is_empty()
            && let Err(error) = self.failures.forget_failures(&self.queue, &ids).await
        {
            tracing::debug!(queue = self.queue, %error, "failures of settled messages are kept until they expire");
        }
    }

    /// Returns messages to the queue, where they are visible at once.
    pub async fn return_now(&self, receipts: Vec<String>) {
        self.change_visibility(receipts.into_iter().map(|receipt| (receipt, Duration::ZERO)).collect()).await;
    }

    fn plan_one(
        &self,
        plan: &mut Plan,
        message: InFlightMessage,
        disposition: &Disposition,
        outcome: &CallOutcome,
    ) -> Fate {
        let (meter, digest) = (&self.invoker.meter, &outcome.digest);
        match disposition {
            Disposition::Ack => {
                meter.acked.increment(1);
                plan.changes.delete.push(Settled::new(message));
                Fate::Settled
            }
            Disposition::Skip(reason) => {
                self.invoker.skipped(&message.event, reason, digest);
                plan.changes.delete.push(Settled::new(message));
                Fate::Settled
            }
            Disposition::Reject(reason) => {
                self.invoker.rejected(&message.event, reason, digest, self.on_reject.queue(&self.dead_letters.queue));
                if self.on_reject == OnReject::Drop {
                    plan.changes.delete.push(Settled::new(message));
                    return Fate::Settled;
                }
                plan.changes.give_up.push(self.dead_letter(message, outcome.cause(reason)));
                Fate::Blocks
            }
            Disposition::GiveUp(reason) => {
                plan.changes.give_up.push(self.given_up(message, outcome.cause(reason)));
                Fate::Blocks
            }
            Disposition::Retry(_) if self.is_last_chance(&message, disposition, outcome) => {
                let reason = outcome.reason_of(Some(disposition));
                let reason =
                    format!("{reason}; given up, because its queue is about to drop it at the end of its retention");
                plan.changes.give_up.push(self.given_up(message, outcome.cause(&reason)));
                Fate::Blocks
            }
            Disposition::Retry(_) if outcome.outage.is_some() => {
                meter.retried.increment(1);
                plan.keep.push(message);
                Fate::Kept
            }
            Disposition::Retry(_) if outcome.is_permanent() => {
                let reason = outcome.reason();
                plan.changes.give_up.push(self.given_up(message, outcome.cause(&reason)));
                Fate::Blocks
            }
            Disposition::Retry(_) => {
                match disposition.wait() {
                    Some(wait) => self.delay(&mut plan.changes, message, wait),
                    None => {
                        let (reason, digest) = (outcome.reason_of(Some(disposition)), digest.clone());
                        let traceparent = outcome.traceparent.clone();
                        plan.changes.failed.push(Failed { message, reason, digest, traceparent });
                    }
                }
                Fate::Blocks
            }
        }
    }

    /// Whether the queue may drop the message before it can be handed over again.
    fn is_last_chance(&self, message: &InFlightMessage, retry: &Disposition, outcome: &CallOutcome) -> bool {
        let waits = outcome.outage.is_some() || retry.wait().is_some();
        if waits { self.expiry.may_wait(message).is_zero() } else { self.expiry.left(message) <= self.visibility }
    }

    /// The message only waits; it has not failed.
    fn delay(&self, changes: &mut Changes, message: InFlightMessage, wait: Duration) {
        self.invoker.meter.retried.increment(1);
        let wait = wait.max(self.least_wait(message.receives)).min(self.expiry.may_wait(&message));
        let wait = message.at_most(wait);
        changes.hide(message.receipt, wait);
        self.attempts.keep(message.event.id, message.attempts_ms);
    }

    /// The minimum wait of a message that was received this often and has not failed.
    fn least_wait(&self, receives: u32) -> Duration {
        let prompt = self.max_receives.saturating_sub(SLOW_RECEIVES).max(PROMPT_RECEIVES);
        match receives.checked_sub(prompt + 1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST_LONG_WAIT.saturating_mul(2u32.saturating_pow(doublings)).min(LONGEST_WAIT),
        }
    }

    /// The dead letter of a message that is given up, which is logged.
    fn given_up(&self, message: InFlightMessage, cause: Cause<'_>) -> (Settled, Unstored) {
        let Cause { reason, digest, .. } = cause;
        let (worker, source, id) = (&self.invoker.worker, &self.invoker.source, &message.event.id);
        let (attempt, correlation) = (message.event.attempt, &message.event.correlation_id);
        tracing::error!(
            worker,
            source,
            digest,
            id,
            attempt,
            correlationId = correlation,
            reason,
            "record dead-lettered"
        );
        self.dead_letter(message, cause)
    }

    fn dead_letter(&self, message: InFlightMessage, cause: Cause<'_>) -> (Settled, Unstored) {
        let cause = Cause { attempts_ms: &message.attempts_ms, ..cause };
        let dead_letter = self.dead_letters.message(&message.event, &cause);
        (Settled::new(message), dead_letter)
    }

    /// Sends dead letters; returns the messages whose dead letters were stored. The other messages stay on their queue,
    /// whose own redrive applies to them.
    async fn give_up(&self, dead_letters: Vec<(Settled, Unstored)>) -> Vec<Settled> {
        let (given_up, messages): (Vec<Settled>, Vec<Unstored>) = dead_letters.into_iter().unzip();
        let errors = self.dead_letters.send(messages).await;
        if let Some(error) = errors.iter().flatten().next() {
            let (worker, source, queue) = (&self.invoker.worker, &self.invoker.source, &self.dead_letters.queue);
            tracing::error!(worker, source, queue, %error, "dead letter refused, the message stays on its queue");
        }
        let stored = given_up.into_iter().zip(errors).filter(|(_, error)| error.is_none());
        let stored: Vec<Settled> = stored.map(|(given_up, _)| given_up).collect();
        self.invoker.meter.dead_lettered.increment(stored.len() as u64);
        stored
    }

    /// Deletes messages; returns the receipts of those for which that failed. Success does not prove deletion
    /// (docs/delivery.md, 3.6): a stale receipt deletes nothing, and the message is delivered again.
    async fn delete(&self, mut receipts: Vec<String>) -> HashSet<String> {
        for failures in 1..=DELETE_ATTEMPTS {
            if receipts.is_empty() {
                break;
            }
            failpoint::reached(Step::BeforeDelete);
            let deleted = self.backend.delete_batch(&self.queue, &receipts).await;
            if deleted.is_ok() {
                failpoint::reached(Step::Delete);
            }
            let error = match deleted {
                Ok(errors) => {
                    let first = errors.iter().flatten().next().cloned();
                    let failed = receipts.into_iter().zip(errors).filter(|(_, error)| error.is_some());
                    receipts = failed.map(|(receipt, _)| receipt).collect();
                    first
                }
                Err(error) => Some(error),
            };
            let Some(error) = error else { break };
            let (queue, count) = (&self.queue, receipts.len());
            tracing::warn!(queue, count, failures, %error, "settled messages not deleted: they may come again");
            if failures < DELETE_ATTEMPTS {
                tokio::time::sleep(self.backoff.after(failures)).await;
            }
        }
        receipts.into_iter().collect()
    }

    async fn change_visibility(&self, changes: Vec<(String, Duration)>) {
        if changes.is_empty() {
            return;
        }
        let failed = match self.backend.change_visibility_batch(&self.queue, &changes).await {
            Ok(errors) => errors.into_iter().flatten().next(),
            Err(error) => Some(error),
        };
        if let Some(error) = failed {
            let (queue, count) = (&self.queue, changes.len());
            tracing::warn!(queue, count, %error, "visibility not changed: messages reappear at their timeout");
        }
    }
}
