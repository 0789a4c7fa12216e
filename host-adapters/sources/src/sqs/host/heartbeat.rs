//! Messages in flight, and the heartbeat that keeps them invisible (docs/delivery.md, 3.3): it extends their visibility
//! at a third of the timeout while they wait, are with the worker or sit out a pause, up to SQS's limit of 12 hours.

use host_adapters_delivery::batch::Weigh;
use host_adapters_delivery::event::Event;
use host_adapters_platform::{QueueBackend, Received};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// SQS lets no message be invisible for longer, counted from its receive.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// A message received and not yet settled.
#[derive(Clone, Debug)]
pub struct InFlightMessage {
    /// What the worker gets.
    pub event: Event,
    /// Names the receive.
    pub receipt: String,
    /// How often the queue has delivered it; redelivery after a pause does not count.
    pub receives: u32,
    received: Instant,
    /// When to extend; `None` when it may not be in flight any longer.
    extend: Option<Instant>,
}

impl Weigh for InFlightMessage {
    fn weight(&self) -> usize {
        self.event.payload.len()
    }
}

/// Keeps only the last receive of each message: a message that became visible while it waited here was received again,
/// its earlier receipts are stale, and a batch holds a record once.
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
    /// Where the messages are from.
    pub backend: Arc<dyn QueueBackend>,
    /// Its name.
    pub queue: String,
    /// How far each extension reaches.
    pub visibility: Duration,
}

impl VisibilityHeartbeat {
    /// Starts the heartbeat of a message received just now.
    pub fn hold(&self, message: &Received, event: Event) -> InFlightMessage {
        let received = Instant::now();
        let (receipt, receives) = (message.receipt.clone(), message.receive_count);
        InFlightMessage { event, receipt, receives, received, extend: Some(received + self.visibility / 3) }
    }

    /// Does `work` and keeps the messages invisible meanwhile.
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

    /// Extends what is due. One that fails is tried again a third of the timeout later, before it would reappear; one
    /// that is cut short, because the work is done, is still due.
    async fn extend(&self, message: &mut [&mut InFlightMessage]) {
        let now = Instant::now();
        let is_due = |message: &&mut &mut InFlightMessage| message.extend.is_some_and(|due| due <= now);
        let mut due: Vec<&mut &mut InFlightMessage> = message.iter_mut().filter(is_due).collect();
        let change = |message: &&mut &mut InFlightMessage| (message.receipt.clone(), self.reach(message, now));
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

    /// How far an extension of a message may reach.
    fn reach(&self, message: &InFlightMessage, now: Instant) -> Duration {
        let left = (message.received + LONGEST).saturating_duration_since(now);
        self.visibility.min(Duration::from_secs(left.as_secs()))
    }
}
