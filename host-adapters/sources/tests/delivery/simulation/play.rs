//! Plays a schedule: a host is started, ended and started again, on models that outlive it.

use super::journal::{Fact, Journal};
use super::network::{self, Network};
use super::records;
use super::schedule::{Event, Kind, Schedule};
use super::settings::{QUEUE, Streams, TABLE, WORKERS};
use super::worker::SimulatedWorker;
use crate::model::{EPOCH_MS, ModelQueues, ModelStreams, WORKER};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::retry::Backoff;
use host_adapters_platform::Checkpoint;
use host_adapters_platform::clock::Clock;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use host_adapters_sources::kinesis::KinesisConfig;
use host_adapters_sources::{SourceConfig, SourceContext, SourceStores};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Once disruptions have ended, everything must be settled within this time, which a shard of poison records may take.
const MOST_SETTLING: Duration = Duration::from_secs(3 * 60 * 60);
/// A drain takes its grace, and the time to settle the last dispositions.
const MOST_DRAINING: Duration = Duration::from_secs(60);

/// Plays a schedule from beginning to end, on a clock of its own.
pub fn play(schedule: &Arc<Schedule>) -> Vec<(u64, Fact)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut theatre = Theatre::new(schedule.clone());
        theatre.play().await;
        theatre.network.note_moved();
        theatre.network.journal.take()
    })
}

struct Theatre {
    schedule: Arc<Schedule>,
    network: Arc<Network>,
    worker: Arc<SimulatedWorker>,
    began: Instant,
    drain: Drain,
    sources: Vec<(Kind, JoinHandle<Ended>)>,
}

impl Theatre {
    fn new(schedule: Arc<Schedule>) -> Self {
        let began = Instant::now();
        let most_receives = schedule.queue.as_ref().map_or(1, |queue| queue.max_receive_count);
        let queues = ModelQueues::new(schedule.seed, began);
        queues.redrive_after(most_receives);
        let streams = ModelStreams::new(schedule.seed, began);
        for root in schedule.streams.iter().flat_map(Streams::root_shards) {
            streams.open(&root, None);
        }
        let (queues, streams, journal) = (Arc::new(queues), Arc::new(streams), Arc::new(Journal::new(began)));
        let network = Arc::new(Network::new(schedule.clone(), queues, streams, journal));
        let worker = Arc::new(SimulatedWorker::new(schedule.clone(), network.clone()));
        Self { schedule, network, worker, began, drain: Drain::new(), sources: Vec::new() }
    }

    async fn play(&mut self) {
        self.start();
        for (at_ms, event) in self.schedule.clone().events.iter() {
            self.wait_until(self.began + Duration::from_millis(*at_ms)).await;
            self.happen(event).await;
        }
        let deadline = Instant::now() + MOST_SETTLING;
        while !self.is_settled() && Instant::now() < deadline {
            self.wait_until(Instant::now() + Duration::from_secs(5)).await;
        }
        if !self.is_settled() {
            self.write(Fact::Impossible(format!("not settled {MOST_SETTLING:?} after the last disruption")));
        }
        self.drain(Duration::from_secs(600)).await;
    }

    async fn happen(&mut self, event: &Event) {
        match event {
            Event::Arrive(record) => self.arrive(*record),
            Event::Reshard(parents, children) => self.reshard(parents, children),
            Event::Swap => self.worker.swap(),
            Event::Outage { callable, worker } => {
                self.write(Fact::Note(if *callable { "a service is down" } else { "the worker cannot be called" }));
                self.worker.outage(*worker, *callable);
            }
            Event::Refuse(worker) => {
                self.write(Fact::Note("a service refuses everything"));
                self.worker.refuse(*worker);
            }
            Event::Recover => {
                self.write(Fact::Note("all is up again"));
                self.worker.recover();
            }
            Event::Crash => self.crash().await,
            Event::CrashAfter(steps) => self.network.die_after(Some(*steps)),
            Event::Drain(grace_secs) => {
                self.drain(Duration::from_secs(*grace_secs)).await;
                self.start();
            }
            Event::Calm => self.calm(),
        }
    }

    fn calm(&self) {
        self.write(Fact::Note("calm"));
        self.network.die_after(None);
        self.network.faults.end();
        self.worker.calm();
    }

    fn arrive(&self, number: u64) {
        let record = &self.schedule.records[usize::try_from(number).unwrap()];
        self.write(Fact::Arrived(record.kind, number));
        match record.kind {
            Kind::Queue => network::arrive(&self.network.queues, number),
            Kind::Stream(_) => self.network.streams.put(&record.shard, [(number, records::item(record.key))]),
        }
    }

    fn reshard(&self, parents: &[String], children: &[String]) {
        let names: Vec<&str> = parents.iter().map(String::as_str).collect();
        children.iter().for_each(|child| self.network.streams.open_after(child, &names));
        parents.iter().for_each(|parent| self.network.streams.close(parent));
    }

    /// Waits; restarts the host if it dies meanwhile.
    async fn wait_until(&mut self, until: Instant) {
        let network = self.network.clone();
        loop {
            tokio::select! {
                biased;
                () = network.death.notified() => self.crash().await,
                () = tokio::time::sleep_until(until) => return,
            }
        }
    }

