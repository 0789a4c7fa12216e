//! SQS → worker: a fixed set of pollers, each of which gathers a batch, hands it over, and settles it while it gathers
//! the next.
//!
//! Concurrency is the number of pollers; a poller that waits for its worker receives nothing, so overload shows as
//! depth of the queue. While a dependency of the worker is down, the pollers receive nothing, because the queue counts
//! receives: pollers with a batch in flight keep it, one of them delivers it again as the probe, and when the probe
//! succeeds all continue. If only refusals indicate the outage, the batch itself may be the cause: the next probe uses
//! other messages, if the queue has any ([`refused`]).

mod attempts;
mod canned;
mod config;
mod expiry;
mod heartbeat;
mod refused;
mod settle;

pub(crate) use canned::{CANNED, messages};
pub use config::SqsConfig;
pub use config::SqsConfig as Config;

use super::event;
use crate::{CircuitBreakers, Source, SourceContext, SourceSettings, Status};
use attempts::Attempts;
use expiry::Expiry;
use heartbeat::{InFlightMessage, VisibilityHeartbeat};
use host_adapters_delivery::batch::{Batcher, Need};
use host_adapters_delivery::call::{CallOutcome, Invoker};
use host_adapters_delivery::circuit_breaker::Permit;
use host_adapters_delivery::dead_letter::{DeadLetter, DeadLetterSink, note_attempt};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::redrive::{Recovery, Way};
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::Received;
use host_adapters_platform::clock::Clock;
use refused::Refused;
use settle::{Changes, Plan, Settler};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A message goes back to its queue.
pub(crate) const RECOVERY: Option<Recovery> = Some(Recovery { way: Way::Queue, event: DeadLetter::message_event });
/// The longest that SQS waits for a message.
const LONG_POLL: Duration = Duration::from_secs(20);
/// Most messages received at a time, so that memory is bounded by `max_batch_bytes` and not by `batch_size`.
const PORTION: usize = 500;
/// Most messages that are received for a probe: one call of SQS returns no more.
const PROBE: usize = 10;

/// A queue that feeds a worker.
pub struct SqsSource {
    config: SqsConfig,
    poller: Poller,
}

impl SqsSource {
    /// Connects `config.queue` to `context.worker`.
    pub fn new(config: SqsConfig, context: &SourceContext) -> Self {
        Self::named(config.name(), config, context)
    }

    /// The same for a source with another name, whose records are in the queue's messages.
    pub(crate) fn named(source: String, config: SqsConfig, context: &SourceContext) -> Self {
        let invoker =
            Invoker::new(&context.worker, source.clone(), context.dispatch.clone()).with_clock(context.clock.clone());
        let heartbeat = VisibilityHeartbeat {
            backend: context.stores.queues.clone(),
            queue: config.queue.clone(),
            visibility: config.visibility(),
        };
        let settler = Settler {
            invoker: invoker.clone(),
            backend: context.stores.queues.clone(),
            queue: config.queue.clone(),
            dead_letters: DeadLetterSink::new(context.stores.queues.clone(), config.dead_letters(), &context.worker),
            failures: context.stores.failures.clone(),
            max_attempts: config.max_attempts,
            max_receives: config.max_receive_count,
            on_reject: config.on_reject,
            attempts: Attempts::default(),
            backoff: context.backoff.clone(),
            expiry: Expiry { retention: config.retention(), clock: context.clock.clone() },
            visibility: config.visibility(),
        };
        let breakers = CircuitBreakers::new(&source, &context.backoff, &invoker.meter.paused);
        Self {
            poller: Poller {
                batch: config.limits(),
                invoker,
                breakers,
                heartbeat,
                settler,
                clock: context.clock.clone(),
            },
            config,
        }
    }
}

#[async_trait::async_trait]
impl Source for SqsSource {
    fn status(&self) -> Status {
        self.poller.breakers.status(&self.poller.invoker.worker, &self.poller.invoker.source)
    }

    async fn run(&self, drain: Drain) -> Ended {
        let poller = Arc::new(self.poller.clone());
        let mut pollers = JoinSet::new();
        for _ in 0..self.config.max_concurrency.max(1) {
            let (poller, drain) = (poller.clone(), drain.clone());
            pollers.spawn(async move { poller.run(&drain).await });
        }
        pollers.join_all().await.into_iter().fold(Ended::Drained, Ended::and)
    }
}

#[derive(Clone)]
struct Poller {
    batch: host_adapters_delivery::batch::BatchLimits,
    invoker: Invoker,
    breakers: CircuitBreakers,
    heartbeat: VisibilityHeartbeat,
    settler: Settler,
    clock: Clock,
}

