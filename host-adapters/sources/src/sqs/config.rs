//! Settings of an SQS source, as `spin.toml` has them.

use crate::{default_max_batch_bytes, out_of_range};
use host_adapters_delivery::OnReject;
use host_adapters_delivery::batch::Limits;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One queue that feeds one worker.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SqsConfig {
    /// The queue.
    pub queue: String,
    /// Records per call at most, 1 to 25,000; more than 10 need a window.
    #[serde(default = "default_batch_size")]
    pub batch_size: usize,
    /// The longest time that the first record of a batch waits for others, 0 to 300 s.
    #[serde(default)]
    pub batch_window_secs: u32,
    /// Bytes of payload per call at most.
    #[serde(default = "default_max_batch_bytes")]
    pub max_batch_bytes: usize,
    /// How long a received message stays invisible, 1 s to 12 h; it is extended while the message is in flight.
    #[serde(default = "default_visibility_timeout_secs")]
    pub visibility_timeout_secs: u32,
    /// The most batches in flight: the number of pollers, each of which handles one batch after the other.
    #[serde(default = "default_max_concurrency")]
    pub max_concurrency: usize,
    /// The receive at which a message that is to be retried becomes a dead letter, 1 to 1,000.
    #[serde(default = "default_max_attempts")]
    pub max_attempts: u32,
    /// Where dead letters go; `<queue>Dlq` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_queue: Option<String>,
    /// Whether rejected records are dropped or become dead letters.
    #[serde(default)]
    pub on_reject: OnReject,
}

const fn default_batch_size() -> usize {
    10
}

const fn default_visibility_timeout_secs() -> u32 {
    30
}

/// Lambda starts with five (its page "Scaling SQS event source mappings").
const fn default_max_concurrency() -> usize {
    5
}

const fn default_max_attempts() -> u32 {
    3
}

impl SqsConfig {
    /// All defaults, for `queue`.
    pub fn new(queue: &str) -> Self {
        Self {
            queue: queue.to_owned(),
            batch_size: default_batch_size(),
            batch_window_secs: 0,
            max_batch_bytes: default_max_batch_bytes(),
            visibility_timeout_secs: default_visibility_timeout_secs(),
            max_concurrency: default_max_concurrency(),
            max_attempts: default_max_attempts(),
            dead_letter_queue: None,
            on_reject: OnReject::Drop,
        }
    }

    /// What is wrong with it, each as a sentence that names the key.
    pub fn diagnostics(&self) -> Vec<String> {
        let number = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        let mut diagnostics = out_of_range(&[
            ("batch_size", number(self.batch_size), 1..=25_000),
            ("batch_window_secs", self.batch_window_secs.into(), 0..=300),
            ("max_batch_bytes", number(self.max_batch_bytes), 1..=i64::MAX),
            ("visibility_timeout_secs", self.visibility_timeout_secs.into(), 1..=43_200),
            ("max_concurrency", number(self.max_concurrency), 1..=1_000),
            ("max_attempts", self.max_attempts.into(), 1..=1_000),
        ]);
        if self.batch_size > 10 && self.batch_window_secs == 0 {
            diagnostics
                .push(format!("batch_size = {}: above 10 it needs batch_window_secs of at least 1", self.batch_size));
        }
        diagnostics
    }

    /// What this source is called in logs, metrics and dead letters.
    pub fn name(&self) -> String {
        format!("sqs:{}", self.queue)
    }

    /// Where dead letters go.
    pub fn dead_letter_queue(&self) -> String {
        self.dead_letter_queue.clone().unwrap_or_else(|| format!("{}Dlq", self.queue))
    }

    pub(super) fn limits(&self) -> Limits {
        let window = Duration::from_secs(self.batch_window_secs.into());
        Limits { size: self.batch_size, bytes: self.max_batch_bytes, window }
    }

    pub(super) fn visibility(&self) -> Duration {
        Duration::from_secs(self.visibility_timeout_secs.into())
    }
}
