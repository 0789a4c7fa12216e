//! What sources need from backends, in addition to the interfaces of the platform.

use host_adapters_records::cache::CacheError;
use host_adapters_records::{Attribute, Error, ErrorKind, table};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Result of a backend; the error says whether to try again.
pub type Result<T> = std::result::Result<T, Error>;

/// Counts a read of the cache.
pub fn count_cache_get<T>(answer: &std::result::Result<Option<T>, CacheError>) {
    let result = match answer {
        Ok(Some(_)) => "hit",
        Ok(None) => "miss",
        Err(_) => "failed",
    };
    metrics::counter!("registration_cache_gets_total", "result" => result).increment(1);
}

/// An operator's access to single messages of a queue, mainly dead letters. SQS cannot find a message by its id: its
/// backend receives until it has found the ids, and returns the rest.
#[async_trait::async_trait]
pub trait QueueBrowser: Send + Sync + 'static {
    /// Up to `max` messages in any state, without receiving them, from where an earlier page ended. A message that is
    /// received meanwhile may be shown twice, others are shown once.
    async fn browse(&self, queue: &str, from: Option<&str>, max: usize) -> Result<Page>;
    /// A message in any state, without receiving it.
    async fn find(&self, queue: &str, id: &str) -> Result<Option<Received>>;
    /// Receives the messages of these ids that are not in flight. None moves to another queue.
    async fn take(&self, queue: &str, ids: &[String], visibility: Duration) -> Result<Vec<Received>>;
}

/// How often each message has failed. A queue counts receives, which end without an outcome where a host is drained,
/// killed or paused.
#[async_trait::async_trait]
pub trait FailureTable: Send + Sync + 'static {
    /// Counts one more failure of each message of a queue; returns how many each has had.
    async fn count_failures(&self, queue: &str, messages: &[String]) -> Result<Vec<u32>>;
    /// Forgets messages that are settled. What nobody forgets expires after [`FAILURES_KEPT`].
    async fn forget_failures(&self, queue: &str, messages: &[String]) -> Result<()>;
}

/// How long failures are kept after the last one: as long as SQS keeps a message at most.
pub const FAILURES_KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// A page of a queue's messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The messages; their receipts are empty.
    pub messages: Vec<Received>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// A message as received.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Received {
    /// The queue's id of the message.
    pub id: String,
    /// Names this receive; a later receive makes it stale. Empty when only looked at.
    pub receipt: String,
    /// The body.
    pub body: String,
    /// The sender's attributes.
    pub attributes: Vec<Attribute>,
    /// The names of attributes that cannot be read, and are left out.
    pub unreadable: Vec<String>,
    /// The message group, of a FIFO queue.
    pub group: Option<String>,
    /// `ApproximateReceiveCount`, this receive included.
    pub receive_count: u32,
    /// When it was sent, milliseconds since 1970 (UTC).
    pub sent_ms: u64,
}

/// How many messages a queue holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Depth {
    /// Can be received now.
    pub visible: u64,
    /// Received and not yet deleted.
    pub in_flight: u64,
    /// Cannot be received yet.
    pub delayed: u64,
}

/// How the shards of an ordered stream are listed and read; `R` is the store's own record. Delivery decodes it, so that
/// changes of items and bytes under a partition key are read alike.
#[async_trait::async_trait]
pub trait ShardReader<R>: Send + Sync + 'static {
    /// All shards that still hold records, in any order.
    async fn shards(&self, stream: &str) -> Result<Vec<Shard>>;
    /// Up to `limit` records of a shard in order, from a position; returns at once, empty if there are none.
    async fn page(&self, stream: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<R>>;
    /// Most records of a page. A read that gives as many, or says that there are more, has a backlog behind it.
    fn most_records(&self) -> usize;
    /// Waits until there may be new records, at most `wait` (a hint that spares polling; may return early).
    async fn changed(&self, stream: &str, wait: Duration);
    /// The interval between this host's reads of a shard, for all workers together; zero if the store sets no limit.
    fn read_interval(&self) -> Duration {
        Duration::ZERO
    }
    /// A page whose records are converted at once.
    async fn records(&self, stream: &str, shard: &str, from: &Position, limit: usize) -> Result<Records<R>>
    where
        R: 'static,
    {
        self.page(stream, shard, from, limit).await.map(ShardPage::read)
    }
}

