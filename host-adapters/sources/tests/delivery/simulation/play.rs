//! Playing a schedule: a host is started, and ended and started again, on models that outlive it.

use super::journal::{Fact, Journal};
use super::network::{self, Network};
use super::records;
use super::schedule::{Event, Kind, Schedule};
use super::settings::QUEUE;
use super::worker::SimulatedWorker;
use crate::model::{EPOCH_MS, ModelQueues, ModelStreams, WORKER};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::retry::Backoff;
use host_adapters_platform::Checkpoint;
use host_adapters_platform::clock::Clock;
use host_adapters_sources::{SourceConfig, SourceContext, dynamodb_stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// After the calm everything must be settled within this time: so long a shard of poison records may take.
const MOST_SETTLING: Duration = Duration::from_secs(3 * 60 * 60);
/// A drain takes as long as its grace, and what settles the last answers.
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
        let queues = ModelQueues::new(schedule.seed, began).redrive_after(most_receives);
        let streams = ModelStreams::new(schedule.seed, began);
        for root in 0..schedule.streams.as_ref().map_or(0, |streams| streams.roots.len()) {
            streams.open(&format!("s{root}"), None);
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
            self.write(Fact::Impossible(format!("not settled {MOST_SETTLING:?} after the last trouble")));
        }
        self.drain(Duration::from_secs(600)).await;
    }

    async fn happen(&mut self, event: &Event) {
        match event {
            Event::Arrive(record) => self.arrive(*record),
            Event::Split(parent, children) => self.split(parent, children),
            Event::Swap => self.worker.swap(),
            Event::Outage { callable } => {
                self.write(Fact::Note(if *callable { "a service is down" } else { "the worker cannot be called" }));
                self.worker.outage(Some(*callable));
            }
            Event::Recover => {
                self.write(Fact::Note("all is up again"));
                self.worker.outage(None);
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
            Kind::Stream => self.network.streams.put(&record.shard, [(number, records::item(record.key))]),
        }
    }

    fn split(&self, parent: &str, children: &[String]) {
        children.iter().for_each(|child| self.network.streams.open(child, Some(parent)));
        self.network.streams.close(parent);
    }

    /// Waits, and brings the host up again where it dies meanwhile.
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
        let context = SourceContext {
            worker: WORKER.to_owned(),
            dispatch: self.worker.clone(),
            queues: self.network.clone(),
            streams: dynamodb_stream::streams(self.network.clone()),
            clock: Clock::following(move || i64::try_from(u128::from(EPOCH_MS) + began.elapsed().as_millis()).unwrap()),
            backoff: Backoff::seeded(self.schedule.seed),
        };
        self.drain = Drain::new();
        self.write(Fact::Started);
        let queue = self.schedule.queue.as_ref().map(|queue| (Kind::Queue, SourceConfig::Sqs(queue.config.clone())));
        let streams = self.schedule.streams.as_ref();
        let stream = streams.map(|streams| (Kind::Stream, SourceConfig::DynamodbStream(streams.config.clone())));
        for (kind, config) in queue.into_iter().chain(stream) {
            let (source, drain) = (config.source(&context), self.drain.clone());
            self.sources.push((kind, tokio::spawn(async move { source.run(drain).await })));
        }
    }

    /// As `kill -9` ends it: nothing is given back, nothing is finished.
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

    /// Ends the host in order. It may die even now.
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

    /// Whether nothing is left to be done.
    fn is_settled(&self) -> bool {
        self.network.queues.count(QUEUE) == 0
            && self.network.streams.ends().iter().all(|(shard, last, closed)| {
                match (self.network.streams.position(shard), last) {
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
