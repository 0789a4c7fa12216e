//! A record of a stream that is refused alone (docs/delivery.md, 7.8). Whether a service that refuses it is down or
//! refuses this record cannot be known while nothing else calls the service, and meanwhile the record holds up others.

use super::{CallOutcome, Chunk, Record, Rules};
use crate::event::Disposition;
use host_adapters_platform::retry::LONGEST;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The calls in which the first record of a chunk was refused, as every request seemed to be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Refused {
    /// How many, one after the other.
    pub calls: u32,
    since: Option<Instant>,
}

impl Refused {
    /// One call more. `again`: it refused the same record as before.
    fn more(self, again: bool) -> Self {
        let Self { calls, since } = if again { self } else { Self::default() };
        Self { calls: calls.saturating_add(1), since: since.or_else(|| Some(Instant::now())) }
    }

    fn lasted(&self, time: Duration) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= time)
    }
}

/// 64 minutes.
const MAX_DOUBLINGS: u32 = 6;

/// How long a record may be refused alone, for all key slices of a source.
#[derive(Debug, Default)]
pub struct Patience {
    /// The records that were given up since a refused one got another answer.
    given_up: AtomicU32,
}

impl Patience {
    /// The longest pause, doubled after each record that was given up: an outage, in which each record is refused alone
    /// because few come, costs few of them. It ends at an hour or so: a stream keeps for 24 h what waits behind.
    fn length(&self) -> Duration {
        LONGEST * 2_u32.pow(self.given_up.load(Ordering::Relaxed).min(MAX_DOUBLINGS))
    }
}

impl Rules {
    /// Notes what a call says of a chunk that may be refused alone. If the chunk has been so for long enough, its first
    /// record has used up its retries: what seemed to be an outage counts as the record's own fault.
    pub(super) fn judge(&self, chunk: &mut Chunk<Record>, outcome: &mut CallOutcome) {
        let head = &mut chunk.head;
        let was_refused = head.refused.calls > 0;
        if !outcome.is_suspected {
            if was_refused && outcome.outage.is_none() {
                self.patience.given_up.store(0, Ordering::Relaxed);
            }
            return;
        }
        let again = outcome.first_retry() == Some(0);
        head.refused = head.refused.more(again);
        let Some(max_retries) = self.policy.max_retries else { return };
        let is_over = head.refused.calls > max_retries && head.refused.lasted(self.patience.length());
        if again && is_over && is_alone(outcome) {
            self.patience.given_up.fetch_add(1, Ordering::Relaxed);
            (outcome.outage, outcome.is_suspected, head.failures) = (None, false, max_retries);
        }
    }
}

/// Whether one record was refused, or others wait with the refused ones that were not. Where all of several records are
/// refused, it is an outage.
fn is_alone(outcome: &CallOutcome) -> bool {
    let is_refused = |disposition: &&Disposition| matches!(disposition, Disposition::Retry(_));
    let refused = outcome.dispositions.iter().filter(is_refused).count();
    refused == 1 || refused < outcome.dispositions.len()
}
