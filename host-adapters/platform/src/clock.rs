//! The wall clock, or one that a test sets. Timers use tokio's clock; this one gives the time of day.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// Tells the time for visibility, delays, retention, cache lifetimes, the expiry of tokens and the age of records.
#[derive(Clone, Default)]
pub struct Clock(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Wall,
    Manual(Arc<Manual>),
    Following(Arc<dyn Fn() -> i64 + Send + Sync>),
}

#[derive(Debug)]
struct Manual {
    now_ms: AtomicI64,
    moved: Notify,
}

impl Clock {
    /// The machine's clock.
    pub fn wall() -> Self {
        Self(Kind::Wall)
    }

    /// A clock that shows `now_ms` (milliseconds since 1970) until [`Clock::advance`] moves it.
    pub fn manual(now_ms: i64) -> Self {
        Self(Kind::Manual(Arc::new(Manual { now_ms: AtomicI64::new(now_ms), moved: Notify::new() })))
    }

    /// A clock that returns the result of `now_ms`, for a test with its own time.
    pub fn following(now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Kind::Following(Arc::new(now_ms)))
    }

    /// Milliseconds since 1970 (UTC).
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            // A machine whose clock is before 1970 reads as 1970.
            Kind::Wall => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
            Kind::Manual(manual) => manual.now_ms.load(Ordering::SeqCst),
            Kind::Following(now_ms) => now_ms(),
        }
    }

    /// Moves a manual clock forward and wakes those who wait for it. Has no effect on the wall clock.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual(manual) = &self.0 {
            manual.now_ms.fetch_add(millis(by), Ordering::SeqCst);
            manual.moved.notify_waiters();
        }
    }

    /// Waits until the clock shows at least `at_ms`.
    pub async fn sleep_until(&self, at_ms: i64) {
        match &self.0 {
            Kind::Wall | Kind::Following(_) => {
                let left = at_ms.saturating_sub(self.now_ms());
                tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
            }
            Kind::Manual(manual) => loop {
                // Registered before the clock is read, so that no move in between is missed.
                let mut moved = std::pin::pin!(manual.moved.notified());
                moved.as_mut().enable();
                if self.now_ms() >= at_ms {
                    return;
                }
                moved.await;
            },
        }
    }
}

/// Whole milliseconds; a duration that does not fit becomes the largest value.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}
