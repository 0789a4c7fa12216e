//! The common parts of all sources of a host.

use crate::{SourceConfig, SourceContext, recovery};
use host_adapters_delivery::circuit_breaker::{CircuitBreaker, Paused};
use host_adapters_delivery::dead_letter::{DeadLetter, Origin};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::event::Event;
use host_adapters_delivery::redrive::Recovery;
use host_adapters_delivery::retry::Backoff;
use host_adapters_platform::Declared;
use host_adapters_platform::objects::Notification;
use host_adapters_settings::{Block, Fields, Settings};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A source of one worker, ready to run.
#[async_trait::async_trait]
pub trait Source: Send + Sync {
    /// Whether it runs or is paused, and why.
    fn status(&self) -> Status;
    /// Feeds the worker until `drain` ends it. Errors make it wait and show in [`Source::status`]; they never end it.
    async fn run(&self, drain: Drain) -> Ended;
}

/// The settings of one kind of source.
pub trait SourceSettings {
    /// Reports diagnostics about several keys together.
    fn check(&self, _fields: &mut Fields<'_, '_>) {}
    /// What [`Self::check`] demands, as keywords of JSON Schema.
    fn rules() -> Map<String, Json>
    where
        Self: Sized,
    {
        Map::new()
    }
    /// The source's name in logs, metrics and dead letters: `<kind>:<name>`, or the kind alone of a source that a worker has
    /// once.
    fn name(&self) -> String;
    /// What the manifest must declare for it.
    fn reads(&self) -> Option<Resource> {
        None
    }
    /// The group by which the source of `worker` shares with others what it reads, if there are groups: in one group each
    /// record is handed over once.
    fn group(&self, _worker: &str) -> Option<String> {
        None
    }
    /// The objects whose creation is notified to the queue that it reads, if it hands over objects.
    fn notified(&self) -> Option<Notification> {
        None
    }
    /// Completes the settings that its own block leaves out from what the manifest declares; `has` says whether the
    /// block has a key.
    fn complete(&mut self, _declared: &Declared, _has: &dyn Fn(&str) -> bool) {}
    /// The faults of these settings in relation to what the manifest declares, each with its key.
    fn faults(&self, _declared: &Declared) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// Whether it hands over tasks, one by one to a request worker, and not batches of events to a batch worker.
    fn does_tasks(&self) -> bool {
        false
    }
    /// The queue that dead letters of `worker` go to; `None` if there are no dead letters.
    fn dead_letter_queue(&self, worker: &str) -> Option<String>;
    /// Makes the source of these settings.
    fn source(&self, context: &SourceContext) -> Arc<dyn Source>;
}

/// The declared resource that a source reads.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The key of the source's block that names it.
    pub key: &'static str,
    /// What it is, for people: `data stream`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The names of this kind that the manifest declares.
    pub declared: fn(&Declared) -> Vec<&String>,
}

impl Resource {
    /// The kind of queues.
    pub const QUEUE: &'static str = "queue";
    /// The kind of tables, whose change streams are read.
    pub const TABLE: &'static str = "table";

    /// Whether the manifest declares it.
    pub fn is_declared(&self, declared: &Declared) -> bool {
        (self.declared)(declared).contains(&&self.name)
    }
}

impl SourceConfig {
    /// Whether this is what the source reads.
    pub fn is_fed_by(&self, kind: &str, name: &str) -> bool {
        self.reads().is_some_and(|it| it.kind == kind && it.name == name)
    }

    /// The queue that the source reads, if it reads one.
    pub fn queue(&self) -> Option<String> {
        self.reads().filter(|it| it.kind == Resource::QUEUE).map(|it| it.name)
    }

    /// The queue that dead letters of this source of `worker` go to, and their origin.
    pub fn dead_letters(&self, worker: &str) -> Option<(String, Origin)> {
        let origin = Origin { worker: worker.to_owned(), source: self.name(), queue: self.queue() };
        Some((self.dead_letter_queue(worker)?, origin))
    }
}

/// Reads the settings of one kind of source.
pub(crate) fn read<S: Settings + SourceSettings>(fields: &mut Fields<'_, '_>) -> Option<S> {
    let settings = S::read(fields);
    if let Some(settings) = &settings {
        settings.check(fields);
    }
    settings
}

/// The settings of one kind of source as documents describe them.
pub(crate) fn block<S: Settings + SourceSettings>(kind: &'static str) -> Block {
    Block { rules: S::rules(), ..Block::of_kind::<S>(kind) }
}

/// The event of a dead letter for its worker.
///
/// # Errors
/// When the dead letter does not contain the record, or names an unknown kind of source.
pub fn event_of(dead_letter: &DeadLetter) -> Result<Event, String> {
    Recovery::of(recovery, &dead_letter.summary.source).and_then(|recovery| (recovery.event)(dead_letter))
}

/// The state of a source, for `/readyz` and the command line.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Component id of the worker it feeds.
    pub worker: String,
    /// `<kind>:<name>`.
    pub source: String,
    /// Why it is paused; `None` while it runs.
    pub paused: Option<Paused>,
}

/// The two reasons for a source to pause.
#[derive(Clone)]
pub(crate) struct CircuitBreakers {
    /// Open while the source itself cannot be read.
    pub(crate) intake: Arc<CircuitBreaker>,
    /// Open while a dependency of the worker is down.
    pub(crate) worker: Arc<CircuitBreaker>,
}

impl CircuitBreakers {
    pub(crate) fn new(source: &str, backoff: &Backoff, gauge: &metrics::Gauge) -> Self {
        let breaker = || Arc::new(CircuitBreaker::new(source, backoff.clone(), gauge.clone()));
        Self { intake: breaker(), worker: breaker() }
    }

    pub(crate) fn status(&self, worker: &str, source: &str) -> Status {
        let paused = self.worker.paused().or_else(|| self.intake.paused());
        Status { worker: worker.to_owned(), source: source.to_owned(), paused }
    }
}

/// The range of `batch_window_secs` (docs/delivery.md, 1.2).
pub(crate) const BATCH_WINDOW_SECS: RangeInclusive<i64> = 0..=300;
/// The range of `max_batch_bytes`: up to what an instance can hold.
pub(crate) const MAX_BATCH_BYTES: RangeInclusive<i64> = 1..=268_435_456;
/// `6 MiB`, as in Lambda.
pub(crate) const DEFAULT_MAX_BATCH_BYTES: usize = 6 * 1024 * 1024;

/// `saveEntries` for `save-entries`: names in the documents are in camel case, component ids in kebab case.
pub fn camel_case_name(id: &str) -> String {
    let mut words = id.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        name + &letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    })
}
