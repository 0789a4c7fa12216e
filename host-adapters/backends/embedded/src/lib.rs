//! The embedded backend: tables with streams, queues and the topics that deliver to them, documents, data streams, the
//! event log, the failures of messages and the executions of tasks in one durable SQLite file, objects in a folder
//! beside it, and a cache in memory.
//!
//! A write is answered after its fsync, so what was acknowledged survives a crash at any moment. One thread writes
//! ([`store`]), grouping what waits into one commit; a write and its stream record are one transaction. The file can be
//! read with any SQLite tool while the host runs.

mod cache;
mod data_streams;
mod documents;
mod due;
mod event_log;
mod failures;
mod names;
mod objects;
mod queue;
mod sequence;
mod store;
mod table;
mod task;
mod topic;
mod wake;

pub use cache::EmbeddedCache;
pub use data_streams::DataStreams;
pub use event_log::EventLogs;
pub use store::OpenError;
pub use topic::FanOut;

use host_adapters_platform::Declared;
use host_adapters_platform::clock::Clock;
use host_adapters_platform::objects::Notification;
use names::Names;
use objects::Buckets;
use std::path::Path;
use std::sync::Arc;
use store::{Store, Upkeep};
use tokio::sync::Notify;
use topic::Topics;

/// Most records of a read of a stream. DynamoDB and Kinesis return more, so that their few reads a second suffice; here a
/// read costs no round trip, and the pages that are read ahead stay small in every shard.
const READ_RECORDS: usize = 250;

/// All embedded backends over one file and the folder `objects` beside it; cheap to clone. It implements the traits of [`host_adapters_platform`].
#[derive(Clone)]
pub struct Embedded {
    store: Arc<Store>,
    names: Arc<Names>,
    topics: Arc<Topics>,
    buckets: Arc<Buckets>,
    /// Notified of each put.
    puts: Arc<Notify>,
    notifications: Arc<[Notification]>,
    clock: Clock,
}

impl Embedded {
    /// Opens the file at `path`, or makes it.
    pub fn open(path: &Path, declared: &Declared) -> Result<Self, OpenError> {
        Self::open_with_clock(path, declared, Clock::wall())
    }

    /// Opens the file with a clock of the caller's.
    pub fn open_with_clock(path: &Path, declared: &Declared, clock: Clock) -> Result<Self, OpenError> {
        let (topics, upkeep_clock) = (Arc::new(Topics::compile(declared)?), clock.clone());
        let (store, names) = Store::open(path, |conn| {
            let names = Arc::new(Names::load(conn, declared, upkeep_clock.now_ms())?);
            task::resume(conn, upkeep_clock.now_ms())?;
            let (kept, clock) = (Arc::clone(&names), upkeep_clock);
            let upkeep: Upkeep = Box::new(move |conn| kept.prune(conn, clock.now_ms()));
            Ok((names, upkeep))
        })?;
        // After the store, whose lock says that no other process uses the folder.
        let folder = path.with_file_name("objects");
        let buckets = Buckets::open(&folder, &declared.buckets)
            .map_err(|error| OpenError::Objects { path: folder.display().to_string(), error })?;
        let (puts, notifications) = (Arc::default(), declared.notifications.clone().into());
        let (store, buckets) = (Arc::new(store), Arc::new(buckets));
        Ok(Self { store, names, topics, buckets, puts, notifications, clock })
    }

    /// Drops expired data: settled stream records, old records of the event log, messages past their retention, old
    /// executions. The backend does so by itself every second.
    pub async fn prune(&self) -> host_adapters_platform::Result<()> {
        let (names, clock) = (Arc::clone(&self.names), self.clock.clone());
        self.store.write(move |conn| names.prune(conn, clock.now_ms()), |()| {}).await
    }
}
