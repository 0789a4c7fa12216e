//! Settings of a Kinesis source, as in `spin.toml`.

use super::filter::COMPARED;
use super::streams;
use crate::filter::RecordFilter;
use crate::ordered::{OrderedStream, ordered_stream_settings, strict_order_rules};
use crate::start::{self, StartingPosition, Timestamp};
use crate::{Resource, Source, SourceContext, SourceSettings};
use host_adapters_event::source_name;
use host_adapters_platform::DeclaredNames;
use host_adapters_settings::Fields;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

ordered_stream_settings! {
    /// One data stream that feeds one worker.
    pub struct KinesisConfig {
        /// The stream.
        pub stream: String = String::new(), "the name of a stream under [application.tool.host-adapters.data_streams]";
        /// Where a worker without a checkpoint begins.
        pub starting_position: StartingPosition = StartingPosition::TrimHorizon, ();
        /// With `AT_TIMESTAMP`: the time of the first records, RFC 3339, as in `2024-01-15T10:30:00Z`. It is not in the
        /// future; one before the oldest record stands for `TRIM_HORIZON`.
        pub starting_position_timestamp: Timestamp = Timestamp::default(), ();
        /// Which records the worker gets, by a filter pattern of AWS Lambda for their data, as in `{ data.rank = [0] }`; the
        /// others are settled. Without one it gets all.
        pub filter: RecordFilter = RecordFilter::default(), COMPARED;
    }
}

impl KinesisConfig {
    /// The default settings for `stream`.
    pub fn new(stream: &str) -> Self {
        Self { stream: stream.to_owned(), ..Self::default() }
    }

    /// The same with a filter.
    ///
    /// # Errors
    /// The fault of the pattern.
    pub fn filtered(self, pattern: &str) -> Result<Self, String> {
        Ok(Self { filter: RecordFilter::compile(pattern, COMPARED)?, ..self })
    }
}

impl SourceSettings for KinesisConfig {
    fn check(&self, fields: &mut Fields<'_, '_>) {
        self.check_order(fields);
        start::check(self.starting_position, self.starting_position_timestamp, fields);
    }

    fn rules() -> Map<String, Json> {
        [("allOf".to_owned(), json!([start::rules(), strict_order_rules()]))].into_iter().collect()
    }

    fn name(&self) -> String {
        source_name::of_data_stream(&self.stream)
    }

    fn reads(&self) -> Option<Resource> {
        Some(Resource {
            key: "stream",
            kind: "data stream",
            name: self.stream.clone(),
            declared: |declared| declared.data_streams.names(),
        })
    }

    fn dead_letter_queue(&self, worker: &str) -> Option<String> {
        Some(self.dead_letters(worker))
    }

    fn source(&self, context: &SourceContext) -> Arc<dyn Source> {
        let stream = OrderedStream {
            source: self.name(),
            stream: self.stream.clone(),
            streams: context.ordered.of(source_name::DATA_STREAM, || streams(context.stores.data_streams.clone())),
            group: None,
            start: start::start(self.starting_position, self.starting_position_timestamp),
            wanted: self.filter.wanted(),
            dead_letter_queue: self.dead_letters(&context.worker),
            batch_info: "KinesisBatchInfo",
            delivery: self.delivery(),
        };
        stream.source(context)
    }
}