impl Poller {
    async fn run(self: Arc<Self>, drain: &Drain) -> Ended {
        let (mut batcher, mut settling) = (Batcher::new(self.batch), JoinSet::new());
        let mut ended = Ended::Drained;
        loop {
            let batch = self.gather(&mut batcher, drain).await;
            if batch.is_empty() {
                settled(&mut settling).await;
                return ended;
            }
            ended = ended.and(self.deliver(batch, &mut batcher, &mut settling, drain).await);
        }
    }

    /// The next batch; empty only when intake has stopped and no message is left. Messages that were received before
    /// that are still handed over, at once: returning them would use up a receive.
    async fn gather(&self, batcher: &mut Batcher<InFlightMessage>, drain: &Drain) -> Vec<InFlightMessage> {
        batcher.open();
        while let Need::More { room, until } = batcher.need() {
            let receive = self.receive(room.min(PORTION), until);
            let received = tokio::select! {
                biased;
                () = drain.stopping() => break,
                received = self.heartbeat.keep(batcher.waiting_mut(), receive) => received,
            };
            batcher.push(received.iter().map(|message| self.track(message)));
        }
        heartbeat::newest(batcher.take())
    }

    fn track(&self, message: &Received) -> InFlightMessage {
        let mut in_flight = self.heartbeat.track(message, event::received(&self.invoker.source, message));
        if message.receive_count > 1 {
            in_flight.attempts_ms = self.settler.attempts.take(&message.id);
        } else {
            self.log_unreadable(message);
        }
        in_flight
    }

    /// Logs once what is left out of a message; a good body is still handed over.
    fn log_unreadable(&self, message: &Received) {
        let (worker, source, id) = (&self.invoker.worker, &self.invoker.source, &message.id);
        for attribute in &message.unreadable {
            tracing::warn!(worker, source, id, attribute, "attribute left out: it cannot be read");
        }
    }

    /// Receives up to `max` messages until `until`, or for as long as a long poll takes; waits in a pause.
    async fn receive(&self, max: usize, until: Option<Instant>) -> Vec<Received> {
        let admitted = async {
            self.breakers.worker.wants_records().await;
            self.breakers.intake.enter().await
        };
        let permit = match until {
            None => admitted.await,
            Some(until) => match tokio::time::timeout_at(until, admitted).await {
                Ok(permit) => permit,
                Err(_) => return Vec::new(),
            },
        };
        let wait = until.map_or(LONG_POLL, |until| until.saturating_duration_since(Instant::now()));
        self.receive_with(permit, max, wait).await
    }

    /// An error opens the circuit of the queue, so that the next receive waits.
    async fn receive_with(&self, permit: Permit<'_>, max: usize, wait: Duration) -> Vec<Received> {
        match self.heartbeat.backend.receive(&self.heartbeat.queue, max, wait, self.heartbeat.visibility).await {
            Ok(messages) => {
                if !messages.is_empty() {
                    failpoint::reached(Step::Receive);
                }
                permit.works();
                messages
            }
            Err(error) => {
                permit.down(format!("{}: {error}", self.invoker.source));
                Vec::new()
            }
        }
    }

    /// Hands a batch over until each message is being settled. It is handed over again after an outage, and in halves
    /// after a call that failed for good. The previous batch is settled first, so that a queue which does not answer
    /// stops its poller.
    async fn deliver(
        self: &Arc<Self>,
        batch: Vec<InFlightMessage>,
        batcher: &mut Batcher<InFlightMessage>,
        settling: &mut JoinSet<()>,
        drain: &Drain,
    ) -> Ended {
        // The next batch is the last.
        let mut hands = Hands { batches: vec![batch], refused: Refused::default(), batcher };
        while !(hands.batches.is_empty() && hands.refused.is_empty()) {
            self.heartbeat.keep(hands.unsettled(), settled(settling)).await;
            let entered = self.heartbeat.keep(hands.unsettled(), Invoker::enter(&self.breakers.worker, drain)).await;
            let Some(permit) = entered else { return self.abandon(hands).await };
            if !permit.is_probe() {
                self.settle(settling, hands.pause_is_over());
            }
            let mut batch = self.next(&permit, &mut hands, drain).await;
            let now_ms = u64::try_from(self.clock.now_ms()).unwrap_or(0);
            batch.iter_mut().for_each(|message| note_attempt(&mut message.attempts_ms, now_ms));
            let events = batch.iter().map(|message| message.event.clone()).collect();
            let call = self.invoker.call_with(permit, drain, events);
            let Some(outcome) = self.heartbeat.keep(batch.iter_mut().chain(hands.unsettled()), call).await else {
                hands.batches.push(batch);
                return self.abandon(hands).await;
            };
            let plan = self.settler.plan(batch, &outcome);
            let changes = hands.take_back(plan, &outcome, &self.settler);
            self.settle(settling, changes);
        }
        self.settle(settling, hands.pause_is_over());
        Ended::Drained
    }

