//! Shard iterators. Each is valid for five minutes. A position is a sequence number or a time; the iterator of the next
//! position is kept, so that a read costs one call.

use backend_aws::ShardIterators;
use host_adapters_platform::{Position, Shard};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long an iterator is used: less than the five minutes for which Kinesis keeps it.
const FRESH: Duration = Duration::from_secs(4 * 60);

/// The iterators of each stream and shard.
#[derive(Default)]
pub(super) struct Iterators(Mutex<HashMap<(String, String), ShardIterators>>);

impl Iterators {
    /// Drops the iterators of shards that are no longer listed.
    pub(super) fn keep(&self, stream: &str, listed: &[Shard]) {
        let is_listed = |shard: &str| listed.iter().any(|listed| listed.id == shard);
        self.all().retain(|(of, shard), _| of != stream || is_listed(shard));
    }

    /// Takes the iterator of a position, which is used once.
    pub(super) fn take(&self, stream: &str, shard: &str, position: &Position) -> Option<String> {
        self.all().get_mut(&(stream.to_owned(), shard.to_owned()))?.take(position, FRESH)
    }

    /// Keeps the iterator of a position.
    pub(super) fn put(&self, stream: &str, shard: &str, position: Position, iterator: String) {
        self.all().entry((stream.to_owned(), shard.to_owned())).or_default().put(position, iterator, FRESH);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(String, String), ShardIterators>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