    fn start(&mut self) {
        let began = self.began;
        let settings = self.schedule.streams.as_ref();
        let stores = SourceStores {
            streams: self.network.clone(),
            data_streams: self.network.clone(),
            failures: self.network.clone(),
            ..SourceStores::of_queues(self.network.clone())
        };
        let of_host = SourceContext::new(WORKER, self.worker.clone(), stores);
        let clock =
            Clock::following(move || i64::try_from(u128::from(EPOCH_MS) + began.elapsed().as_millis()).unwrap());
        let seed = self.schedule.seed;
        let context = |worker: &str| SourceContext {
            clock: clock.clone(),
            backoff: Backoff::seeded(seed),
            ..of_host.of_worker(worker)
        };
        self.drain = Drain::new();
        self.write(Fact::Started);
        self.network.host_started();
        if let Some(queue) = &self.schedule.queue {
            let (source, drain) =
                (SourceConfig::Sqs(queue.config.clone()).source(&context(WORKER)), self.drain.clone());
            self.sources.push((Kind::Queue, tokio::spawn(async move { source.run(drain).await })));
        }
        let configs = settings.iter().flat_map(|settings| &settings.configs);
        for (number, (worker, config)) in WORKERS.into_iter().zip(configs).enumerate() {
            let (context, drain) = (context(worker), self.drain.clone());
            let source = match settings.is_some_and(|settings| settings.bytes) {
                true => SourceConfig::Kinesis(as_kinesis(config)).source(&context),
                false => SourceConfig::DynamodbStream(config.clone()).source(&context),
            };
            let task = tokio::spawn(async move { source.run(drain).await });
            self.sources.push((Kind::Stream(number), task));
        }
    }

    /// Ends the host like `kill -9`: nothing is given back, nothing is finished.
    async fn crash(&mut self) {
        self.network.die_after(None);
        for (_, source) in self.sources.drain(..) {
            source.abort();
            if let Err(error) = source.await
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        }
        self.write(Fact::Crashed);
        self.start();
    }

    /// Drains the host. It may die during that.
    async fn drain(&mut self, grace: Duration) {
        self.write(Fact::DrainBegan);
        let (kinds, mut tasks): (Vec<Kind>, Vec<_>) = std::mem::take(&mut self.sources).into_iter().unzip();
        let network = self.network.clone();
        let finished = self.drain.finish(grace, futures::future::join_all(&mut tasks));
        let ended = tokio::select! {
            biased;
            () = network.death.notified() => None,
            ended = tokio::time::timeout(grace + MOST_DRAINING, finished) => Some(ended),
        };
        match ended {
            None => {
                self.sources = kinds.into_iter().zip(tasks).filter(|(_, task)| !task.is_finished()).collect();
                self.crash().await;
                Box::pin(self.drain(grace)).await;
            }
            Some(Err(_)) => self.write(Fact::Impossible(format!("not drained {MOST_DRAINING:?} after its grace"))),
            Some(Ok(ended)) => kinds.into_iter().zip(ended).for_each(|(kind, ended)| self.ended(kind, ended)),
        }
    }

    fn ended(&self, kind: Kind, ended: Result<Ended, tokio::task::JoinError>) {
        let ended = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        self.write(Fact::Ended(
            kind,
            match ended {
                Ended::Drained => None,
                Ended::Abandoned(records) => Some(records),
            },
        ));
    }

    /// Whether all records are settled.
    fn is_settled(&self) -> bool {
        self.network.queues.count(QUEUE) == 0
            && WORKERS.into_iter().take(self.readers()).all(|worker| self.has_settled(worker))
    }

    /// How many workers read the stream.
    fn readers(&self) -> usize {
        self.schedule.streams.as_ref().map_or(0, |streams| streams.configs.len())
    }

    fn has_settled(&self, worker: &str) -> bool {
        self.network.streams.ends().iter().all(|(shard, last, closed)| {
            match (self.network.streams.position_of(worker, shard), last) {
                (Some(Checkpoint::ShardEnd), _) => *closed,
                (Some(Checkpoint::At(position)), Some(last)) => !closed && position == *last,
                (None, None) => !closed,
                _ => false,
            }
        })
    }

    fn write(&self, fact: Fact) {
        self.network.journal.write(fact);
    }
}

/// The settings of a worker that reads changes, for a data stream.
fn as_kinesis(config: &DynamodbStreamConfig) -> KinesisConfig {
    let config = config.clone();
    KinesisConfig {
        batch_size: config.batch_size,
        batch_window_secs: config.batch_window_secs,
        max_batch_bytes: config.max_batch_bytes,
        parallelization_factor: config.parallelization_factor,
        maximum_retry_attempts: config.maximum_retry_attempts,
        maximum_record_age_secs: config.maximum_record_age_secs,
        bisect: config.bisect,
        dead_letter_queue: config.dead_letter_queue,
        on_reject: config.on_reject,
        ..KinesisConfig::new(TABLE)
    }
}
