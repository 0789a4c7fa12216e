//! Carries out dispositions at the queue (docs/delivery.md, 3). Acknowledged messages are deleted. Messages to be
//! retried reappear at their visibility timeout or when the worker asked. Messages that are given up are first stored
//! as dead letters, then deleted.

use super::heartbeat::InFlightMessage;
use host_adapters_delivery::OnReject;
use host_adapters_delivery::call::{CallOutcome, Invoker};
use host_adapters_delivery::dead_letter::{Cause, DeadLetterSink, Unstored};
use host_adapters_delivery::event::Disposition;
use host_adapters_delivery::retry::Backoff;
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::QueueBackend;
use std::sync::Arc;
use std::time::Duration;

const LONGEST_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);
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
    /// Receives after which a retry becomes a dead letter.
    pub max_attempts: u32,
    /// Whether rejected records are dropped or become dead letters.
    pub on_reject: OnReject,
    /// The wait between attempts to delete.
    pub backoff: Backoff,
}

/// What the outcome of a call asks for.
#[derive(Default)]
pub struct Plan {
    /// Messages that were not handled because of an outage. They stay in flight and are delivered again as the probe.
    pub keep: Vec<InFlightMessage>,
    /// Messages of a batch that failed for good. They are delivered again in halves, until the culprit is alone.
    pub halve: Vec<InFlightMessage>,
    /// Changes to make at the queue.
    pub changes: Changes,
}

/// Changes to be made at the queue.
#[derive(Default)]
pub struct Changes {
    delete: Vec<String>,
    delay: Vec<(String, Duration)>,
    give_up: Vec<(String, Unstored)>,
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
        for (message, disposition) in batch.into_iter().zip(&outcome.dispositions) {
            self.plan_one(&mut plan, message, disposition, outcome);
        }
        plan
    }

    /// Makes these changes. If the queue fails, retries take time, so the other messages in flight need their
    /// heartbeat.
    pub async fn settle(&self, changes: Changes) {
        let Changes { delete, delay, give_up } = changes;
        let given_up = self.give_up(give_up).await;
        self.delete(delete.into_iter().chain(given_up).collect()).await;
        self.change_visibility(delay).await;
    }

    /// Returns messages to the queue, where they are visible at once.
    pub async fn return_now(&self, batch: &[InFlightMessage]) {
        self.change_visibility(batch.iter().map(|message| (message.receipt.clone(), Duration::ZERO)).collect()).await;
    }

    fn plan_one(&self, plan: &mut Plan, message: InFlightMessage, disposition: &Disposition, outcome: &CallOutcome) {
        let meter = &self.invoker.meter;
        match disposition {
            Disposition::Ack => {
                meter.acked.increment(1);
                plan.changes.delete.push(message.receipt);
            }
            Disposition::Skip(reason) => {
                self.invoker.skipped(&message.event, reason, &outcome.digest);
                plan.changes.delete.push(message.receipt);
            }
            Disposition::Reject(reason) => {
                let queue = self.on_reject.queue(&self.dead_letters.queue);
                self.invoker.rejected(&message.event, reason, &outcome.digest, queue);
                match self.on_reject {
                    OnReject::Drop => plan.changes.delete.push(message.receipt),
                    OnReject::DeadLetter => plan.changes.give_up.push(self.dead_letter(message, reason, outcome)),
                }
            }
            // It reappears when its visibility ends, and no attempt is used up.
            Disposition::Retry(_) if outcome.is_suspected => meter.retried.increment(1),
            Disposition::Retry(_) if outcome.outage.is_some() => {
                meter.retried.increment(1);
                plan.keep.push(message);
            }
            Disposition::Retry(_) if outcome.is_permanent() || message.receives >= self.max_attempts => {
                let reason = outcome.reason_of(Some(disposition));
                self.log_given_up(&message, &reason, outcome);
                plan.changes.give_up.push(self.dead_letter(message, &reason, outcome));
            }
            Disposition::Retry(retry) => {
                meter.retried.increment(1);
                // Without a time, nothing is changed: the message reappears when its visibility ends, not before.
                let delay = retry.after_ms.map(|millis| Duration::from_millis(millis).min(LONGEST_VISIBILITY));
                plan.changes.delay.extend(delay.map(|delay| (message.receipt, delay)));
            }
        }
    }

    fn log_given_up(&self, message: &InFlightMessage, reason: &str, outcome: &CallOutcome) {
        let (worker, source, id) = (&self.invoker.worker, &self.invoker.source, &message.event.id);
        let (attempt, correlation, digest) = (message.event.attempt, &message.event.correlation_id, &outcome.digest);
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
    }

    fn dead_letter(&self, message: InFlightMessage, reason: &str, outcome: &CallOutcome) -> (String, Unstored) {
        let cause = Cause { attempts_ms: &message.attempts_ms, ..outcome.cause(reason) };
        let dead_letter = self.dead_letters.message(&message.event, &cause);
        (message.receipt, dead_letter)
    }

    /// Sends dead letters; returns the receipts of those that were stored. The other messages stay on their queue,
    /// whose own redrive applies to them.
    async fn give_up(&self, dead_letters: Vec<(String, Unstored)>) -> Vec<String> {
        let (receipts, messages): (Vec<String>, Vec<Unstored>) = dead_letters.into_iter().unzip();
        let errors = self.dead_letters.send(messages).await;
        if let Some(error) = errors.iter().flatten().next() {
            let (worker, source, queue) = (&self.invoker.worker, &self.invoker.source, &self.dead_letters.queue);
            tracing::error!(worker, source, queue, %error, "dead letter refused, the message stays on its queue");
        }
        let stored = receipts.into_iter().zip(errors).filter(|(_, error)| error.is_none());
        let stored: Vec<String> = stored.map(|(receipt, _)| receipt).collect();
        self.invoker.meter.dead_lettered.increment(stored.len() as u64);
        stored
    }

    /// Deletes messages. Success does not prove deletion (docs/delivery.md, 3.6): a stale receipt deletes nothing, and
    /// the message comes again.
    async fn delete(&self, mut receipts: Vec<String>) {
        for failures in 1..=DELETE_ATTEMPTS {
            if receipts.is_empty() {
                return;
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
            let Some(error) = error else { return };
            let (queue, count) = (&self.queue, receipts.len());
            tracing::warn!(queue, count, failures, %error, "settled messages not deleted: they may come again");
            if failures < DELETE_ATTEMPTS {
                tokio::time::sleep(self.backoff.after(failures)).await;
            }
        }
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
