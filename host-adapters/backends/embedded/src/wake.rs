//! Wakes those who wait for something to be written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A write younger than this wakes a new waiter at once: it may have come between the waiter's read and its wait.
const JUST_WRITTEN: Duration = Duration::from_millis(10);

/// Notifies the readers of one stream.
pub(super) struct Wake {
    written: Notify,
    opened: Instant,
    /// When something was last written, milliseconds after `opened`.
    written_ms: AtomicU64,
}

impl Wake {
    pub(super) fn new() -> Self {
        Self { written: Notify::new(), opened: Instant::now(), written_ms: AtomicU64::new(0) }
    }

    /// Something was written.
    pub(super) fn now(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.written_ms.store(now, Ordering::SeqCst);
        self.written.notify_waiters();
    }

    /// Waits until something is written, at most `wait`.
    pub(super) async fn wait(&self, wait: Duration) {
        let written = self.written.notified();
        let last = Duration::from_millis(self.written_ms.load(Ordering::SeqCst));
        if self.opened.elapsed().saturating_sub(last) < JUST_WRITTEN {
            // Under load something always has just been written: this bounds how often the readers look.
            tokio::time::sleep(wait.min(JUST_WRITTEN / 2)).await;
            return;
        }
        let _ = tokio::time::timeout(wait, written).await;
    }
}
