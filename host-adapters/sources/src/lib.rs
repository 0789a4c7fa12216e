//! What feeds workers: one folder per kind of source. A new kind is a folder, a variant of [`SourceConfig`] and its
//! line in [`SourceConfig::source`].

pub mod dynamodb_stream;
pub mod sqs;

use host_adapters_delivery::OnReject;
use host_adapters_delivery::circuit_breaker::{CircuitBreaker, Paused};
use host_adapters_delivery::dead_letter::Origin;
use host_adapters_delivery::dispatch::Dispatch;
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::retry::Backoff;
use host_adapters_delivery::stream::OrderedStreams;
use host_adapters_platform::QueueBackend;
use host_adapters_platform::clock::Clock;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A source of one worker, ready to run.
#[async_trait::async_trait]
pub trait Source: Send + Sync {
    /// How it is doing.
    fn status(&self) -> Status;
    /// Feeds the worker until `drain` ends it. Errors make it wait, and show in [`Source::status`]; they never end it.
    async fn run(&self, drain: Drain) -> Ended;
}

/// A source as the manifest declares it: `sqs = { queue = "…" }`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceConfig {
    /// A queue.
    Sqs(sqs::SqsConfig),
    /// The change stream of a table.
    DynamodbStream(dynamodb_stream::DynamodbStreamConfig),
}

impl SourceConfig {
    /// What is wrong with the settings, each as a sentence that names the key; empty if nothing is.
    pub fn diagnostics(&self) -> Vec<String> {
        match self {
            Self::Sqs(config) => config.diagnostics(),
            Self::DynamodbStream(config) => config.diagnostics(),
        }
    }

    /// The queue that dead letters of this source of `worker` go to, and how they name where they come from.
    pub fn dead_letters(&self, worker: &str) -> (String, Origin) {
        let (queue, source) = match self {
            Self::Sqs(config) => (config.dead_letter_queue(), config.name()),
            Self::DynamodbStream(config) => (config.dead_letter_queue(worker), config.name()),
        };
        (queue, Origin { worker: worker.to_owned(), source })
    }

    /// The source itself.
    pub fn source(self, context: &SourceContext) -> Arc<dyn Source> {
        match self {
            Self::Sqs(config) => Arc::new(sqs::SqsSource::new(config, context)),
            Self::DynamodbStream(config) => Arc::new(dynamodb_stream::DynamodbStreamSource::new(config, context)),
        }
    }
}

/// What a source is connected to.
#[derive(Clone)]
pub struct SourceContext {
    /// Component id of the worker.
    pub worker: String,
    /// Where its batches go.
    pub dispatch: Arc<dyn Dispatch>,
    /// Queues: sources of their own, and dead letters of every source.
    pub queues: Arc<dyn QueueBackend>,
    /// Change streams of tables, which all workers of a host are to share.
    pub streams: Arc<OrderedStreams>,
    /// For the age of records.
    pub clock: Clock,
    /// Waits between retries and probes.
    pub backoff: Backoff,
}

/// How a source is doing, for `/readyz` and the command line.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Component id of the worker it feeds.
    pub worker: String,
    /// `<kind>:<name>`.
    pub source: String,
    /// Why it is paused, if it is.
    pub paused: Option<Paused>,
}

/// The two things a source pauses for.
#[derive(Clone)]
struct CircuitBreakers {
    /// Open while the source itself cannot be read.
    intake: Arc<CircuitBreaker>,
    /// Open while something that the worker needs is down.
    worker: Arc<CircuitBreaker>,
}

impl CircuitBreakers {
    fn new(source: &str, backoff: &Backoff, gauge: &metrics::Gauge) -> Self {
        let breaker = || Arc::new(CircuitBreaker::new(source, backoff.clone(), gauge.clone()));
        Self { intake: breaker(), worker: breaker() }
    }

    fn status(&self, worker: &str, source: &str) -> Status {
        let paused = self.worker.paused().or_else(|| self.intake.paused());
        Status { worker: worker.to_owned(), source: source.to_owned(), paused }
    }
}

/// `6 MiB`, as Lambda has it.
const fn default_max_batch_bytes() -> usize {
    6 * 1024 * 1024
}

/// `saveEntries` for `save-entries`: the documents' names are in camel case, component ids in kebab case.
pub fn camel_case_name(id: &str) -> String {
    let mut words = id.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        name + &letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    })
}

/// A sentence for each setting that is outside its range; a setting is its key, its value and its range.
fn out_of_range(settings: &[(&str, i64, std::ops::RangeInclusive<i64>)]) -> Vec<String> {
    let outside = settings.iter().filter(|(_, value, range)| !range.contains(value));
    outside
        .map(|(key, value, range)| format!("{key} = {value}: must be {} to {}", range.start(), range.end()))
        .collect()
}
