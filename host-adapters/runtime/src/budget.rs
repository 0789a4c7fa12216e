//! Limits the host's memory for one instance. Linear memory is limited elsewhere; this limits what grows outside of it:
//! arguments of calls in progress, bodies of requests, responses that are not read yet.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most that one call of the host may carry, bytes: the largest write that a table takes.
pub(crate) const MAX_CALL_BYTES: usize = 16 << 20;
/// Handles (calls in progress, streams, resources) that are alive at once; one more is a trap.
pub(crate) const MAX_HANDLES: usize = 10_000;
/// Arguments and request bodies in progress, bytes; more is refused.
const MAX_HELD_BYTES: usize = 32 << 20;
/// The weight of a call in progress in addition to its arguments, bytes.
const CALL_BYTES: usize = 1 << 10;
/// Calls of services and requests to the open web in progress, those with answers not read yet included; further ones
/// wait.
pub(crate) const MAX_REQUESTS: usize = 64;

/// A share of the budget. It lives as long as the memory that it was acquired for.
pub(crate) type Permit = OwnedSemaphorePermit;

/// The budget of one instance.
#[derive(Clone)]
pub(crate) struct Budget {
    bytes: Arc<Semaphore>,
    requests: Arc<Semaphore>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { bytes: Arc::new(Semaphore::new(MAX_HELD_BYTES)), requests: Arc::new(Semaphore::new(MAX_REQUESTS)) }
    }

    /// Room for a call with this many bytes of arguments; `None` while there is none. It does not wait, because the
    /// arguments are in the host's memory already.
    pub(crate) fn call(&self, bytes: usize) -> Option<Permit> {
        self.bytes(bytes.saturating_add(CALL_BYTES))
    }

    /// Room for this many bytes; `None` while there is none.
    pub(crate) fn bytes(&self, bytes: usize) -> Option<Permit> {
        self.bytes.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }

    /// Waits for room for one more request. Its body is still in the guest's own memory, or has its room already.
    pub(crate) async fn request(&self) -> Option<Permit> {
        self.requests.clone().acquire_owned().await.ok()
    }
}

/// Says what a guest may do about a call that was refused.
pub(crate) fn refusal() -> String {
    format!(
        "calls with {} MiB of arguments are under way in this instance, the most there may be: wait for some of them",
        MAX_HELD_BYTES >> 20
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_bounds_what_may_be_added() {
        let budget = Budget::new();
        let first = budget.call(MAX_CALL_BYTES).unwrap();
        assert!(budget.call(MAX_CALL_BYTES).is_none());
        drop(first);
        assert!(budget.call(MAX_CALL_BYTES).is_some());
        assert!(budget.call(usize::MAX).is_none());
    }

    #[test]
    fn calls_without_arguments_weigh_too() {
        let budget = Budget::new();
        let calls: Vec<_> = std::iter::from_fn(|| budget.call(0)).collect();
        assert_eq!(calls.len(), MAX_HELD_BYTES / CALL_BYTES);
    }
}
