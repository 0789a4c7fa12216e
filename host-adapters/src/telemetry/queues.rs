//! Depths of queues and ages of their messages, for `/metrics`. Every queue is queried at intervals, with one or two
//! calls for any number of messages.

use host_adapters_platform::clock::Clock;
use host_adapters_platform::{Depth, QueueBackend, Result};
use metrics::{Gauge, Unit, describe_gauge, gauge};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How often queues are asked.
const PERIOD: Duration = Duration::from_secs(15);

/// By queue, kind and state.
const MESSAGES: &str = "registration_queue_messages";
/// By queue and kind.
const AGE: &str = "registration_queue_age_seconds";
/// By worker, source and queue.
const SOURCE: &str = "registration_queue_source_info";

/// Shows that a source of a worker reads a queue, so that the work of the source can be compared with the depth of the
/// queue: a source of objects is not called after its queue.
pub fn show_source(worker: &str, source: &str, queue: &str) {
    describe_gauge!(SOURCE, "Which queue a source reads: always 1");
    let labels = [("worker", worker.to_owned()), ("source", source.to_owned()), ("queue", queue.to_owned())];
    gauge!(SOURCE, &labels).set(1.0);
}

/// The measures of all queues.
pub struct Queues {
    backend: Arc<dyn QueueBackend>,
    clock: Clock,
    queues: Vec<Queue>,
}

struct Queue {
    name: String,
    holds_dead_letters: bool,
    visible: Gauge,
    in_flight: Gauge,
    delayed: Gauge,
    labels: [(&'static str, String); 2],
    /// Since when this host has seen it hold messages, milliseconds since 1970 (UTC).
    held_since: Option<i64>,
}

impl Queues {
    /// The queues of `backend` by name, and whether they hold dead letters.
    pub fn new(backend: Arc<dyn QueueBackend>, clock: Clock, queues: HashMap<String, bool>) -> Self {
        describe_gauge!(MESSAGES, "Messages of a queue");
        describe_gauge!(AGE, Unit::Seconds, "Age of the oldest message of a queue");
        Self { backend, clock, queues: queues.into_iter().map(Queue::new).collect() }
    }

    /// Measures again and again, as long as the future is polled.
    pub async fn watch(mut self) {
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.measure().await;
        }
    }

    /// Measures once. A queue that cannot be asked keeps its last measures; other metrics show that it cannot be
    /// reached.
    pub async fn measure(&mut self) {
        for queue in &mut self.queues {
            if let Err(error) = queue.measure(&*self.backend, self.clock.now_ms()).await {
                tracing::debug!(queue = queue.name, %error, "depth of the queue not known");
            }
        }
    }
}

impl Queue {
    fn new((name, holds_dead_letters): (String, bool)) -> Self {
        let kind = if holds_dead_letters { "dead-letters" } else { "work" };
        let labels = [("queue", name.clone()), ("kind", kind.to_owned())];
        let state = |state: &'static str| {
            let [queue, kind] = labels.clone();
            gauge!(MESSAGES, &[queue, kind, ("state", state.to_owned())])
        };
        let [visible, in_flight, delayed] = ["visible", "in-flight", "delayed"].map(state);
        Self { name, holds_dead_letters, visible, in_flight, delayed, labels, held_since: None }
    }

    async fn measure(&mut self, backend: &dyn QueueBackend, now_ms: i64) -> Result<()> {
        let depth = backend.depth(&self.name).await?;
        self.show(depth);
        let total = depth.visible + depth.in_flight + depth.delayed;
        let oldest = if total == 0 { None } else { backend.oldest(&self.name).await? };
        if let Some(age_ms) = self.age_ms(total, oldest, now_ms) {
            // Seconds are as exact as anybody needs them.
            gauge!(AGE, &self.labels).set(Duration::from_millis(age_ms).as_secs_f64());
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "no queue holds 2^53 messages")]
    fn show(&self, depth: Depth) {
        self.visible.set(depth.visible as f64);
        self.in_flight.set(depth.in_flight as f64);
        self.delayed.set(depth.delayed as f64);
    }

    /// The age of the oldest message. Where the server does not say it, a queue of dead letters is as old as this host
    /// has seen it hold some, since only an operator takes them out; of other queues it is not known.
    fn age_ms(&mut self, total: u64, oldest: Option<u64>, now_ms: i64) -> Option<u64> {
        if total == 0 {
            self.held_since = None;
            return Some(0);
        }
        let since = *self.held_since.get_or_insert(now_ms);
        let sent_ms = oldest.and_then(|ms| i64::try_from(ms).ok()).or(self.holds_dead_letters.then_some(since))?;
        Some(u64::try_from(now_ms.saturating_sub(sent_ms)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_what_the_server_says_or_for_how_long_dead_letters_are_there() {
        let mut queue = Queue::new(("q".to_owned(), false));
        assert_eq!(queue.age_ms(0, None, 1_000), Some(0));
        assert_eq!(queue.age_ms(2, Some(400), 1_000), Some(600));
        assert_eq!(queue.age_ms(2, None, 1_000), None, "it may be another message each time");
        let mut dead_letters = Queue::new(("qDlq".to_owned(), true));
        let ages = [(3, 1_000), (1, 5_000), (0, 6_000), (1, 7_000), (1, 9_500)];
        let ages = ages.map(|(total, now_ms)| dead_letters.age_ms(total, None, now_ms));
        assert_eq!(ages, [Some(0), Some(4_000), Some(0), Some(0), Some(2_500)]);
    }
}
