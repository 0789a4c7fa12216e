//! Shard iterators. Each is valid for one read and for 15 minutes. A position is a sequence number; the iterator of the
//! next position is kept, so that a read costs one call.

use backend_aws::ShardIterators;
use host_adapters_platform::{Position, Shard};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long an iterator is used: less than the 15 minutes for which DynamoDB keeps it.
const FRESH: Duration = Duration::from_secs(14 * 60);

/// Streams by table, and iterators by shard and position.
#[derive(Default)]
pub(super) struct Iterators(Mutex<HashMap<String, Stream>>);

struct Stream {
    arn: String,
    shards: HashMap<String, ShardIterators>,
}

impl Iterators {
    /// Updates the shards of a stream; iterators of shards that are no longer listed are dropped.
    pub(super) fn learn(&self, table: &str, arn: String, listed: &[Shard]) {
        let mut streams = self.streams();
        let mut before = streams.remove(table).filter(|stream| stream.arn == arn);
        let kept = |shard: &Shard| {
            let iterators = before.as_mut().and_then(|stream| stream.shards.remove(&shard.id)).unwrap_or_default();
            (shard.id.clone(), iterators)
        };
        let shards = listed.iter().map(kept).collect();
        streams.insert(table.to_owned(), Stream { arn, shards });
    }

    /// The ARN of the stream with a shard, if it has been listed.
    pub(super) fn stream(&self, table: &str, shard: &str) -> Option<String> {
        let streams = self.streams();
        let stream = streams.get(table)?;
        stream.shards.contains_key(shard).then(|| stream.arn.clone())
    }

    /// Takes the iterator of a position: it can be used once.
    pub(super) fn take(&self, table: &str, shard: &str, position: &Position) -> Option<String> {
        let mut streams = self.streams();
        streams.get_mut(table)?.shards.get_mut(shard)?.take(position, FRESH)
    }

    /// Keeps the iterator of a position.
    pub(super) fn put(&self, table: &str, shard: &str, position: Position, iterator: String) {
        let mut streams = self.streams();
        let stream = streams.get_mut(table);
        if let Some(iterators) = stream.and_then(|stream| stream.shards.get_mut(shard)) {
            iterators.put(position, iterator, FRESH);
        }
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<String, Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
