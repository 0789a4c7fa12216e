//! Settings of a DynamoDB stream source, as `spin.toml` has them.

use crate::{camel_case_name, default_max_batch_bytes, out_of_range};
use host_adapters_delivery::OnReject;
use host_adapters_delivery::batch::Limits;
use host_adapters_delivery::split::Policy;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The change stream of one table that feeds one worker.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DynamodbStreamConfig {
    /// The table.
    pub table: String,
    /// Records per call at most, 1 to 10,000.
    #[serde(default = "default_batch_size")]
    pub batch_size: usize,
    /// How long the first record of a batch waits for company at most, 0 to 300 s.
    #[serde(default)]
    pub batch_window_secs: u32,
    /// Bytes of payload per call at most.
    #[serde(default = "default_max_batch_bytes")]
    pub max_batch_bytes: usize,
    /// Batches of one shard in flight at most, 1 to 10; the changes of one item stay in order.
    #[serde(default = "default_parallelization_factor")]
    pub parallelization_factor: usize,
    /// Where a worker begins that has no checkpoint yet.
    #[serde(default)]
    pub starting_position: StartingPosition,
    /// Retries of a record after its first attempt, 0 to 10,000; -1 retries until it expires and blocks its shard.
    #[serde(default = "default_maximum_retry_attempts")]
    pub maximum_retry_attempts: i32,
    /// Records older than this become dead letters untried, up to 604,800 s; -1 for no limit.
    #[serde(default = "default_maximum_record_age_secs")]
    pub maximum_record_age_secs: i32,
    /// Halve a batch whose call failed, until the record to blame stands alone.
    #[serde(default = "default_bisect")]
    pub bisect: bool,
    /// Where dead letters go; by default the worker's name in camel case and `Dlq`, as in `enqueueEntriesDlq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_queue: Option<String>,
    /// Whether rejected records are dropped or become dead letters.
    #[serde(default)]
    pub on_reject: OnReject,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartingPosition {
    /// With the oldest record kept.
    #[default]
    TrimHorizon,
    /// With what is written from now on.
    Latest,
}

const fn default_batch_size() -> usize {
    100
}

const fn default_parallelization_factor() -> usize {
    1
}

/// Lambda's own default is -1, which lets one record block its shard for a day.
const fn default_maximum_retry_attempts() -> i32 {
    3
}

const fn default_maximum_record_age_secs() -> i32 {
    -1
}

const fn default_bisect() -> bool {
    true
}

/// What the stream of a table is called in events, logs, metrics and dead letters.
pub(super) fn name(table: &str) -> String {
    format!("dynamodb-stream:{table}")
}

impl DynamodbStreamConfig {
    /// All defaults, for `table`.
    pub fn new(table: &str) -> Self {
        Self {
            table: table.to_owned(),
            batch_size: default_batch_size(),
            batch_window_secs: 0,
            max_batch_bytes: default_max_batch_bytes(),
            parallelization_factor: default_parallelization_factor(),
            starting_position: StartingPosition::TrimHorizon,
            maximum_retry_attempts: default_maximum_retry_attempts(),
            maximum_record_age_secs: default_maximum_record_age_secs(),
            bisect: default_bisect(),
            dead_letter_queue: None,
            on_reject: OnReject::Drop,
        }
    }

    /// What is wrong with it, each as a sentence that names the key.
    pub fn diagnostics(&self) -> Vec<String> {
        let number = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        out_of_range(&[
            ("batch_size", number(self.batch_size), 1..=10_000),
            ("batch_window_secs", self.batch_window_secs.into(), 0..=300),
            ("max_batch_bytes", number(self.max_batch_bytes), 1..=i64::MAX),
            ("parallelization_factor", number(self.parallelization_factor), 1..=10),
            ("maximum_retry_attempts", self.maximum_retry_attempts.into(), -1..=10_000),
            ("maximum_record_age_secs", self.maximum_record_age_secs.into(), -1..=604_800),
        ])
    }

    /// What this source is called in logs, metrics and dead letters.
    pub fn name(&self) -> String {
        name(&self.table)
    }

    /// Where dead letters of `worker` go.
    pub fn dead_letter_queue(&self, worker: &str) -> String {
        self.dead_letter_queue.clone().unwrap_or_else(|| format!("{}Dlq", camel_case_name(worker)))
    }

    pub(super) fn limits(&self) -> Limits {
        let window = Duration::from_secs(self.batch_window_secs.into());
        Limits { size: self.batch_size, bytes: self.max_batch_bytes, window }
    }

    pub(super) fn policy(&self) -> Policy {
        // Only -1 does not fit.
        Policy { max_retries: u32::try_from(self.maximum_retry_attempts).ok(), bisect: self.bisect }
    }

    pub(super) fn max_age(&self) -> Option<Duration> {
        u64::try_from(self.maximum_record_age_secs).ok().map(Duration::from_secs)
    }
}
