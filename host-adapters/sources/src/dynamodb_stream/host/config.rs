//! Settings of a DynamoDB stream source, as `spin.toml` has them.

use super::DynamodbStreamSource;
use crate::{DEFAULT_MAX_BATCH_BYTES, Source, SourceContext, SourceSettings, camel_case_name};
use host_adapters_delivery::OnReject;
use host_adapters_delivery::batch::Limits;
use host_adapters_delivery::split::Policy;
use std::sync::Arc;
use std::time::Duration;

/// The change stream of one table that feeds one worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DynamodbStreamConfig {
    /// The table.
    pub table: String,
    /// Records per call at most, 1 to 10,000.
    pub batch_size: usize,
    /// How long the first record of a batch waits for company at most, 0 to 300 s.
    pub batch_window_secs: u32,
    /// Bytes of payload per call at most.
    pub max_batch_bytes: usize,
    /// Batches of one shard in flight at most, 1 to 10; the changes of one item stay in order.
    pub parallelization_factor: usize,
    /// Where a worker begins that has no checkpoint yet.
    pub starting_position: StartingPosition,
    /// Retries of a record after its first attempt, 0 to 10,000; -1 retries until it expires and blocks its shard.
    pub maximum_retry_attempts: i32,
    /// Records older than this become dead letters untried, up to 604,800 s; -1 for no limit.
    pub maximum_record_age_secs: i32,
    /// Halve a batch whose call failed, until the record to blame stands alone.
    pub bisect: bool,
    /// Where dead letters go; by default the worker's name in camel case and `Dlq`, as in `enqueueEntriesDlq`.
    pub dead_letter_queue: Option<String>,
    /// Whether rejected records are dropped or become dead letters.
    pub on_reject: OnReject,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StartingPosition {
    /// With the oldest record kept.
    #[default]
    TrimHorizon,
    /// With what is written from now on.
    Latest,
}

/// What the stream of a table is called in events, logs, metrics and dead letters.
pub(in crate::dynamodb_stream) fn name(table: &str) -> String {
    format!("dynamodb-stream:{table}")
}

impl DynamodbStreamConfig {
    /// All defaults, for `table`.
    pub fn new(table: &str) -> Self {
        Self {
            table: table.to_owned(),
            batch_size: 100,
            batch_window_secs: 0,
            max_batch_bytes: DEFAULT_MAX_BATCH_BYTES,
            parallelization_factor: 1,
            starting_position: StartingPosition::TrimHorizon,
            // Lambda's own default is -1, which lets one record block its shard for a day.
            maximum_retry_attempts: 3,
            maximum_record_age_secs: -1,
            bisect: true,
            dead_letter_queue: None,
            on_reject: OnReject::Drop,
        }
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

impl SourceSettings for DynamodbStreamConfig {
    fn name(&self) -> String {
        name(&self.table)
    }

    fn dead_letter_queue(&self, worker: &str) -> String {
        self.dead_letter_queue.clone().unwrap_or_else(|| format!("{}Dlq", camel_case_name(worker)))
    }

    fn source(self, context: &SourceContext) -> Arc<dyn Source> {
        Arc::new(DynamodbStreamSource::new(self, context))
    }
}
