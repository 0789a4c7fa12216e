//! When each message was handed over, for its dead letter. A host knows the attempts that it made itself, since its start.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most messages that are remembered; the times of others begin with their next receive.
const MAX_MESSAGES: usize = 10_000;

/// The attempts of messages that failed and are on their queue, by id, milliseconds since 1970 (UTC).
#[derive(Clone, Default)]
pub struct Attempts(Arc<Mutex<HashMap<String, Vec<u64>>>>);

impl Attempts {
    /// Remembers the attempts of a message that will come again.
    pub fn keep(&self, id: String, times_ms: Vec<u64>) {
        let mut kept = self.lock();
        if kept.len() < MAX_MESSAGES {
            kept.insert(id, times_ms);
        }
    }

    /// The attempts of a message that has come again; they are forgotten.
    pub fn take(&self, id: &str) -> Vec<u64> {
        self.lock().remove(id).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
