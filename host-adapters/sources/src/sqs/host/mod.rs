//! SQS → worker: a fixed set of pollers, each of which gathers a batch, hands it over, and settles it while it gathers
//! the next.
//!
//! Concurrency is the number of pollers; a poller that waits for its worker receives nothing, so overload shows as
//! depth of the queue. While a dependency of the worker is down, the pollers receive nothing, because the queue counts
//! receives: pollers with a batch in flight keep it, one of them delivers it again as the probe, and when the probe
//! succeeds all go on. An outage that only refusals tell may be the batch's own fault: such a batch goes back to its queue,
//! and whatever the queue gives next is the probe.

mod attempts;
mod canned;
mod config;
mod heartbeat;
mod settle;

pub(crate) use canned::CANNED;
pub use config::SqsConfig as Config;
pub use config::{SqsConfig, name};

use super::event;
use crate::{CircuitBreakers, Source, SourceContext, SourceSettings, Status};
use attempts::Attempts;
use heartbeat::{InFlightMessage, VisibilityHeartbeat};
use host_adapters_delivery::batch::{Batcher, Need};
use host_adapters_delivery::call::Invoker;
use host_adapters_delivery::dead_letter::{DeadLetter, DeadLetterSink, note_attempt};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::redrive::{Recovery, Way};
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::Received;
use host_adapters_platform::clock::Clock;
use settle::{Plan, Settler};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A message goes back to its queue.
pub(crate) const RECOVERY: Recovery = Recovery { way: Way::Queue, event: DeadLetter::message_event };
/// The longest that SQS waits for a message.
const LONG_POLL: Duration = Duration::from_secs(20);
/// Most messages received at a time, so that memory is bounded by `max_batch_bytes` and not by `batch_size`.
const PORTION: usize = 500;

/// A queue that feeds a worker.
pub struct SqsSource {
    config: SqsConfig,
    poller: Poller,
}

impl SqsSource {
    /// Connects `config.queue` to `context.worker`.
    pub fn new(config: SqsConfig, context: &SourceContext) -> Self {
        let source = config.name();
        let invoker = Invoker::new(&context.worker, source.clone(), context.dispatch.clone()).with_clock(context.clock.clone());
        let heartbeat = VisibilityHeartbeat {
            backend: context.queues.clone(),
            queue: config.queue.clone(),
            visibility: config.visibility(),
        };
        let settler = Settler {
            invoker: invoker.clone(),
            backend: context.queues.clone(),
            queue: config.queue.clone(),
            dead_letters: DeadLetterSink::new(context.queues.clone(), config.dead_letter_queue(&context.worker), &context.worker),
            failures: context.failures.clone(),
            max_attempts: config.max_attempts,
            on_reject: config.on_reject,
            attempts: Attempts::default(),
            backoff: context.backoff.clone(),
        };
        let breakers = CircuitBreakers::new(&source, &context.backoff, &invoker.meter.paused);
        Self { poller: Poller { batch: config.limits(), invoker, breakers, heartbeat, settler, clock: context.clock.clone() }, config }
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
    batch: host_adapters_delivery::batch::Limits,
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
            batcher.push(received.iter().map(|message| self.hold(message)));
        }
        heartbeat::newest(batcher.take())
    }

    fn hold(&self, message: &Received) -> InFlightMessage {
        let mut held = self.heartbeat.hold(message, event::received(&self.invoker.source, message));
        if message.receive_count > 1 {
            held.attempts_ms = self.settler.attempts.take(&message.id);
        }
        held
    }

    /// Receives up to `max` messages until `until`, or for as long as a long poll takes. An error opens the circuit, so
    /// that the next receive waits.
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
        let mut batches = vec![batch];
        while let Some(mut batch) = batches.pop() {
            self.heartbeat.keep(unsettled(&mut batch, &mut batches, batcher), settled(settling)).await;
            let now_ms = u64::try_from(self.clock.now_ms()).unwrap_or(0);
            batch.iter_mut().for_each(|message| note_attempt(&mut message.attempts_ms, now_ms));
            let events = batch.iter().map(|message| message.event.clone()).collect();
            let call = self.invoker.call(&self.breakers.worker, drain, events);
            let Some(outcome) = self.heartbeat.keep(unsettled(&mut batch, &mut batches, batcher), call).await else {
                batch.extend(batches.into_iter().flatten());
                self.settler.return_now(&batch).await;
                return Ended::Abandoned(batch.len());
            };
            let Plan { keep, mut halve, blocked, mut changes } = self.settler.plan(batch, &outcome);
            changes.give_back(behind(&blocked, &mut batches, batcher));
            let poller = self.clone();
            settling.spawn(async move { poller.settler.settle(changes).await });
            let second = halve.split_off(halve.len().div_ceil(2));
            let again = [second, halve, keep].into_iter().filter(|batch| !batch.is_empty());
            batches.extend(again.map(|mut batch| {
                batch.iter_mut().for_each(|message| message.event.attempt += 1);
                batch
            }));
        }
        Ended::Drained
    }
}

/// Takes out the messages of these groups of a FIFO queue, which wait behind one that failed.
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

/// All messages in flight that are not being settled: of this call, of the calls after it, and of the next batch.
fn unsettled<'a>(
    batch: &'a mut [InFlightMessage],
    batches: &'a mut [Vec<InFlightMessage>],
    batcher: &'a mut Batcher<InFlightMessage>,
) -> impl Iterator<Item = &'a mut InFlightMessage> {
    batch.iter_mut().chain(batches.iter_mut().flatten()).chain(batcher.waiting_mut())
}

/// Waits until the previous batch is settled.
async fn settled(settling: &mut JoinSet<()>) {
    while let Some(joined) = settling.join_next().await {
        if let Some(panic) = joined.err().and_then(|error| error.try_into_panic().ok()) {
            std::panic::resume_unwind(panic);
        }
    }
}
