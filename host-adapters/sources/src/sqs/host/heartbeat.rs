//! Messages in flight, and the heartbeat that keeps them invisible (docs/delivery.md, 3.3). At a third of the timeout
//! it extends their visibility while they wait, are with the worker or are kept during a pause, up to SQS's limit of 12
//! hours.

use host_adapters_delivery::batch::Weigh;
use host_adapters_delivery::event::Event;
use host_adapters_platform::{QueueBackend, Received};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The longest that SQS keeps a message invisible, counted from its receive.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// A message that was received and is not settled yet.
#[derive(Clone, Debug)]
pub struct InFlightMessage {
    /// The event for the worker.
    pub event: Event,
    /// The receipt of this receive.
    pub receipt: String,
    /// How often the queue has delivered it; redelivery after a pause does not count.
    pub receives: u32,
    /// When it was handed over, milliseconds since 1970 (UTC).
    pub attempts_ms: Vec<u64>,
    received: Instant,
    /// When to extend the visibility; `None` if the limit is reached.
    extend: Option<Instant>,
}

impl InFlightMessage {
    /// `wanted`, limited to how long the queue can still keep the message invisible, in whole seconds.
    pub fn at_most(&self, wanted: Duration) -> Duration {
        let left = (self.received + LONGEST).saturating_duration_since(Instant::now());
        wanted.min(Duration::from_secs(left.as_secs()))
    }
}

impl Weigh for InFlightMessage {
    fn weight(&self) -> usize {
        self.event.payload.len()
    }
}

/// Keeps only the last receive of each message. A message that became visible while it waited here was received again:
/// its earlier receipts are stale, and a batch contains a record only once.
pub fn newest(mut batch: Vec<InFlightMessage>) -> Vec<InFlightMessage> {
    if batch.iter().any(|message| message.receives > 1) {
        let last: HashMap<String, u32> =
            batch.iter().map(|message| (message.event.id.clone(), message.receives)).collect();
        batch.retain(|message| last.get(&message.event.id) == Some(&message.receives));
    }
    batch
}

/// Extends the visibility of messages of one queue.
#[derive(Clone)]
pub struct VisibilityHeartbeat {
    /// The queue that the messages are from.
    pub backend: Arc<dyn QueueBackend>,
    /// The queue's name.
    pub queue: String,
    /// How long each extension lasts.
    pub visibility: Duration,
}

impl VisibilityHeartbeat {
    /// Starts the heartbeat of a message that was just received.
    pub fn track(&self, message: &Received, event: Event) -> InFlightMessage {
        let received = Instant::now();
        let (receipt, receives) = (message.receipt.clone(), message.receive_count);
        InFlightMessage {
            event,
            receipt,
            receives,
            attempts_ms: Vec::new(),
            received,
            extend: Some(received + self.visibility / 3),
        }
    }

    /// Runs `work` and keeps the messages invisible meanwhile.
    pub async fn keep<'a, F: Future>(
        &self,
        message: impl IntoIterator<Item = &'a mut InFlightMessage>,
        work: F,
    ) -> F::Output {
        let mut message: Vec<&mut InFlightMessage> = message.into_iter().collect();
        tokio::select! {
            biased;
            output = work => output,
            never = self.beat(&mut message) => match never {},
        }
    }

    async fn beat(&self, message: &mut [&mut InFlightMessage]) -> Infallible {
        loop {
            match message.iter().filter_map(|message| message.extend).min() {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
            self.extend(message).await;
        }
    }

    /// Extends the visibility of messages that are due. A failed extension is retried a third of the timeout later,
    /// before the message would reappear. One that is cancelled, because the work is done, is still due.
    async fn extend(&self, message: &mut [&mut InFlightMessage]) {
        let now = Instant::now();
        let is_due = |message: &&mut &mut InFlightMessage| message.extend.is_some_and(|due| due <= now);
        let mut due: Vec<&mut &mut InFlightMessage> = message.iter_mut().filter(is_due).collect();
        let change = |message: &&mut &mut InFlightMessage| (message.receipt.clone(), message.at_most(self.visibility));
        let changes: Vec<(String, Duration)> = due.iter().map(change).collect();
        let count = changes.len();
        let failed = match self.backend.change_visibility_batch(&self.queue, &changes).await {
            Ok(errors) => errors.into_iter().flatten().next(),
            Err(error) => Some(error),
        };
        if let Some(error) = failed {
            tracing::warn!(queue = self.queue, count, %error, "visibility not extended: messages may come twice");
        }
        for (message, (_, reach)) in due.iter_mut().zip(changes) {
            message.extend = (reach == self.visibility).then_some(now + self.visibility / 3);
        }
    }
}
