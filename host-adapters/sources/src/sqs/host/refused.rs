//! Messages that a service refused while it refuses everything (docs/delivery.md, 7.7). The messages themselves may be
//! the cause, so the next probe uses others, if the queue has any. Refused messages are not returned to the queue: it
//! counts receives, and an outage may last for days.

use super::attempts::Attempts;
use super::expiry::Expiry;
use super::heartbeat::InFlightMessage;
use super::settle::Changes;
use std::time::Duration;
use tokio::time::Instant;

/// How long a message is set aside. By default a queue allows 100 receives and retains messages for 4 days: 100 times
/// this is longer than the retention.
const ASIDE: Duration = Duration::from_secs(60 * 60);

/// The refused messages of one poller.
#[derive(Default)]
pub struct Refused {
    /// The first batch. It stays in flight and serves as the probe while the queue has no other messages.
    kept: Vec<InFlightMessage>,
    /// Receipts of later ones, which are invisible until these times.
    aside: Vec<(String, Instant)>,
}

impl Refused {
    /// Whether no message is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The messages that are kept, for their heartbeat.
    pub fn kept_mut(&mut self) -> &mut [InFlightMessage] {
        &mut self.kept
    }

    /// Whether a message that is kept may not wait any longer: then only another call can give it up in time.
    pub fn is_due(&self, expiry: &Expiry) -> bool {
        self.kept.iter().any(|message| expiry.may_wait(message).is_zero())
    }

    /// Takes the messages that are kept, to hand them over again.
    pub fn take_kept(&mut self) -> Vec<InFlightMessage> {
        std::mem::take(&mut self.kept)
    }

    /// Forgets kept messages that were received again: the queue makes them visible after 12 hours.
    pub fn replaced_by(&mut self, received: &[InFlightMessage]) {
        self.kept.retain(|message| received.iter().all(|it| it.event.id != message.event.id));
    }

    /// Keeps a refused batch in flight, or sets it aside if there is one already. A FIFO queue keeps its order either way,
    /// because an invisible message blocks its group. What is set aside is received again before its queue drops it.
    pub fn add(&mut self, batch: Vec<InFlightMessage>, changes: &mut Changes, attempts: &Attempts, expiry: &Expiry) {
        if self.kept.is_empty() {
            self.kept = batch;
            return;
        }
        let now = Instant::now();
        self.aside.retain(|(_, until)| *until > now);
        for message in batch {
            let hidden = message.at_most(ASIDE.min(expiry.may_wait(&message)));
            changes.hide(message.receipt.clone(), hidden);
            self.aside.push((message.receipt, now + hidden));
            attempts.keep(message.event.id, message.attempts_ms);
        }
    }

    /// Takes the receipts of the messages that were set aside and are still invisible.
    pub fn take_aside(&mut self) -> Vec<String> {
        let now = Instant::now();
        self.aside.drain(..).filter(|(_, until)| *until > now).map(|(receipt, _)| receipt).collect()
    }
}
