//! Settings of a DynamoDB stream source, as in `spin.toml`.

use super::streams;
use super::tagged::record_of;
use crate::filter::{Compared, Record, RecordFilter};
use crate::ordered::{OrderedStream, ordered_stream_settings, strict_order_rules};
use crate::{Resource, Source, SourceContext, SourceSettings};
use host_adapters_delivery::stream::Start;
use host_adapters_event::{Event, source_name};
use host_adapters_platform::{Declared, DeclaredNames};
use host_adapters_settings::{Fields, Words};
use serde_json::{Map, Value as Json};
use std::sync::Arc;

ordered_stream_settings! {
    /// The change stream of one table that feeds one worker.
    pub struct DynamodbStreamConfig {
        /// A table with `stream = true`.
        pub table: String = String::new(), "the name of a table under [application.tool.host-adapters.tables]";
        /// Where a worker without a checkpoint begins.
        pub starting_position: StartingPosition = StartingPosition::TrimHorizon, ();
        /// Which changes the worker gets, by a filter pattern of AWS Lambda, as in
        /// `{ dynamodb.Keys.sk.S = [{ prefix = "USER#" }] }`; the others are settled. Without one it gets all.
        pub filter: RecordFilter = RecordFilter::default(), COMPARED;
    }
}

/// Images, numbers and keys have DynamoDB's type tags, as in Lambda's events.
const COMPARED: Compared =
    Compared { members: &["dynamodb", "eventName", "userIdentity"], payload: "", record: lambda_record };

fn lambda_record(event: &Event, with_images: bool) -> Option<Record<'_>> {
    Some(Record { metadata: record_of(&event.payload, with_images)?.into(), payload: None })
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

impl DynamodbStreamConfig {
    /// The default settings for `table`.
    pub fn new(table: &str) -> Self {
        Self { table: table.to_owned(), ..Self::default() }
    }

    /// The same with a filter.
    ///
    /// # Errors
    /// The fault of the pattern.
    pub fn filtered(self, pattern: &str) -> Result<Self, String> {
        Ok(Self { filter: RecordFilter::compile(pattern, COMPARED)?, ..self })
    }
}

impl SourceSettings for DynamodbStreamConfig {
    fn check(&self, fields: &mut Fields<'_, '_>) {
        self.check_order(fields);
    }

    fn rules() -> Map<String, Json> {
        strict_order_rules()
    }

    fn name(&self) -> String {
        source_name::of_table_stream(&self.table)
    }

    fn reads(&self) -> Option<Resource> {
        Some(Resource {
            key: "table",
            kind: Resource::TABLE,
            name: self.table.clone(),
            declared: |declared| declared.tables.names(),
        })
    }

    fn faults(&self, declared: &Declared) -> Vec<(&'static str, String)> {
        let table = declared.tables.get(&self.table).filter(|table| !table.stream);
        let fault = |_| ("table", format!("table \"{}\" has no stream; declare it with stream = true", self.table));
        table.map(fault).into_iter().collect()
    }

    fn dead_letter_queue(&self, worker: &str) -> Option<String> {
        Some(self.dead_letters(worker))
    }

    fn source(&self, context: &SourceContext) -> Arc<dyn Source> {
        let stream = OrderedStream {
            source: self.name(),
            stream: self.table.clone(),
            streams: context.ordered.of(source_name::TABLE_STREAM, || streams(context.stores.streams.clone())),
            group: None,
            start: match self.starting_position {
                StartingPosition::TrimHorizon => Start::Oldest,
                StartingPosition::Latest => Start::Latest,
            },
            wanted: self.filter.wanted(),
            dead_letter_queue: self.dead_letters(&context.worker),
            batch_info: "DDBStreamBatchInfo",
            delivery: self.delivery(),
        };
        stream.source(context)
    }
}
