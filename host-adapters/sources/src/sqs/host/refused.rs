//! What a service refuses while it refuses everything (docs/delivery.md, 7.7). The messages themselves may be the cause,
//! so the next probe is made with others, if the queue has any. The queue counts receives, and an outage may take days:
//! refused messages do not go back to it.

use super::attempts::Attempts;
use super::heartbeat::InFlightMessage;
use super::settle::Changes;
use std::time::Duration;
use tokio::time::Instant;

/// How long a message is set aside. With the 100 receives of a queue by default, that is longer than its retention of 4
/// days by default.
const ASIDE: Duration = Duration::from_secs(60 * 60);

/// The refused messages of one poller.
#[derive(Default)]
pub struct Refused {
    /// The first batch. It stays in flight, and is the probe while the queue has no other messages.
    held: Vec<InFlightMessage>,
    /// Receipts of later ones, which are invisible until these times.
    aside: Vec<(String, Instant)>,
}

impl Refused {
    /// Whether no message is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The messages that are held, for their heartbeat.
    pub fn held_mut(&mut self) -> &mut [InFlightMessage] {
        &mut self.held
    }

    /// The messages that are held, to be handed over again.
    pub fn take_held(&mut self) -> Vec<InFlightMessage> {
        std::mem::take(&mut self.held)
    }

    /// Forgets held messages that were received again: after 12 hours the queue has taken them back.
    pub fn replaced_by(&mut self, received: &[InFlightMessage]) {
        self.held.retain(|message| received.iter().all(|it| it.event.id != message.event.id));
    }

    /// Keeps a batch that was refused: holds it, or sets it aside if another is held. In a FIFO queue that keeps the order,
    /// because a message that is invisible holds its group up.
    pub fn add(&mut self, batch: Vec<InFlightMessage>, changes: &mut Changes, attempts: &Attempts) {
        if self.held.is_empty() {
            self.held = batch;
            return;
        }
        let now = Instant::now();
        self.aside.retain(|(_, until)| *until > now);
        for message in batch {
            let hidden = message.at_most(ASIDE);
            changes.hide(message.receipt.clone(), hidden);
            self.aside.push((message.receipt, now + hidden));
            attempts.keep(message.event.id, message.attempts_ms);
        }
    }

    /// The receipts of what was set aside and is still invisible.
    pub fn take_aside(&mut self) -> Vec<String> {
        let now = Instant::now();
        self.aside.drain(..).filter(|(_, until)| *until > now).map(|(receipt, _)| receipt).collect()
    }
}
