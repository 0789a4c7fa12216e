//! The times at which each message was handed over, for its dead letter. A host knows only its own attempts since its
//! start.

use hashlink::LruCache;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most messages that are remembered; the oldest is forgotten for a new one.
const MAX_MESSAGES: usize = 10_000;

/// The attempts of messages that failed and are on their queue, by id, milliseconds since 1970 (UTC).
#[derive(Clone)]
pub struct Attempts(Arc<Mutex<LruCache<String, Vec<u64>>>>);

impl Default for Attempts {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(MAX_MESSAGES))))
    }
}

impl Attempts {
    /// Remembers the attempts of a message that will be delivered again.
    pub fn keep(&self, id: String, times_ms: Vec<u64>) {
        self.lock().insert(id, times_ms);
    }

    /// Takes the attempts of a message that was delivered again, or will not be.
    pub fn take(&self, id: &str) -> Vec<u64> {
        self.lock().remove(id).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<String, Vec<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_for_a_new_one() {
        let attempts = Attempts::default();
        for n in 0..=MAX_MESSAGES {
            attempts.keep(n.to_string(), vec![1, 2]);
        }
        assert_eq!(attempts.take("0"), [0; 0]);
        assert_eq!(attempts.take("1"), [1, 2]);
        assert_eq!(attempts.take(&MAX_MESSAGES.to_string()), [1, 2], "the newest");
        assert_eq!(attempts.take("1"), [0; 0], "it has come again");
    }
}
