//! The calls in flight of one instance. Their replies are kept outside the store, so that each call is answered even if
//! the instance has ended.

use crate::call::{CallError, Called};
use crate::component::Version;
use crate::outages::Outages;
use crate::pool::Reply;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long the call of an event continues, at most, after its caller has stopped waiting: a task that was stopped, a
/// shard whose lease was lost.
const LOOK: Duration = Duration::from_secs(1);

/// The calls in flight of one instance, with their deadlines and replies.
pub(crate) struct Calls {
    in_flight: Mutex<HashMap<u64, (Instant, Reply)>>,
    next: AtomicU64,
    timeout: Duration,
    /// Whether there is one call at a time: an instance that serves several does not end for one that nobody waits for.
    is_alone: bool,
    outages: Outages,
}

impl Calls {
    pub(crate) fn new(version: &Version, outages: Outages) -> Self {
        let limits = &version.limits;
        let (timeout, is_alone) = (limits.request_timeout(), limits.concurrency() == 1);
        Self { in_flight: Mutex::default(), next: AtomicU64::new(0), timeout, is_alone, outages }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Instant, Reply)>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, reply: Reply) -> u64 {
        let call = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(call, (Instant::now() + self.timeout, reply));
        call
    }

    pub(crate) fn end(&self, call: u64) -> Option<Reply> {
        self.lock().remove(&call).map(|(_, reply)| reply)
    }

    /// Waits until a call has exceeded its time limit, or nobody waits for it.
    pub(crate) async fn expired(&self) {
        loop {
            tokio::time::sleep_until(self.next_look()).await;
            let now = Instant::now();
            let is_over =
                |(deadline, reply): &(Instant, Reply)| *deadline <= now || self.is_alone && reply.is_abandoned();
            if self.lock().values().any(is_over) {
                return;
            }
        }
    }

    /// No call expires before this time, not even one that begins later.
    fn next_look(&self) -> Instant {
        let earliest = self.lock().values().map(|(deadline, _)| *deadline).min();
        let deadline = earliest.unwrap_or_else(|| Instant::now() + self.timeout);
        if self.is_alone { deadline.min(Instant::now() + LOOK) } else { deadline }
    }

    pub(crate) fn called<T>(&self, result: Result<T, CallError>, version: &Version) -> Called<T> {
        let (outages, refusing) = (self.outages.list(), self.outages.refusing());
        Called { result, digest: version.digest.clone(), outages, refusing }
    }

    /// Answers every call that has no response yet, because the instance has ended.
    pub(crate) fn abandon(&self, reason: &str, version: &Version) {
        let now = Instant::now();
        for (_, (deadline, reply)) in self.lock().drain() {
            let error = match deadline <= now {
                true => CallError::TimedOut(self.timeout),
                false => CallError::Trapped(reason.to_owned()),
            };
            reply.fail(error, version, &self.outages);
        }
    }
}
