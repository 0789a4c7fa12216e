//! What a source is built with.

use host_adapters_delivery::dispatch::Dispatch;
use host_adapters_delivery::retry::Backoff;
use host_adapters_delivery::stream::OrderedStreams;
use host_adapters_platform::clock::Clock;
use host_adapters_platform::task::{NoTasks, TaskBackend};
use host_adapters_platform::{
    DataStreamReader, EventLogReader, FailureTable, NoFailures, NoStreams, QueueBackend, StreamBackend,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The stores that the sources of a host read and write.
#[derive(Clone)]
pub struct SourceStores {
    /// The queues: those that feed workers, and those of dead letters.
    pub queues: Arc<dyn QueueBackend>,
    /// The change streams of tables.
    pub streams: Arc<dyn StreamBackend>,
    /// The data streams.
    pub data_streams: Arc<dyn DataStreamReader>,
    /// The topics of the event log.
    pub event_log: Arc<dyn EventLogReader>,
    /// How often messages of queues have failed.
    pub failures: Arc<dyn FailureTable>,
    /// The executions of tasks.
    pub tasks: Arc<dyn TaskBackend>,
}

impl SourceStores {
    /// Stores with queues only. The other stores are added where they exist.
    pub fn of_queues(queues: Arc<dyn QueueBackend>) -> Self {
        Self {
            queues,
            streams: Arc::new(NoStreams),
            data_streams: Arc::new(NoStreams),
            event_log: Arc::new(NoStreams),
            failures: Arc::new(NoFailures),
            tasks: Arc::new(NoTasks),
        }
    }
}

/// What a source is built with.
#[derive(Clone)]
pub struct SourceContext {
    /// Component id of the worker.
    pub worker: String,
    /// Where its batches and requests are sent.
    pub dispatch: Arc<dyn Dispatch>,
    /// What sources read and write.
    pub stores: SourceStores,
    /// The ordered streams that sources have made of the stores.
    pub ordered: SharedStreams,
    /// The names of buckets in their events, by their declared names. A bucket that is not listed has its declared name.
    pub buckets: Arc<BTreeMap<String, String>>,
    /// Tells the age of records.
    pub clock: Clock,
    /// Waits between retries and probes.
    pub backoff: Backoff,
}

impl SourceContext {
    /// What the sources of `worker` are built with, by the wall clock.
    pub fn new(worker: &str, dispatch: Arc<dyn Dispatch>, stores: SourceStores) -> Self {
        Self {
            worker: worker.to_owned(),
            dispatch,
            stores,
            ordered: SharedStreams::default(),
            buckets: Arc::default(),
            clock: Clock::wall(),
            backoff: Backoff::new(),
        }
    }

    /// What the sources of another worker of this host are built with. They share its ordered streams.
    #[must_use]
    pub fn of_worker(&self, worker: &str) -> Self {
        Self { worker: worker.to_owned(), ..self.clone() }
    }
}

/// The ordered streams of a host. All its workers share those of one kind of source, so that a shard is read once.
#[derive(Clone, Default)]
pub struct SharedStreams(Arc<Mutex<BTreeMap<&'static str, Arc<OrderedStreams>>>>);

impl SharedStreams {
    /// Those of a kind of source, which its first source makes.
    pub(crate) fn of(&self, kind: &'static str, make: impl FnOnce() -> Arc<OrderedStreams>) -> Arc<OrderedStreams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_insert_with(make).clone()
    }
}
