//! Tasks → worker: a fixed set of runners, each of which makes one attempt after the other (docs/delivery.md, 13).
//!
//! A runner takes an attempt of an execution that is due, calls the worker, and reports the outcome to the backend;
//! meanwhile a heartbeat extends the lease of the attempt. While a dependency of the worker is down, runners keep the
//! executions that they have, take no others, and one of them is the probe; behind Step Functions, where the time of an
//! attempt goes on meanwhile, they hand them back. When the host drains, running attempts have until the deadline.

mod canned;
mod config;
mod outcome;
mod refusals;
mod runner;

pub(crate) use canned::CANNED;
pub use config::TaskConfig;
pub use config::TaskConfig as Config;

use crate::{CircuitBreakers, Source, SourceContext, SourceSettings, Status};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::metrics::Meter;
use host_adapters_delivery::redrive::Recovery;
use refusals::KeptRefusals;
use runner::Runner;
use std::sync::Arc;
use tokio::task::JoinSet;

/// An execution that fails is kept by its backend, and is not a dead letter.
pub(crate) const RECOVERY: Option<Recovery> = None;

/// The executions of a worker's tasks.
pub struct TaskSource {
    max_concurrency: usize,
    runner: Arc<Runner>,
}

impl TaskSource {
    /// Connects the executions of `context.worker` to it.
    pub fn new(config: TaskConfig, context: &SourceContext) -> Self {
        let source = config.name();
        let meter = Meter::new(&context.worker, &source);
        let runner = Runner {
            worker: context.worker.clone(),
            backend: context.stores.tasks.clone(),
            dispatch: context.dispatch.clone(),
            breakers: CircuitBreakers::new(&source, &context.backoff, &meter.paused),
            meter,
            clock: context.clock.clone(),
            backoff: context.backoff.clone(),
            max_attempts: config.max_attempts,
            heartbeat: config.heartbeat(),
            lease: config.lease(),
            refusals: KeptRefusals::default(),
            source,
        };
        Self { max_concurrency: config.max_concurrency, runner: Arc::new(runner) }
    }
}

#[async_trait::async_trait]
impl Source for TaskSource {
    fn status(&self) -> Status {
        self.runner.breakers.status(&self.runner.worker, &self.runner.source)
    }

    async fn run(&self, drain: Drain) -> Ended {
        let mut runners = JoinSet::new();
        for _ in 0..self.max_concurrency.max(1) {
            let (runner, drain) = (self.runner.clone(), drain.clone());
            runners.spawn(async move { runner.run(&drain).await });
        }
        runners.join_all().await.into_iter().fold(Ended::Drained, Ended::and)
    }
}