    /// The batch of the next call. A probe uses messages other than the refused ones, if there are any and the refused ones
    /// may still wait.
    async fn next(&self, permit: &Permit<'_>, hands: &mut Hands<'_>, drain: &Drain) -> Vec<InFlightMessage> {
        if let Some(batch) = hands.batches.pop() {
            return batch;
        }
        let uses_others = permit.is_probe() && !hands.refused.is_due(&self.settler.expiry);
        let others = if uses_others { self.others(hands, drain).await } else { Vec::new() };
        if others.is_empty() {
            return hands.refused.take_kept();
        }
        hands.refused.replaced_by(&others);
        others
    }

    /// Messages that wait in the host, or else messages that the queue returns at once. Nothing is received once intake
    /// has stopped.
    async fn others(&self, hands: &mut Hands<'_>, drain: &Drain) -> Vec<InFlightMessage> {
        if hands.batcher.waiting_mut().is_empty()
            && let Some(permit) = self.breakers.intake.try_enter()
        {
            // Without waiting, SQS asks only some of its servers.
            let wait = self.settler.backoff.shortest().min(LONG_POLL);
            let receive = self.receive_with(permit, self.batch.size.min(PROBE), wait);
            let received = tokio::select! {
                biased;
                () = drain.stopping() => Vec::new(),
                received = self.heartbeat.keep(hands.unsettled(), receive) => received,
            };
            hands.batcher.push(received.iter().map(|message| self.track(message)));
        }
        heartbeat::newest(hands.batcher.take())
    }

    /// Makes changes in the background.
    fn settle(self: &Arc<Self>, settling: &mut JoinSet<()>, changes: Changes) {
        if !changes.is_empty() {
            let poller = self.clone();
            settling.spawn(async move { poller.settler.settle(changes).await });
        }
    }

    /// Returns all messages to the queue, except those that wait for the next batch, which is the last.
    async fn abandon(&self, mut hands: Hands<'_>) -> Ended {
        hands.batches.push(hands.refused.take_kept());
        let mut receipts = hands.refused.take_aside();
        receipts.extend(hands.batches.into_iter().flatten().map(|message| message.receipt));
        let count = receipts.len();
        self.settler.return_now(receipts).await;
        Ended::Abandoned(count)
    }
}

/// The messages that a poller has, except those of the call in progress.
struct Hands<'a> {
    /// To be handed over, the last one first.
    batches: Vec<Vec<InFlightMessage>>,
    refused: Refused,
    /// For the next batch.
    batcher: &'a mut Batcher<InFlightMessage>,
}

impl Hands<'_> {
    /// All messages in flight that are neither with the worker nor being settled.
    fn unsettled(&mut self) -> impl Iterator<Item = &mut InFlightMessage> {
        let batches = self.batches.iter_mut().flatten();
        batches.chain(self.refused.kept_mut()).chain(self.batcher.waiting_mut())
    }

    /// Takes the messages of a call that are to be handed over again; returns the changes at the queue.
    fn take_back(&mut self, plan: Plan, outcome: &CallOutcome, settler: &Settler) -> Changes {
        let Plan { keep, mut halve, blocked, mut changes } = plan;
        changes.give_back(behind(&blocked, &mut self.batches, self.batcher));
        let second = halve.split_off(halve.len().div_ceil(2));
        let [second, halve, mut keep] = [second, halve, keep].map(|mut batch| {
            batch.iter_mut().for_each(|message| message.event.attempt += 1);
            batch
        });
        if outcome.is_suspected {
            self.refused.add(std::mem::take(&mut keep), &mut changes, &settler.attempts, &settler.expiry);
        } else if outcome.outage.is_none() {
            changes.show(self.refused.take_aside());
        }
        self.batches.extend([second, halve, keep].into_iter().filter(|batch| !batch.is_empty()));
        changes
    }

    /// What was set aside is received again.
    fn pause_is_over(&mut self) -> Changes {
        let mut changes = Changes::default();
        changes.show(self.refused.take_aside());
        changes
    }
}

/// Removes the messages of these groups of a FIFO queue, because they wait behind one that failed.
fn behind(
    groups: &BTreeSet<String>,
    batches: &mut Vec<Vec<InFlightMessage>>,
    batcher: &mut Batcher<InFlightMessage>,
) -> Vec<InFlightMessage> {
    if groups.is_empty() {
        return Vec::new();
    }
    let is_behind =
        |message: &InFlightMessage| message.event.ordering_key.as_ref().is_some_and(|group| groups.contains(group));
    let mut behind = batcher.extract(is_behind);
    for batch in batches.iter_mut() {
        behind.extend(batch.extract_if(.., |message| is_behind(message)));
    }
    batches.retain(|batch| !batch.is_empty());
    behind
}

/// Waits until the previous batch is settled.
async fn settled(settling: &mut JoinSet<()>) {
    while let Some(joined) = settling.join_next().await {
        if let Some(panic) = joined.err().and_then(|error| error.try_into_panic().ok()) {
            std::panic::resume_unwind(panic);
        }
    }
}