/// Where leases on shards and workers' checkpoints are kept.
#[async_trait::async_trait]
pub trait LeaseTable: Send + Sync + 'static {
    /// Takes and keeps leases on shards for `worker`, sharing them with other hosts. Returns which shards may be read
    /// until the next call, [`LeaseTable::lease_renewal`] later. The store of a single host owns all leases.
    async fn hold(&self, _stream: &str, _worker: &str, shards: &[Shard]) -> Result<Leases> {
        Ok(Leases { owned: shards.iter().map(|shard| shard.id.clone()).collect(), ..Leases::default() })
    }
    /// Renews the leases of `worker` and takes no others; returns the shards whose leases this host still owns.
    async fn renew(&self, _stream: &str, _worker: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    /// Waits until other shards may be read than [`LeaseTable::hold`] answered last, where that can be told before the next
    /// renewal.
    async fn reassigned(&self, _stream: &str, _worker: &str) {
        std::future::pending().await
    }
    /// Says that nothing of a shard in [`Leases::leaving`] is in progress any more, and its checkpoint is stored: another host
    /// may have it.
    async fn leave(&self, _stream: &str, _worker: &str, _shard: &str) {}
    /// Gives all leases of `worker` back, so that another host can take them at once.
    async fn release(&self, _stream: &str, _worker: &str) -> Result<()> {
        Ok(())
    }
    /// How often leases are to be renewed; `None` where shards are not shared.
    fn lease_renewal(&self) -> Option<Duration> {
        None
    }
    /// Whether anything of `worker` in this stream has been stored before: then it has begun, and `LATEST` no longer
    /// applies to it.
    async fn has_begun(&self, stream: &str, worker: &str) -> Result<bool>;
    /// Stores that `worker` begins a shard with its first record: the shard was empty when the worker began.
    async fn begin(&self, stream: &str, shard: &str, worker: &str) -> Result<()>;
    /// The checkpoint of `worker` in a shard: where it begins, the sequence number of the last record settled, or the mark
    /// of the shard's end.
    async fn checkpoint(&self, stream: &str, shard: &str, worker: &str) -> Result<Option<Checkpoint>>;
    /// Moves it, only forward; `condition-failed` where another host holds the shard's lease.
    async fn set_checkpoint(&self, stream: &str, shard: &str, worker: &str, checkpoint: &Checkpoint) -> Result<()>;
}

/// The change streams of tables, with leases and checkpoints. Here a stream is named by its table.
pub trait StreamBackend: ShardReader<Change> + LeaseTable {}

impl<T: ShardReader<Change> + LeaseTable> StreamBackend for T {}

/// Data streams, with leases and checkpoints.
pub trait DataStreamReader: ShardReader<StreamRecord> + LeaseTable {}

impl<T: ShardReader<StreamRecord> + LeaseTable> DataStreamReader for T {}

/// The event log, with groups and their offsets. A topic is a stream here and a partition a shard, which never ends; a group
/// stands where other streams have a worker. Sequence numbers are [`LogPlace`]s.
pub trait EventLogReader: ShardReader<LogEntry> + LeaseTable {}

impl<T: ShardReader<LogEntry> + LeaseTable> EventLogReader for T {}

/// A shard of a stream.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Shard {
    /// Its id.
    pub id: String,
    /// These must be read to their ends first: the one shard that was split, or the two that were merged.
    pub parents: Vec<String>,
    /// Of a data stream: which hashes of partition keys it takes. The hash is the key's MD5 as a number, its first byte the
    /// highest.
    pub hash_keys: Option<RangeInclusive<u128>>,
}

/// Which shards this host may read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Leases {
    /// Ids of the shards whose leases it owns.
    pub owned: Vec<String>,
    /// Those of `owned` that are to be given up: calls in progress may end, and no other begins. They are another host's
    /// after [`LeaseTable::leave`], or when they are no longer owned.
    pub leaving: Vec<String>,
    /// Shards that some host has settled to the end.
    pub done: Vec<String>,
    /// Other hosts have found shards that are not among those that were passed: list them again now.
    pub news: bool,
}

impl Leases {
    /// The shards that are not to be given up.
    pub fn staying(&self) -> Vec<String> {
        self.owned.iter().filter(|shard| !self.leaving.contains(shard)).cloned().collect()
    }
}

/// Where to read from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Position {
    /// The oldest record kept (`TRIM_HORIZON`).
    TrimHorizon,
    /// After the newest record (`LATEST`).
    Latest,
    /// With the first record that came at or after this time, milliseconds since 1970 (UTC) (`AT_TIMESTAMP`).
    AtTimestamp(u64),
    /// After this sequence number.
    After(String),
}

/// What a read of a shard gave. The store's answer is converted to records when they are asked for, so that the next
/// read can be on its way before.
pub struct ShardPage<R> {
    /// How many records were read.
    pub count: usize,
    /// Where to continue; `None` when the shard is closed and read to its end. Never `Latest` or `AtTimestamp`: what is
    /// written after a read from there is found from here.
    pub next: Option<Position>,
    /// Whether more records are known to follow, although there are fewer than [`ShardReader::most_records`]: the page is
    /// full of bytes, or the store says that it is behind.
    pub more: bool,
    convert: Box<dyn FnOnce() -> Vec<R> + Send>,
}

