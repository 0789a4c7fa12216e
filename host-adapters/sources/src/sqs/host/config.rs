//! Settings of an SQS source, as `spin.toml` has them.

use super::SqsSource;
use crate::{DEFAULT_MAX_BATCH_BYTES, Source, SourceContext, SourceSettings};
use host_adapters_delivery::OnReject;
use host_adapters_delivery::batch::Limits;
use std::sync::Arc;
use std::time::Duration;

/// One queue that feeds one worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SqsConfig {
    /// The queue.
    pub queue: String,
    /// Records per call at most, 1 to 25,000; more than 10 need a window.
    pub batch_size: usize,
    /// The longest time that the first record of a batch waits for others, 0 to 300 s.
    pub batch_window_secs: u32,
    /// Bytes of payload per call at most.
    pub max_batch_bytes: usize,
    /// How long a received message stays invisible, 1 s to 12 h; it is extended while the message is in flight.
    pub visibility_timeout_secs: u32,
    /// The most batches in flight: the number of pollers, each of which handles one batch after the other.
    pub max_concurrency: usize,
    /// The receive at which a message that is to be retried becomes a dead letter, 1 to 1,000.
    pub max_attempts: u32,
    /// Where dead letters go; `<queue>Dlq` by default.
    pub dead_letter_queue: Option<String>,
    /// Whether rejected records are dropped or become dead letters.
    pub on_reject: OnReject,
}

impl SqsConfig {
    /// All defaults, for `queue`.
    pub fn new(queue: &str) -> Self {
        Self {
            queue: queue.to_owned(),
            batch_size: 10,
            batch_window_secs: 0,
            max_batch_bytes: DEFAULT_MAX_BATCH_BYTES,
            visibility_timeout_secs: 30,
            // Lambda starts with five (its page "Scaling SQS event source mappings").
            max_concurrency: 5,
            max_attempts: 3,
            dead_letter_queue: None,
            on_reject: OnReject::Drop,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        let window = Duration::from_secs(self.batch_window_secs.into());
        Limits { size: self.batch_size, bytes: self.max_batch_bytes, window }
    }

    pub(super) fn visibility(&self) -> Duration {
        Duration::from_secs(self.visibility_timeout_secs.into())
    }
}

impl SourceSettings for SqsConfig {
    fn name(&self) -> String {
        format!("sqs:{}", self.queue)
    }

    fn dead_letter_queue(&self, _worker: &str) -> String {
        self.dead_letter_queue.clone().unwrap_or_else(|| format!("{}Dlq", self.queue))
    }

    fn source(self, context: &SourceContext) -> Arc<dyn Source> {
        Arc::new(SqsSource::new(self, context))
    }
}
