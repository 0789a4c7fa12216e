//! Models of queues, a stream and a worker, in memory and on tokio's clock. Every call can be made to fail, as planned
//! or at random from a seed, and all requests to them are recorded.

mod failures;
mod faults;
mod lines;
mod log;
mod queues;
mod streams;
mod tasks;
mod worker;

pub use failures::ModelFailures;
pub use faults::{Faults, down};
pub use lines::Lines;
pub use log::ModelLog;
pub use queues::{ModelQueues, Request};
pub use streams::{ModelStreams, as_data, name};
pub use tasks::{End, ModelTasks};
pub use worker::{ModelWorker, Reply, TaskReply, ack_all, retry, trap};

use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::retry::Backoff;
use host_adapters_platform::clock::Clock;
use host_adapters_sources::{SharedStreams, Source, SourceConfig, SourceContext, SourceStores};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

/// The wall clock when a world begins, milliseconds since 1970 (UTC).
pub const EPOCH_MS: u64 = 1_700_000_000_000;
/// The worker of every source, unless a test names another.
pub const WORKER: &str = "save-entries";

/// Milliseconds since the world began, to the nearest ten: tokio's timers round up to a millisecond.
pub fn rounded_ms(since: Duration) -> u64 {
    (u64::try_from(since.as_millis()).unwrap() + 5) / 10 * 10
}

/// Everything that a source works with.
pub struct World {
    pub queues: Arc<ModelQueues>,
    pub streams: Arc<ModelStreams>,
    /// A topic of the event log.
    pub log: Arc<ModelLog>,
    pub failures: Arc<ModelFailures>,
    /// Of the tasks of [`WORKER`].
    pub executions: Arc<ModelTasks>,
    /// The streams, as all workers of a host share them.
    ordered: SharedStreams,
    pub worker: Arc<ModelWorker>,
    pub drain: Drain,
    began: Instant,
    seed: u64,
    tasks: Mutex<Vec<AbortHandle>>,
}

/// Ends the sources of this world, so that they do not run during the next world of the test.
impl Drop for World {
    fn drop(&mut self) {
        self.tasks.lock().unwrap().iter().for_each(AbortHandle::abort);
    }
}

impl World {
    /// A world whose worker answers with `reply`.
    pub fn new(reply: impl FnMut(&[host_adapters_delivery::event::Event]) -> Reply + Send + 'static) -> Self {
        Self::seeded(1, reply)
    }

    /// The same, with another seed.
    pub fn seeded(
        seed: u64,
        reply: impl FnMut(&[host_adapters_delivery::event::Event]) -> Reply + Send + 'static,
    ) -> Self {
        let began = Instant::now();
        let (queues, streams) = (ModelQueues::new(seed, began), ModelStreams::new(seed, began));
        let worker = ModelWorker::new(began, reply);
        let (queues, streams, tasks) = (Arc::new(queues), Arc::new(streams), Mutex::default());
        let ordered = SharedStreams::default();
        let failures = Arc::new(ModelFailures::new(seed));
        let executions = Arc::new(ModelTasks::new(seed, began));
        let log = Arc::new(ModelLog::new(seed, began));
        Self { queues, streams, log, failures, executions, ordered, worker, drain: Drain::new(), began, seed, tasks }
    }

    /// What a source of this world is built with.
    pub fn context(&self) -> SourceContext {
        self.context_of(WORKER, &self.worker)
    }

    /// The same for another worker than [`WORKER`].
    pub fn context_of(&self, worker: &str, dispatch: &Arc<ModelWorker>) -> SourceContext {
        let began = self.began;
        let stores = SourceStores {
            queues: self.queues.clone(),
            streams: self.streams.clone(),
            data_streams: self.streams.clone(),
            event_log: self.log.clone(),
            failures: self.failures.clone(),
            tasks: self.executions.clone(),
        };
        SourceContext {
            ordered: self.ordered.clone(),
            clock: Clock::following(move || i64::try_from(u128::from(EPOCH_MS) + began.elapsed().as_millis()).unwrap()),
            backoff: Backoff::seeded(self.seed),
            ..SourceContext::new(worker, dispatch.clone(), stores)
        }
    }

    /// Runs a source in the background.
    pub fn start(&self, config: SourceConfig) -> Running {
        self.start_in(&self.context(), config)
    }

    /// Runs another worker, which answers with `reply` and is fed by a source in the background.
    pub fn start_worker(
        &self,
        worker: &str,
        config: SourceConfig,
        reply: impl FnMut(&[host_adapters_delivery::event::Event]) -> Reply + Send + 'static,
    ) -> (Arc<ModelWorker>, Running) {
        let model = ModelWorker::named(worker, self.began, reply);
        let running = self.start_in(&self.context_of(worker, &model), config);
        (model, running)
    }

    /// Runs a source in the background that another drain ends.
    pub fn start_with(&self, config: SourceConfig, drain: &Drain) -> Running {
        self.start_until(&self.context(), config, drain)
    }

    fn start_in(&self, context: &SourceContext, config: SourceConfig) -> Running {
        self.start_until(context, config, &self.drain)
    }

    fn start_until(&self, context: &SourceContext, config: SourceConfig, drain: &Drain) -> Running {
        let (source, drain) = (config.source(context), drain.clone());
        let running = source.clone();
        let task = tokio::spawn(async move { running.run(drain).await });
        self.tasks.lock().unwrap().push(task.abort_handle());
        Running { source, task }
    }

    /// Waits until this many seconds after the beginning.
    pub async fn at(&self, secs: f64) {
        tokio::time::sleep_until(self.began + Duration::from_secs_f64(secs)).await;
    }

    /// Milliseconds since the beginning.
    pub fn now_ms(&self) -> u64 {
        rounded_ms(self.began.elapsed())
    }
}

/// A source that runs in the background.
pub struct Running {
    pub source: Arc<dyn Source>,
    pub task: JoinHandle<Ended>,
}

impl Running {
    /// Ends the source like `kill -9`: nothing is given back.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}
