//! A record of a stream that is refused while it is alone (docs/delivery.md, 7.8). While no other record calls the
//! service, it is unknown whether the service is down or refuses only this record, and meanwhile the record blocks
//! others.

use super::{CallOutcome, Chunk, Record, Rules};
use crate::event::Disposition;
use host_adapters_platform::retry::LONGEST;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The calls in which the first record of a chunk was refused while the service refused all requests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Refused {
    /// The number of consecutive calls.
    pub calls: u32,
    since: Option<Instant>,
}

impl Refused {
    /// Counts one more call. `again`: it refused the same record as before.
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
    /// The number of records that were given up since a refused one got another response.
    given_up: AtomicU32,
}

impl Patience {
    /// The longest pause, doubled after each record that was given up, so that a long outage with few records, each
    /// refused while alone, gives up only a few of them. The limit is about an hour, because a stream keeps the records
    /// behind for 24 h.
    fn length(&self) -> Duration {
        LONGEST * 2_u32.pow(self.given_up.load(Ordering::Relaxed).min(MAX_DOUBLINGS))
    }
}

impl Rules {
    /// Records the result of a call with a chunk that may be refused alone. If it has been refused for long enough, its
    /// first record has used up its retries: the refusals count as the record's own failures and no longer as an
    /// outage.
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

/// Whether one record was refused, or others that were not refused wait with the refused ones. If several records are
/// all refused, it is an outage.
fn is_alone(outcome: &CallOutcome) -> bool {
    let is_refused = |disposition: &&Disposition| matches!(disposition, Disposition::Retry(_));
    let refused = outcome.dispositions.iter().filter(is_refused).count();
    refused == 1 || refused < outcome.dispositions.len()
}