impl<R> ShardPage<R> {
    /// `count` records that `convert` makes of the store's answer.
    pub fn new(count: usize, next: Option<Position>, convert: impl FnOnce() -> Vec<R> + Send + 'static) -> Self {
        Self { count, next, more: false, convert: Box::new(convert) }
    }

    /// Says whether more records are known to follow.
    #[must_use]
    pub fn and_more(self, more: bool) -> Self {
        Self { more, ..self }
    }

    /// The records, in order.
    pub fn read(self) -> Records<R> {
        Records { records: (self.convert)(), next: self.next }
    }
}

impl<R: Send + 'static> From<Records<R>> for ShardPage<R> {
    fn from(Records { records, next }: Records<R>) -> Self {
        Self::new(records.len(), next, move || records)
    }
}

/// The records of a [`ShardPage`].
#[derive(Clone, Debug, PartialEq)]
pub struct Records<R> {
    /// In order.
    pub records: Vec<R>,
    /// As [`ShardPage::next`].
    pub next: Option<Position>,
}

/// One change of an item. Images are plain JSON text, without DynamoDB's type tags, their numbers digit for digit.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Sequence number within the shard.
    pub sequence: String,
    /// `INSERT`, `MODIFY` or `REMOVE`.
    pub event_name: String,
    /// The item's key.
    pub key: table::Key,
    /// The item after the change.
    pub new_image: Option<String>,
    /// The item before it.
    pub old_image: Option<String>,
    /// Who made the change, where that is a service: JSON text. DynamoDB names itself when an item's time to live has
    /// ended.
    pub user_identity: Option<String>,
    /// `ApproximateCreationDateTime`, milliseconds since 1970 (UTC).
    pub time_ms: u64,
}

/// One record of a data stream, as it was put.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StreamRecord {
    /// Sequence number within the shard: digits. The greater number is the later record.
    pub sequence: String,
    /// Decides the shard.
    pub partition_key: String,
    /// The bytes that were put.
    pub data: Vec<u8>,
    /// `ApproximateArrivalTimestamp`, milliseconds since 1970 (UTC).
    pub time_ms: u64,
}

/// One record of the event log, as it was produced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogEntry {
    /// Its partition and offset.
    pub place: LogPlace,
    /// None where its producer gave none.
    pub key: Option<Vec<u8>>,
    /// None where its producer gave none: in a compacted topic that stands for the removal of the key.
    pub value: Option<Vec<u8>>,
    /// In the order in which they were given; names may repeat. A value may be missing.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// When it was written, or produced where the topic says so, milliseconds since 1970 (UTC).
    pub time_ms: u64,
}

/// Where a record of a topic is; as text `<partition>-<offset>`, which is unique in the topic.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LogPlace {
    /// The number of the partition.
    pub partition: u32,
    /// The offset in it.
    pub offset: u64,
}

impl LogPlace {
    /// Reads the place of a record of a partition, such as a checkpoint's.
    ///
    /// # Errors
    /// When it is none, or of another partition.
    pub fn of(partition: u32, sequence: &str) -> Result<Self> {
        let place = sequence
            .split_once('-')
            .and_then(|(number, offset)| Some(Self { partition: number.parse().ok()?, offset: offset.parse().ok()? }));
        place.filter(|place| place.partition == partition).ok_or_else(|| {
            let message = format!("`{sequence}` is not a place in partition {partition}; write <partition>-<offset>");
            Error::new(ErrorKind::Invalid, message)
        })
    }

    /// The position that begins with this record.
    pub fn from_here(self) -> Position {
        match self.offset.checked_sub(1) {
            Some(offset) => Position::After(Self { offset, ..self }.to_string()),
            None => Position::TrimHorizon,
        }
    }

    /// The checkpoint of a group that reads this record next; `None` for the first one, before which nothing is settled.
    pub fn checkpoint(self) -> Option<Checkpoint> {
        match self.from_here() {
            Position::After(sequence) => Some(Checkpoint::At(sequence)),
            _ => None,
        }
    }
}

impl std::fmt::Display for LogPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.partition, self.offset)
    }
}

/// How far a worker has come in a shard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Checkpoint {
    /// Nothing is settled; the worker begins with the first record that came at or after this time, milliseconds since
    /// 1970 (UTC).
    AtTimestamp(u64),
    /// All records up to and including this sequence number are settled.
    At(String),
    /// The shard is closed and all of it is settled.
    ShardEnd,
}
