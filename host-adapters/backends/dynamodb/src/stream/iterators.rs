//! Where reading goes on. A shard is read by iterators, each good for one read and 15 minutes; we know positions by
//! sequence number and keep the iterator that goes with each, so that a read costs one call.

use super::pages::Pages;
use host_adapters_platform::{Position, Shard};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Less than the 15 minutes for which DynamoDB keeps an iterator.
const FRESH: Duration = Duration::from_secs(14 * 60);

/// Streams by table, and iterators by shard and position.
#[derive(Default)]
pub(super) struct Iterators(Mutex<Known>);

#[derive(Default)]
struct Known {
    streams: HashMap<String, Stream>,
}

struct Stream {
    arn: String,
    shards: HashMap<String, Reading>,
}

#[derive(Default)]
struct Reading {
    iterators: Vec<Iterator>,
    /// When its next records are worth a read.
    rests_until: Option<Instant>,
}

struct Iterator {
    position: Position,
    next: Next,
    since: Instant,
}

/// How reading goes on from a position.
pub(super) enum Next {
    /// By this iterator.
    Iterator(String),
    /// It does already.
    Ahead(Pages),
}

impl Iterators {
    /// The stream's shards were listed: what is not among them is forgotten.
    pub(super) fn learn(&self, table: &str, arn: String, listed: &[Shard]) {
        let mut known = self.known();
        let mut before = known.streams.remove(table).filter(|stream| stream.arn == arn);
        let kept = |shard: &Shard| {
            let reading = before.as_mut().and_then(|stream| stream.shards.remove(&shard.id)).unwrap_or_default();
            (shard.id.clone(), reading)
        };
        let shards = listed.iter().map(kept).collect();
        known.streams.insert(table.to_owned(), Stream { arn, shards });
    }

    /// The stream that holds a shard, if it has been listed.
    pub(super) fn stream(&self, table: &str, shard: &str) -> Option<String> {
        let known = self.known();
        let stream = known.streams.get(table)?;
        stream.shards.contains_key(shard).then(|| stream.arn.clone())
    }

    /// Takes what stands at a position: it can be used once.
    pub(super) fn take(&self, table: &str, shard: &str, position: &Position) -> Option<Next> {
        let mut known = self.known();
        let Reading { iterators, .. } = known.streams.get_mut(table)?.shards.get_mut(shard)?;
        iterators.retain(|known| known.since.elapsed() < FRESH);
        let at = iterators.iter().position(|known| known.position == *position)?;
        Some(iterators.swap_remove(at).next)
    }

    /// Keeps what stands at a position.
    pub(super) fn put(&self, table: &str, shard: &str, position: Position, next: Next) {
        let mut known = self.known();
        let stream = known.streams.get_mut(table);
        if let Some(Reading { iterators, .. }) = stream.and_then(|stream| stream.shards.get_mut(shard)) {
            iterators.retain(|known| known.position != position && known.since.elapsed() < FRESH);
            iterators.push(Iterator { position, next, since: Instant::now() });
        }
    }

    /// Until when a shard is not to be read.
    pub(super) fn rests_until(&self, table: &str, shard: &str) -> Option<Instant> {
        self.known().streams.get(table)?.shards.get(shard)?.rests_until
    }

    /// A shard is not to be read before then.
    pub(super) fn rest(&self, table: &str, shard: &str, until: Instant) {
        let mut known = self.known();
        let stream = known.streams.get_mut(table);
        if let Some(reading) = stream.and_then(|stream| stream.shards.get_mut(shard)) {
            reading.rests_until = Some(until);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
