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

/// The calls in flight of one instance, with their deadlines and replies.
pub(crate) struct Calls {
    in_flight: Mutex<HashMap<u64, (Instant, Reply)>>,
    next: AtomicU64,
    timeout: Duration,
    outages: Outages,
}

impl Calls {
    pub(crate) fn new(version: &Version, outages: Outages) -> Self {
        Self { in_flight: Mutex::default(), next: AtomicU64::new(0), timeout: version.limits.request_timeout, outages }
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

    /// Waits until a call has exceeded its time limit.
    pub(crate) async fn expired(&self) {
        loop {
            tokio::time::sleep_until(self.next_deadline()).await;
            let now = Instant::now();
            if self.lock().values().any(|(deadline, _)| *deadline <= now) {
                return;
            }
        }
    }

    /// No call expires before this time, not even one that begins later.
    fn next_deadline(&self) -> Instant {
        let earliest = self.lock().values().map(|(deadline, _)| *deadline).min();
        earliest.unwrap_or_else(|| Instant::now() + self.timeout)
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
