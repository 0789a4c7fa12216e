//! Settings of an SQS source, as in `spin.toml`.

use super::SqsSource;
use crate::{
    BATCH_WINDOW_SECS, DEFAULT_MAX_BATCH_BYTES, MAX_BATCH_BYTES, Resource, Source, SourceContext, SourceSettings,
};
use host_adapters_delivery::OnReject;
use host_adapters_delivery::batch::BatchLimits;
use host_adapters_event::source_name;
use host_adapters_platform::{Declared, DeclaredNames, QueueSpec, fifo};
use host_adapters_settings::{Fields, settings};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

/// Most records of an SQS batch without a window. A larger batch needs time to gather, because a receive returns ten at
/// most.
const WINDOWLESS_BATCH: usize = 10;

settings! {
    /// One queue that feeds one worker.
    pub struct SqsConfig {
        /// The queue.
        pub queue: String = String::new(), "the name of a queue under [application.tool.host-adapters.queues]";
        /// Most records of a call; more than 10 need a window.
        pub batch_size: usize = 10, 1..=25_000;
        /// How long the first record of a batch waits for others at most, in seconds.
        pub batch_window_secs: u32 = 0, BATCH_WINDOW_SECS;
        /// Most bytes of payload of a call.
        pub max_batch_bytes: usize = DEFAULT_MAX_BATCH_BYTES, MAX_BATCH_BYTES;
        /// How long a received message stays invisible, in seconds; it is extended while the message is in flight. By
        /// default that of the queue.
        pub visibility_timeout_secs: u32 = QueueSpec::default().visibility_timeout_secs, QueueSpec::VISIBILITY_TIMEOUT_SECS;
        /// How long the queue keeps a message, in seconds: a message that waits becomes a dead letter before that. By
        /// default that of the queue.
        pub retention_secs: u32 = QueueSpec::default().retention_secs, QueueSpec::RETENTION_SECS;
        /// After how many receives the queue itself moves a message: one that only waits is received less and less often
        /// once no more than 90 are left. By default that of the queue.
        pub max_receive_count: u32 = QueueSpec::default().max_receive_count, QueueSpec::MAX_RECEIVE_COUNT;
        /// Most batches in flight: the number of pollers, each of which handles one batch after the other. Lambda
        /// starts with five (its page "Scaling SQS event source mappings").
        pub max_concurrency: usize = 5, 1..=1_000;
        /// The failure at which a message becomes a dead letter. Receives that end without an outcome do not count.
        pub max_attempts: u32 = 3, 1..=1_000;
        /// The queue of dead letters; `<queue>Dlq` by default, `<queue>Dlq.fifo` of a FIFO queue.
        pub dead_letter_queue: Option<String> = None, ();
        /// Whether rejected records become dead letters or are dropped, and their payload lost.
        pub on_reject: OnReject = OnReject::DeadLetter, ();
    }
}

impl SqsConfig {
    /// The default settings for `queue`.
    pub fn new(queue: &str) -> Self {
        Self { queue: queue.to_owned(), ..Self::default() }
    }

    pub(super) fn limits(&self) -> BatchLimits {
        let window = Duration::from_secs(self.batch_window_secs.into());
        BatchLimits { size: self.batch_size, bytes: self.max_batch_bytes, window }
    }

    /// A receive of a FIFO queue returns ten messages at most, and gathering more would block their groups
    /// (docs/delivery.md, 3.13).
    fn check_fifo(&self, fields: &mut Fields<'_, '_>) {
        let too_much = [
            ("batch_size", self.batch_size > WINDOWLESS_BATCH, "takes batches of at most 10"),
            ("batch_window_secs", self.batch_window_secs > 0, "has no window; leave it out"),
        ];
        for (key, _, rule) in too_much.into_iter().filter(|(_, is_wrong, _)| *is_wrong) {
            if let Some((_, span)) = fields.item(key) {
                fields.diagnostic(&span, format!("\"{}\" is a FIFO queue, which {rule}", self.queue));
            }
        }
    }

    pub(super) fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_secs.into())
    }

    /// The queue of dead letters.
    pub(super) fn dead_letters(&self) -> String {
        self.dead_letter_queue.clone().unwrap_or_else(|| fifo::tagged(&self.queue, "Dlq"))
    }

    pub(super) fn visibility(&self) -> Duration {
        Duration::from_secs(self.visibility_timeout_secs.into())
    }
}

impl SourceSettings for SqsConfig {
    /// The size of a batch must allow for its window (docs/delivery.md, 1.1).
    fn check(&self, fields: &mut Fields<'_, '_>) {
        if self.batch_size > WINDOWLESS_BATCH
            && self.batch_window_secs == 0
            && let Some((_, span)) = fields.item("batch_size")
        {
            let size = self.batch_size;
            let message = format!("batch_size = {size} needs time to gather; write batch_window_secs = 1 or more");
            fields.diagnostic(&span, message);
        }
        if fifo::is_fifo(&self.queue) {
            self.check_fifo(fields);
        }
        if let Some(dead_letters) = &self.dead_letter_queue
            && let Some(message) = fifo::mismatch(&self.queue, dead_letters)
            && let Some((_, span)) = fields.item("dead_letter_queue")
        {
            fields.diagnostic(&span, message);
        }
    }

    fn rules() -> Map<String, Json> {
        let more = json!({"properties": {"batch_size": {"minimum": WINDOWLESS_BATCH + 1}}, "required": ["batch_size"]});
        let window = json!({"properties": {"batch_window_secs": {"minimum": 1}}, "required": ["batch_window_secs"]});
        [("if".to_owned(), more), ("then".to_owned(), window)].into_iter().collect()
    }

    fn name(&self) -> String {
        source_name::of_queue(&self.queue)
    }

    fn reads(&self) -> Option<Resource> {
        Some(Resource {
            key: "queue",
            kind: Resource::QUEUE,
            name: self.queue.clone(),
            declared: |declared| declared.queues.names(),
        })
    }

    /// If the block does not set how long a message stays invisible or is kept, and how often it may be received, the
    /// queue's settings apply.
    fn complete(&mut self, declared: &Declared, has: &dyn Fn(&str) -> bool) {
        let Some(queue) = declared.queues.get(&self.queue) else { return };
        if !has("visibility_timeout_secs") {
            self.visibility_timeout_secs = queue.visibility_timeout_secs;
        }
        if !has("retention_secs") {
            self.retention_secs = queue.retention_secs;
        }
        if !has("max_receive_count") {
            self.max_receive_count = queue.max_receive_count;
        }
    }

    /// The queue's own redrive must not come before the last attempt: the message would miss attempts, and its dead letter a
    /// reason (docs/delivery.md, 3.9).
    fn faults(&self, declared: &Declared) -> Vec<(&'static str, String)> {
        let (name, attempts) = (&self.queue, self.max_attempts);
        let moves = |queue: &&QueueSpec| queue.dead_letter_queue.is_some() && queue.max_receive_count < attempts;
        let fault = declared.queues.get(name).filter(moves).map(|queue| {
            let receives = queue.max_receive_count;
            format!(
                "max_attempts = {attempts} is not reached, because \"{name}\" moves a message to its dead letter queue \
                 after max_receive_count = {receives} receives; write at most {receives}, or more receives there"
            )
        });
        fault.into_iter().map(|fault| ("max_attempts", fault)).collect()
    }

    fn dead_letter_queue(&self, _worker: &str) -> Option<String> {
        Some(self.dead_letters())
    }

    fn source(&self, context: &SourceContext) -> Arc<dyn Source> {
        Arc::new(SqsSource::new(self.clone(), context))
    }
}
