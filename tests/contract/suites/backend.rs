//! What a suite needs of a backend: its interfaces, names that exist, and a clock.

use host_adapters_platform::{
    DataStreamBackend, DataStreamReader, DocumentsBackend, FailureTable, ObjectsBackend, QueueBackend, QueueBrowser,
    StreamBackend, TableBackend, TopicBackend,
};
use host_adapters_records::cache::CacheBackend;
use std::time::Duration;

/// A table with a stream, read by [`WORKER`].
pub const TABLE: &str = "contract-table";
/// A table without a stream.
pub const PLAIN_TABLE: &str = "contract-plain";
/// The reader of [`TABLE`]'s stream.
pub const WORKER: &str = "contract-worker";
/// A queue whose messages go to [`DEAD_LETTERS`] after [`MAX_RECEIVES`] receives.
pub const QUEUE: &str = "contractQueue";
/// See [`QUEUE`].
pub const DEAD_LETTERS: &str = "contractQueueDlq";
/// See [`QUEUE`].
pub const MAX_RECEIVES: u32 = 3;
/// A queue without a dead letter queue.
pub const LOOSE_QUEUE: &str = "contractLooseQueue";
/// A FIFO queue whose messages go to [`FIFO_DEAD_LETTERS`] after [`MAX_RECEIVES`] receives.
pub const FIFO_QUEUE: &str = "contractOrders.fifo";
/// See [`FIFO_QUEUE`].
pub const FIFO_DEAD_LETTERS: &str = "contractOrdersDlq.fifo";
/// A collection.
pub const COLLECTION: &str = "contract-campaigns";
/// Another collection.
pub const OTHER_COLLECTION: &str = "contract-others";

/// A bucket. With the prefixes of tests the name has at most 63 bytes.
pub const BUCKET: &str = "objects";
/// Another bucket.
pub const OTHER_BUCKET: &str = "others";

/// A data stream of [`SHARDS`] shards.
pub const DATA_STREAM: &str = "contractStream";
/// See [`DATA_STREAM`].
pub const SHARDS: u32 = 2;

/// Topics, and the queues that they deliver to: on local servers these are not [`Backend::queues`], which another server has.
pub struct Topics<'b> {
    pub topics: &'b dyn TopicBackend,
    pub queues: &'b dyn QueueBackend,
}

/// A backend with all of the names above. It is empty.
pub trait Backend {
    fn tables(&self) -> &dyn TableBackend;
    fn streams(&self) -> &dyn StreamBackend;
    fn queues(&self) -> &dyn QueueBackend;
    fn browser(&self) -> &dyn QueueBrowser;
    fn failures(&self) -> &dyn FailureTable;
    fn documents(&self) -> &dyn DocumentsBackend;
    fn objects(&self) -> &dyn ObjectsBackend;
    fn data_streams(&self) -> &dyn DataStreamBackend;
    fn data_stream_reader(&self) -> &dyn DataStreamReader;
    /// With the names of the suite `topics`.
    fn topics(&self) -> impl Future<Output = Topics<'_>> + Send;
    fn cache(&self) -> &dyn CacheBackend;
    /// Lets this much of the backend's time pass.
    fn pass(&self, by: Duration) -> impl Future<Output = ()> + Send;
    /// Removes what the test made, where keeping it would cost money.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
    /// Why the backend's server is known to fail a case, although the backend itself is correct.
    fn shortcoming(&self, _suite: &str, _case: &str) -> Option<&'static str> {
        None
    }
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
