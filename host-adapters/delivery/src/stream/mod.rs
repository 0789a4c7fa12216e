//! Ordered streams in shards, independent of their store: DynamoDB Streams, Kinesis, Kafka, the embedded store.
//!
//! - [`OrderedStreams`]: the streams of one store; all workers of a host that read it share them.
//! - `shared_reader`: one reader per shard, for all its workers. `window`: pages that it has read and that some worker
//!   has not taken yet.
//! - [`StreamConsumer`]: one worker's progress through a stream. Each worker has its own leases, checkpoints, retries
//!   and pauses, so one that lags or stops does not block the others.
//! - `leases`: which shards this host may read for a worker; `plan`: parents before children; `shard`: from the pages
//!   of a shard to its key slices, and the checkpoint after them.
//!
//! A lease belongs to one worker and one shard, not to the host. Lease and checkpoint are one row, and the row is
//! written under a condition that prevents a host without the lease from moving the checkpoint. Rows of running
//! deployments stay valid. A consequence is that two hosts may read one shard for two workers, which the stores allow.
//! In topics a group has the worker's place.

mod consumer;
mod leases;
mod plan;
mod shard;
mod shared_reader;
mod window;

pub use super::key_slice::{Patience, Rules};
pub use consumer::{Start, StreamConsumer, Wanted};

use crate::event::{Attribute, Event};
use host_adapters_platform::{LeaseTable, Position, Result, Shard, ShardPage, ShardReader};
use shared_reader::{SharedShardReader, Subscription};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Converts the records that were read from a shard of a stream to events, in order. An event's id is the sequence
/// number of its record, `<sequence>#<sub>` if several are packed into one ([`Event::sequence`]); its ordering key
/// decides its key group. Its attributes are those of the shard ([`shard_attributes`]) and the record's own.
pub type Decode<R> = fn(stream: &str, shard: &Shard, records: Vec<R>) -> Vec<Event>;

/// The attribute that names an event's shard.
pub const SHARD_ID: &str = "shardId";
/// The attribute that names the shard that was split into an event's shard, or the two that were merged, with a comma
/// between. All their records are settled when an event with this attribute is handed over (docs/delivery.md, 4.8).
pub const PARENT_SHARD_ID: &str = "parentShardId";

/// The attributes of events that describe their shard.
pub fn shard_attributes(shard: &Shard) -> Vec<Attribute> {
    let parents = (!shard.parents.is_empty()).then(|| Attribute::text(PARENT_SHARD_ID, shard.parents.join(",")));
    [Attribute::text(SHARD_ID, &shard.id)].into_iter().chain(parents).collect()
}

/// The streams of one store, as all workers of this host read them.
pub struct OrderedStreams {
    reader: Arc<dyn ShardReader<Event>>,
    leases: Arc<dyn LeaseTable>,
    /// By stream and shard.
    shared_readers: Mutex<HashMap<(String, String), Weak<SharedShardReader>>>,
}

impl OrderedStreams {
    /// The streams that `reader` reads. `decode` converts their records to events; `leases` stores leases and
    /// checkpoints.
    pub fn new<R: 'static>(
        reader: Arc<dyn ShardReader<R>>,
        leases: Arc<dyn LeaseTable>,
        decode: Decode<R>,
    ) -> Arc<Self> {
        let reader = Arc::new(Decoded { reader, decode, listed: Mutex::default() });
        Arc::new(Self { reader, leases, shared_readers: Mutex::default() })
    }

    /// A subscription to the shared reader of a shard.
    fn subscribe(&self, stream: &str, shard: &str) -> Subscription {
        let mut readers = self.shared_readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|_, reader| reader.strong_count() > 0);
        let place = readers.entry((stream.to_owned(), shard.to_owned())).or_default();
        let reader = place.upgrade().unwrap_or_else(|| {
            let reader = Arc::new(SharedShardReader::new(self.reader.clone(), stream, shard));
            *place = Arc::downgrade(&reader);
            reader
        });
        reader.subscribe()
    }
}

/// Reads shards and decodes their records into events.
struct Decoded<R> {
    reader: Arc<dyn ShardReader<R>>,
    decode: Decode<R>,
    /// The shards of each stream when it was listed last, by id. A shard is read after it was listed.
    listed: Mutex<HashMap<String, HashMap<String, Shard>>>,
}

impl<R> Decoded<R> {
    fn listed(&self, stream: &str, id: &str) -> Shard {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let shard = listed.get(stream).and_then(|shards| shards.get(id)).cloned();
        shard.unwrap_or_else(|| Shard { id: id.to_owned(), ..Shard::default() })
    }
}

#[async_trait::async_trait]
impl<R: 'static> ShardReader<Event> for Decoded<R> {
    async fn shards(&self, stream: &str) -> Result<Vec<Shard>> {
        let shards = self.reader.shards(stream).await?;
        let by_id = shards.iter().map(|shard| (shard.id.clone(), shard.clone())).collect();
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).insert(stream.to_owned(), by_id);
        Ok(shards)
    }

    async fn page(&self, stream: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<Event>> {
        let page = self.reader.page(stream, shard, from, limit).await?;
        let (decode, count, next, more) = (self.decode, page.count, page.next.clone(), page.more);
        let (stream, shard) = (stream.to_owned(), self.listed(stream, shard));
        Ok(ShardPage::new(count, next, move || decode(&stream, &shard, page.read().records)).and_more(more))
    }

    fn most_records(&self) -> usize {
        self.reader.most_records()
    }

    async fn changed(&self, stream: &str, wait: Duration) {
        self.reader.changed(stream, wait).await;
    }

    fn read_interval(&self) -> Duration {
        self.reader.read_interval()
    }
}
