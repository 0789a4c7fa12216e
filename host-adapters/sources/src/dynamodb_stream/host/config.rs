//! Settings of a DynamoDB stream source, as in `spin.toml`.

use super::DynamodbStreamSource;
use crate::{
    BATCH_WINDOW_SECS, DEFAULT_MAX_BATCH_BYTES, MAX_BATCH_BYTES, Resource, Source, SourceContext, SourceSettings,
    camel_case_name,
};
use host_adapters_delivery::OnReject;
use host_adapters_delivery::batch::Limits;
use host_adapters_delivery::split::Policy;
use host_adapters_settings::{Fields, Words, settings};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

settings! {
    /// The change stream of one table that feeds one worker.
    pub struct DynamodbStreamConfig {
        /// A table with `stream = true`.
        pub table: String = String::new(), "the name of a table under [application.tool.host-adapters.tables]";
        /// Most records of a call.
        pub batch_size: usize = 100, 1..=10_000;
        /// How long the first record of a batch waits for others at most, in seconds.
        pub batch_window_secs: u32 = 0, BATCH_WINDOW_SECS;
        /// Most bytes of payload of a call.
        pub max_batch_bytes: usize = DEFAULT_MAX_BATCH_BYTES, MAX_BATCH_BYTES;
        /// Most batches of one shard in flight; the changes of one item stay in order.
        pub parallelization_factor: usize = 1, 1..=10;
        /// Where a worker without a checkpoint begins.
        pub starting_position: StartingPosition = StartingPosition::TrimHorizon, ();
        /// Retries of a record after its first attempt; -1 retries until it expires and blocks its shard, which is
        /// Lambda's default.
        pub maximum_retry_attempts: i32 = 3, -1..=10_000;
        /// Records older than this become dead letters without an attempt, in seconds; -1 for no limit.
        pub maximum_record_age_secs: i32 = -1, -1..=604_800;
        /// For a worker that must get the records of a shard one batch after the other, none left out: with it
        /// `parallelization_factor` must be 1, and `maximum_retry_attempts` and `maximum_record_age_secs` -1.
        pub strict_order: bool = false, ();
        /// Whether a batch whose call failed is halved, until the record that caused it is alone.
        pub bisect: bool = true, ();
        /// The queue of dead letters; by default the worker's name in camel case and `Dlq`, as in `enqueueEntriesDlq`.
        pub dead_letter_queue: Option<String> = None, ();
        /// Whether rejected records become dead letters or are dropped, and their payload lost.
        pub on_reject: OnReject = OnReject::DeadLetter, ();
    }
}

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StartingPosition {
    /// With the oldest record that the stream still has.
    #[default]
    TrimHorizon,
    /// With records written from now on.
    Latest,
}

impl Words for StartingPosition {
    const WORDS: &'static [(&'static str, Self)] = &[("TRIM_HORIZON", Self::TrimHorizon), ("LATEST", Self::Latest)];
}

/// The name of a table's stream in events, logs, metrics and dead letters.
pub(in crate::dynamodb_stream) fn name(table: &str) -> String {
    format!("dynamodb-stream:{table}")
}

impl DynamodbStreamConfig {
    /// The default settings for `table`.
    pub fn new(table: &str) -> Self {
        Self { table: table.to_owned(), ..Self::default() }
    }

    /// The queue that dead letters of `worker` go to.
    pub fn dead_letters(&self, worker: &str) -> String {
        self.dead_letter_queue.clone().unwrap_or_else(|| format!("{}Dlq", camel_case_name(worker)))
    }

    pub(super) fn limits(&self) -> Limits {
        let window = Duration::from_secs(self.batch_window_secs.into());
        Limits { size: self.batch_size, bytes: self.max_batch_bytes, window }
    }

    pub(super) fn policy(&self) -> Policy {
        // Only -1, which stands for no limit, does not fit.
        Policy { max_retries: u32::try_from(self.maximum_retry_attempts).ok(), bisect: self.bisect }
    }

    pub(super) fn max_age(&self) -> Option<Duration> {
        u64::try_from(self.maximum_record_age_secs).ok().map(Duration::from_secs)
    }
}

impl SourceSettings for DynamodbStreamConfig {
    /// What would hand records over side by side, or leave one out that can be read (docs/delivery.md, 4.18).
    fn check(&self, fields: &mut Fields<'_, '_>) {
        if !self.strict_order {
            return;
        }
        let needed = [
            ("parallelization_factor = 1", self.parallelization_factor == 1),
            ("maximum_retry_attempts = -1", self.maximum_retry_attempts == -1),
            ("maximum_record_age_secs = -1", self.maximum_record_age_secs == -1),
        ];
        let missing: Vec<_> = needed.into_iter().filter(|(_, is_so)| !is_so).map(|(setting, _)| setting).collect();
        if !missing.is_empty()
            && let Some((_, span)) = fields.item("strict_order")
        {
            fields.diagnostic(&span, format!("strict_order = true needs {}", missing.join(", ")));
        }
    }

    fn rules() -> Map<String, Json> {
        let strict = json!({"properties": {"strict_order": {"const": true}}, "required": ["strict_order"]});
        let settings = json!({
            "properties": {
                "parallelization_factor": {"const": 1},
                "maximum_retry_attempts": {"const": -1},
                "maximum_record_age_secs": {"const": -1},
            },
            "required": ["maximum_retry_attempts"],
        });
        [("if".to_owned(), strict), ("then".to_owned(), settings)].into_iter().collect()
    }

    fn name(&self) -> String {
        name(&self.table)
    }

    fn reads(&self) -> Option<(&'static str, Resource)> {
        Some(("table", Resource::Stream(self.table.clone())))
    }

    fn dead_letter_queue(&self, worker: &str) -> Option<String> {
        Some(self.dead_letters(worker))
    }

    fn source(&self, context: &SourceContext) -> Arc<dyn Source> {
        Arc::new(DynamodbStreamSource::new(self.clone(), context))
    }
}
