//! Settings of a Kinesis source, as in `spin.toml`.

use super::filter::COMPARED;
use super::streams;
use crate::filter::RecordFilter;
use crate::ordered::{OrderedStream, ordered_stream_settings, strict_order_rules};
use crate::{Resource, Source, SourceContext, SourceSettings};
use chrono::{DateTime, Utc};
use host_adapters_delivery::stream::Start;
use host_adapters_event::source_name;
use host_adapters_platform::DeclaredNames;
use host_adapters_settings::{Fields, Setting, Words};
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

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StartingPosition {
    /// With the oldest record that the stream still has.
    #[default]
    TrimHorizon,
    /// With records written from now on.
    Latest,
    /// With the first record that came at or after a time.
    AtTimestamp,
}

impl Words for StartingPosition {
    const WORDS: &'static [(&'static str, Self)] =
        &[("TRIM_HORIZON", Self::TrimHorizon), ("LATEST", Self::Latest), ("AT_TIMESTAMP", Self::AtTimestamp)];
}

/// A time in milliseconds since 1970 (UTC), if there is one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Timestamp(pub Option<u64>);

impl Setting for Timestamp {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        let raw = fields.string(key)?;
        let time = DateTime::parse_from_rfc3339(&raw.value).ok();
        let time_ms = time.and_then(|time| u64::try_from(time.timestamp_millis()).ok());
        if time_ms.is_none() {
            let message = format!("{key} = \"{}\" is not a time; write one as in \"2024-01-15T10:30:00Z\"", raw.value);
            fields.diagnostic(&raw.span, message);
        }
        Some(Self(time_ms))
    }

    fn schema(_default: Self, (): &()) -> Json {
        json!({"type": "string", "format": "date-time"})
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

    fn start(&self) -> Start {
        match (self.starting_position, self.starting_position_timestamp) {
            (StartingPosition::Latest, _) => Start::Latest,
            (StartingPosition::AtTimestamp, Timestamp(Some(time_ms))) => Start::At(time_ms),
            (StartingPosition::TrimHorizon | StartingPosition::AtTimestamp, _) => Start::Oldest,
        }
    }
}

const POSITION: &str = "starting_position";
const TIMESTAMP: &str = "starting_position_timestamp";

impl SourceSettings for KinesisConfig {
    /// `AT_TIMESTAMP` and its time belong together (docs/delivery.md, 4.20).
    fn check(&self, fields: &mut Fields<'_, '_>) {
        self.check_order(fields);
        let is_at_time = self.starting_position == StartingPosition::AtTimestamp;
        let is_future = |time_ms| i64::try_from(time_ms).is_ok_and(|time_ms| time_ms > Utc::now().timestamp_millis());
        let fault = if is_at_time && !fields.has(TIMESTAMP) {
            Some((POSITION, format!("{POSITION} = \"AT_TIMESTAMP\" needs a time; write {TIMESTAMP}")))
        } else if !is_at_time && fields.has(TIMESTAMP) {
            Some((TIMESTAMP, format!("{TIMESTAMP} is only for {POSITION} = \"AT_TIMESTAMP\"; leave it out")))
        } else if self.starting_position_timestamp.0.is_some_and(is_future) {
            Some((TIMESTAMP, format!("{TIMESTAMP} is in the future; write LATEST, or an earlier time")))
        } else {
            None
        };
        if let Some((key, message)) = fault
            && let Some((_, span)) = fields.item(key)
        {
            fields.diagnostic(&span, message);
        }
    }

    fn rules() -> Map<String, Json> {
        let at_time = json!({"properties": {POSITION: {"const": "AT_TIMESTAMP"}}, "required": [POSITION]});
        let (time, no_time) = (json!({"required": [TIMESTAMP]}), json!({"not": {"required": [TIMESTAMP]}}));
        let timestamp = json!({"if": at_time, "then": time, "else": no_time});
        [("allOf".to_owned(), json!([timestamp, strict_order_rules()]))].into_iter().collect()
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
            start: self.start(),
            wanted: self.filter.wanted(),
            dead_letter_queue: self.dead_letters(&context.worker),
            batch_info: "KinesisBatchInfo",
            delivery: self.delivery(),
        };
        stream.source(context)
    }
}
