//! When the next row of a kind can be taken, so that those who wait for one do not look before.

use host_adapters_platform::clock::Clock;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

/// No row can be taken before this time. Only the writer changes it.
#[derive(Default)]
pub(super) struct Due {
    at_ms: AtomicI64,
    /// Notified when the time becomes earlier.
    nearer: Notify,
}

impl Due {
    /// There is a row that can be taken from `at_ms` on.
    pub(super) fn expect_at(&self, at_ms: i64) {
        if self.at_ms.fetch_min(at_ms, Ordering::SeqCst) > at_ms {
            self.nearer.notify_waiters();
        }
    }

    /// After a look: the next row can be taken at `at_ms`.
    pub(super) fn set(&self, at_ms: i64) {
        self.at_ms.store(at_ms, Ordering::SeqCst);
    }

    pub(super) fn is_over(&self, now_ms: i64) -> bool {
        self.at_ms.load(Ordering::SeqCst) <= now_ms
    }

    /// Call it before reading the rows, so that a row that is added after that ends [`Due::wait`].
    pub(super) fn nearer(&self) -> Notified<'_> {
        self.nearer.notified()
    }

    /// Waits until a row can be taken, one may have been added since `nearer` was made, or the deadline has passed.
    pub(super) async fn wait(&self, nearer: Notified<'_>, clock: &Clock, deadline: Instant) {
        let due = clock.sleep_until(self.at_ms.load(Ordering::SeqCst));
        tokio::select! { () = nearer => {}, () = due => {}, () = tokio::time::sleep_until(deadline) => {} }
    }
}
