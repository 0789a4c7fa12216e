//! Settings of a source of the event log, as in `spin.toml`.

use super::filter::COMPARED;
use super::topics;
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
    /// One topic of the event log that feeds one worker.
    pub struct KafkaSourceConfig {
        /// The topic.
        pub topic: String = String::new(), "the name of a topic under [application.tool.host-adapters.event_log]";
        /// The group, which shares the partitions among its hosts and keeps its offsets; by default the component's id.
        pub group: Option<String> = None, ();
        /// Where a group without offsets begins.
        pub starting_position: StartingPosition = StartingPosition::TrimHorizon, ();
        /// With `AT_TIMESTAMP`: the time of the first records, RFC 3339, as in `2024-01-15T10:30:00Z`. It is not in the
        /// future; one before the oldest record stands for `TRIM_HORIZON`.
        pub starting_position_timestamp: Timestamp = Timestamp::default(), ();
        /// Which records the worker gets, by a filter pattern of AWS Lambda for their values, as in
        /// `{ value.type = ["MARKET"] }`; the others are settled. Without one it gets all.
        pub filter: RecordFilter = RecordFilter::default(), COMPARED;
    }
}

impl KafkaSourceConfig {
    /// The default settings for `topic`.
    pub fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), ..Self::default() }
    }
}

impl SourceSettings for KafkaSourceConfig {
    fn check(&self, fields: &mut Fields<'_, '_>) {
        self.check_order(fields);
        start::check(self.starting_position, self.starting_position_timestamp, fields);
        if self.group.as_deref() == Some("")
            && let Some((_, span)) = fields.item("group")
        {
            fields.diagnostic(&span, "group is empty; write a name, or leave it out");
        }
    }

    fn rules() -> Map<String, Json> {
        let group = json!({"properties": {"group": {"minLength": 1}}});
        [("allOf".to_owned(), json!([start::rules(), strict_order_rules(), group]))].into_iter().collect()
    }

    fn name(&self) -> String {
        source_name::of_log_topic(&self.topic)
    }

    fn reads(&self) -> Option<Resource> {
        Some(Resource {
            key: "topic",
            kind: "topic of the event log",
            name: self.topic.clone(),
            declared: |declared| declared.event_log.names(),
        })
    }

    fn group(&self, worker: &str) -> Option<String> {
        Some(self.group.clone().unwrap_or_else(|| worker.to_owned()))
    }

    fn dead_letter_queue(&self, worker: &str) -> Option<String> {
        Some(self.dead_letters(worker))
    }

    fn source(&self, context: &SourceContext) -> Arc<dyn Source> {
        let stream = OrderedStream {
            source: self.name(),
            stream: self.topic.clone(),
            streams: context.ordered.of(source_name::EVENT_LOG, || topics(context.stores.event_log.clone())),
            group: SourceSettings::group(self, &context.worker),
            start: start::start(self.starting_position, self.starting_position_timestamp),
            wanted: self.filter.wanted(),
            dead_letter_queue: self.dead_letters(&context.worker),
            batch_info: "KafkaBatchInfo",
            delivery: self.delivery(),
        };
        stream.source(context)
    }
}
