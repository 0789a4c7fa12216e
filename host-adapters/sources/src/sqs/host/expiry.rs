//! When a queue drops a message (docs/delivery.md, 3.18).

use super::heartbeat::InFlightMessage;
use host_adapters_platform::clock::Clock;
use std::time::Duration;

/// How long before the end of its retention a message no longer waits. This is longer than the longest time between two
/// receives of a waiting message.
const MARGIN: Duration = Duration::from_secs(2 * 60 * 60);

/// How long a queue keeps a message.
#[derive(Clone)]
pub struct Expiry {
    /// From when it was sent.
    pub retention: Duration,
    /// The clock for its age.
    pub clock: Clock,
}

impl Expiry {
    /// How long the message may still wait.
    pub fn may_wait(&self, message: &InFlightMessage) -> Duration {
        self.left(message).saturating_sub(MARGIN.min(self.retention / 4))
    }

    /// How long the queue still keeps it.
    pub fn left(&self, message: &InFlightMessage) -> Duration {
        let now_ms = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        self.retention.saturating_sub(Duration::from_millis(now_ms.saturating_sub(message.event.time_ms)))
    }
}
