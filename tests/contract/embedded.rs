//! Runs the embedded backend under the contract, on a clock that the suites advance.

use crate::contract::suites::backend::{
    BUCKET, Backend, COLLECTION, DATA_STREAM, DEAD_LETTERS, FIFO_DEAD_LETTERS, FIFO_QUEUE, LOOSE_QUEUE, MAX_RECEIVES,
    OTHER_BUCKET, OTHER_COLLECTION, PLAIN_TABLE, QUEUE, SHARDS, TABLE, Topics, WORKER,
};
use crate::contract::suites::event_log::{EventLogStore, OTHER_TOPIC, PARTITIONS, TOPIC};
use crate::contract::suites::tasks::TaskStore;
use crate::contract::suites::topics;
use backend_embedded::{DataStreams, Embedded, EmbeddedCache};
use host_adapters_platform::clock::Clock;
use host_adapters_platform::task::{ExecutionTable, TaskBackend};
use host_adapters_platform::{
    DataStreamBackend, DataStreamReader, DataStreamSpec, Declared, DocumentsBackend, EventLogBackend, FailureTable,
    Grants, LogTopicSpec, ObjectsBackend, PlatformService, QueueBackend, QueueBrowser, QueueSpec, StreamBackend,
    TableBackend, TableSpec,
};
use host_adapters_records::cache::CacheBackend;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// 2024-01-15T10:00:00Z.
const START_MS: i64 = 1_705_312_800_000;

pub struct Opened {
    pub embedded: Embedded,
    data_streams: DataStreams,
    cache: EmbeddedCache,
    clock: Clock,
    folder: TempDir,
}

impl Backend for Opened {
    fn tables(&self) -> &dyn TableBackend {
        &self.embedded
    }
    fn streams(&self) -> &dyn StreamBackend {
        &self.embedded
    }
    fn queues(&self) -> &dyn QueueBackend {
        &self.embedded
    }
    fn browser(&self) -> &dyn QueueBrowser {
        &self.embedded
    }
    fn failures(&self) -> &dyn FailureTable {
        &self.embedded
    }
    fn documents(&self) -> &dyn DocumentsBackend {
        &self.embedded
    }
    fn objects(&self) -> &dyn ObjectsBackend {
        &self.embedded
    }
    fn data_streams(&self) -> &dyn DataStreamBackend {
        &self.data_streams
    }
    fn data_stream_reader(&self) -> &dyn DataStreamReader {
        &self.data_streams
    }
    async fn topics(&self) -> Topics<'_> {
        Topics { topics: &self.embedded, queues: &self.embedded }
    }
    fn cache(&self) -> &dyn CacheBackend {
        &self.cache
    }
    async fn pass(&self, by: Duration) {
        self.clock.advance(by);
        self.embedded.prune().await.unwrap();
    }
}

impl Opened {
    /// The platform of a component with these grants: all its backends are this one.
    pub fn platform(&self, component: &str, grants: Grants) -> PlatformService {
        let backend = Arc::new(self.embedded.clone());
        PlatformService {
            declared: config(),
            grants: [(component.to_owned(), grants)].into(),
            tables: backend.clone(),
            queues: backend.clone(),
            documents: backend.clone(),
            data_streams: Arc::new(self.data_streams.clone()),
            topics: backend.clone(),
            objects: backend.clone(),
            identity: None,
            services: None,
            event_log: backend,
        }
    }
}

pub async fn open() -> Opened {
    open_in(tempfile::tempdir().unwrap())
}

/// Opens the file `store` in a folder, or makes it.
pub fn open_in(folder: TempDir) -> Opened {
    let clock = Clock::manual(START_MS);
    let embedded = Embedded::open_with_clock(&folder.path().join("store"), &config(), clock.clone()).unwrap();
    let data_streams = embedded.data_streams();
    Opened { embedded, data_streams, cache: EmbeddedCache::new(clock.clone()), clock, folder }
}

pub fn config() -> Declared {
    let queue = QueueSpec {
        max_receive_count: MAX_RECEIVES,
        dead_letter_queue: Some(DEAD_LETTERS.to_owned()),
        ..QueueSpec::default()
    };
    let in_order = QueueSpec { dead_letter_queue: Some(FIFO_DEAD_LETTERS.to_owned()), ..queue.clone() };
    let stream = TableSpec { stream: true, consumers: [WORKER.to_owned()].into() };
    let queues =
        [(QUEUE.to_owned(), queue), (LOOSE_QUEUE.to_owned(), QueueSpec::default()), (FIFO_QUEUE.to_owned(), in_order)];
    let of_topics = topics::QUEUES.map(|queue| (queue.to_owned(), QueueSpec::default()));
    Declared {
        tables: [(TABLE.to_owned(), stream), (PLAIN_TABLE.to_owned(), TableSpec::default())].into(),
        queues: queues.into_iter().chain(of_topics).collect(),
        collections: [COLLECTION.to_owned(), OTHER_COLLECTION.to_owned()].into(),
        buckets: [BUCKET.to_owned(), OTHER_BUCKET.to_owned()].into(),
        data_streams: [(DATA_STREAM.to_owned(), DataStreamSpec { shards: SHARDS })].into(),
        topics: topics::topics(),
        tasks: [WORKER.to_owned()].into(),
        event_log: [
            (TOPIC.to_owned(), LogTopicSpec { partitions: PARTITIONS }),
            (OTHER_TOPIC.to_owned(), LogTopicSpec::default()),
        ]
        .into(),
        ..Declared::default()
    }
}

impl EventLogStore for Opened {
    fn event_log(&self) -> &dyn EventLogBackend {
        &self.embedded
    }
}

impl TaskStore for Opened {
    fn tasks(&self) -> &dyn TaskBackend {
        &self.embedded
    }
    fn executions(&self) -> &dyn ExecutionTable {
        &self.embedded
    }
}

impl Opened {
    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Closes the file and opens it again.
    pub async fn reopen(self) -> Self {
        let Self { embedded, data_streams, cache, clock, folder } = self;
        drop((embedded, data_streams));
        let embedded = Embedded::open_with_clock(&folder.path().join("store"), &config(), clock.clone()).unwrap();
        Self { data_streams: embedded.data_streams(), embedded, cache, clock, folder }
    }
}
