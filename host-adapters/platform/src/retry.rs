//! How long to wait before the next attempt: 1 s to 60 s, exponential, full jitter.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The shortest wait. The retry of an ordered record waits as long, even if the worker asks for less.
pub const SHORTEST: Duration = Duration::from_secs(1);
/// The longest wait.
pub const LONGEST: Duration = Duration::from_secs(60);

/// Draws the waits of one source. Clones share their randomness, so that a seed decides all of them.
#[derive(Clone)]
pub struct Backoff {
    random: Arc<Mutex<StdRng>>,
    shortest: Duration,
}

impl Backoff {
    /// Waits drawn from the system's randomness.
    pub fn new() -> Self {
        Self::seeded(rand::random())
    }

    /// The same waits for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self { random: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))), shortest: SHORTEST }
    }

    /// The same with another shortest wait, from which the others grow: tests of a whole host do not wait for seconds.
    #[must_use]
    pub fn with_shortest(self, shortest: Duration) -> Self {
        Self { shortest: shortest.min(LONGEST), ..self }
    }

    /// The shortest wait: [`SHORTEST`] unless another was set.
    pub fn shortest(&self) -> Duration {
        self.shortest
    }

    /// The wait after `failures` failures in a row (at least 1): between 1 s and `2^failures` s, never above 60 s. It
    /// is drawn from the whole range, so that many waiters spread out instead of coming back together.
    pub fn after(&self, failures: u32) -> Duration {
        let ceiling = self.shortest.saturating_mul(2u32.saturating_pow(failures.max(1))).min(LONGEST);
        self.random.lock().unwrap_or_else(PoisonError::into_inner).random_range(self.shortest..=ceiling)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stays_between_one_second_and_its_ceiling(seed: u64, failures: u32) {
            let wait = Backoff::seeded(seed).after(failures);
            prop_assert!(wait >= SHORTEST && wait <= LONGEST);
            if failures <= 1 {
                prop_assert!(wait <= Duration::from_secs(2));
            }
        }

        #[test]
        fn a_seed_decides_every_wait(seed: u64) {
            let (one, other) = (Backoff::seeded(seed), Backoff::seeded(seed));
            for failures in 1..8 {
                prop_assert_eq!(one.after(failures), other.after(failures));
            }
        }
    }

    #[test]
    fn all_waits_grow_from_the_shortest() {
        let shortest = Duration::from_millis(100);
        let backoff = Backoff::seeded(1).with_shortest(shortest);
        for failures in 1..6 {
            let wait = backoff.after(failures);
            assert!(wait >= shortest && wait <= shortest * 2u32.pow(failures), "{failures}: {wait:?}");
        }
        let longest = Backoff::seeded(1).with_shortest(LONGEST * 2);
        assert_eq!((longest.shortest(), longest.after(1)), (LONGEST, LONGEST));
    }

    #[test]
    fn draws_from_the_whole_range() {
        let backoff = Backoff::seeded(1);
        let waits: Vec<_> = (0..200).map(|_| backoff.after(9)).collect();
        assert!(waits.iter().any(|wait| *wait < Duration::from_secs(10)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_secs(50)));
    }
}
