//! Rate limits, shared by all instances of all components of this host. Calls above the limit wait; within a key they
//! are served in order of arrival.

use super::config::{LimitBy, RateLimit};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// More keys than this, and those unused for a second, whose allowance is whole again, are dropped.
const KEYS: usize = 1_000;

/// The limit of one service.
pub(super) struct Limiter {
    by: LimitBy,
    quota: Quota,
    buckets: Mutex<HashMap<String, Slot>>,
}

struct Slot {
    bucket: Arc<Bucket>,
    used: Instant,
}

/// The campaign that a path names: its first segment. Servers read `%63` as `c`, so both name one.
pub(super) fn campaign(path: &str) -> Cow<'_, str> {
    let segment = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
    percent_decode_str(segment).decode_utf8_lossy()
}

/// The queue for one key.
struct Bucket {
    /// Tokio's mutex is fair, so it is the queue. Only the first in it looks at the clock.
    turn: tokio::sync::Mutex<()>,
    limiter: DefaultDirectRateLimiter,
}

impl Limiter {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { by: limit.by, quota: quota(limit.per_sec), buckets: Mutex::default() }
    }

    /// Waits until a request to `path` may go out. A call that is dropped while it waits uses nothing of the limit.
    pub(super) async fn wait(&self, path: &str) {
        let key = match self.by {
            LimitBy::Campaign => campaign(path),
            LimitBy::Service => Cow::Borrowed(""),
        };
        let bucket = self.bucket(&key);
        bucket.wait().await;
    }

    fn bucket(&self, key: &str) -> Arc<Bucket> {
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEYS {
            let second = Duration::from_secs(1);
            buckets.retain(|_, slot| Arc::strong_count(&slot.bucket) > 1 || now.duration_since(slot.used) < second);
        }
        let slot = buckets
            .entry(key.to_owned())
            .or_insert_with(|| Slot { bucket: Arc::new(Bucket::new(self.quota)), used: now });
        slot.used = now;
        Arc::clone(&slot.bucket)
    }
}

impl Bucket {
    fn new(quota: Quota) -> Self {
        Self { turn: tokio::sync::Mutex::default(), limiter: RateLimiter::direct(quota) }
    }

    async fn wait(&self) {
        let _turn = self.turn.lock().await;
        while let Err(early) = self.limiter.check() {
            tokio::time::sleep(early.wait_time_from(DefaultClock::default().now())).await;
        }
    }
}

/// A tenth may come at once and the rest spread over the second, so that no second ever sees more than `per_sec`.
fn quota(per_sec: NonZeroU32) -> Quota {
    let burst = NonZeroU32::new(per_sec.get() / 10).unwrap_or(NonZeroU32::MIN);
    let steady = NonZeroU32::new(per_sec.get() - burst.get()).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(steady).allow_burst(burst)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn limiter(per_sec: u32, by: LimitBy) -> Arc<Limiter> {
        Arc::new(Limiter::new(RateLimit { per_sec: NonZeroU32::new(per_sec).unwrap(), by }))
    }

    /// Whether a request to `path` may be sent before this many milliseconds have passed.
    async fn within(limiter: &Limiter, path: &str, millis: u64) -> bool {
        tokio::time::timeout(Duration::from_millis(millis), limiter.wait(path)).await.is_ok()
    }

    #[tokio::test]
    async fn no_more_than_the_limit_in_a_second() {
        let limiter = limiter(100, LimitBy::Campaign);
        let started = Instant::now();
        let callers = (0..150).map(|_| {
            let limiter = Arc::clone(&limiter);
            let end = started + Duration::from_secs(1);
            tokio::spawn(async move { tokio::time::timeout_at(end, limiter.wait("/c1/entries")).await.is_ok() })
        });
        let answers = futures::future::join_all(callers).await;
        let passed = answers.into_iter().filter(|answer| *answer.as_ref().unwrap()).count();
        // Ten at once and 90 a second, however late this machine ends the second. How near it comes to that is the
        // machine's business too.
        let most = 10.0 + 90.0 * started.elapsed().as_secs_f64();
        assert!((11.0..=most).contains(&(passed as f64)), "{passed} passed");
    }

    #[tokio::test]
    async fn campaigns_do_not_wait_for_one_another() {
        let limiter = limiter(1, LimitBy::Campaign);
        assert!(within(&limiter, "/c1/entries", 0).await);
        assert!(!within(&limiter, "/c1/scores/refresh", 20).await);
        assert!(within(&limiter, "/c2/entries", 0).await);
        assert!(!within(&limiter, "/%632/entries", 20).await, "the same campaign in other letters");
    }

    #[tokio::test]
    async fn a_service_has_one_limit_for_all_paths() {
        let limiter = limiter(1, LimitBy::Service);
        assert!(within(&limiter, "/a", 0).await);
        assert!(!within(&limiter, "/b", 20).await);
    }

    #[tokio::test]
    async fn who_gives_up_takes_no_place() {
        let limiter = limiter(10, LimitBy::Service);
        assert!(within(&limiter, "/", 0).await);
        for _ in 0..20 {
            assert!(!within(&limiter, "/", 0).await);
        }
        assert!(within(&limiter, "/", 1_000).await);
    }

    #[tokio::test]
    async fn keys_of_the_past_are_dropped() {
        let limiter = limiter(100, LimitBy::Campaign);
        let past = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        for key in 0..KEYS {
            limiter.bucket(&format!("{key}"));
        }
        limiter.buckets.lock().unwrap().values_mut().for_each(|slot| slot.used = past);
        limiter.bucket("new");
        assert_eq!(limiter.buckets.lock().unwrap().len(), 1);
    }
}
