//! `[[component.<id>.tool.host-adapters.source]]`: what feeds a worker, with the ranges that AWS gives the same
//! settings.

use super::app::Host;
use super::fields::{Fields, Spanned};
use host_adapters_delivery::OnReject;
use host_adapters_sources::SourceConfig;
use host_adapters_sources::dynamodb_stream::{DynamodbStreamConfig, StartingPosition};
use host_adapters_sources::sqs::SqsConfig;
use std::ops::Range;

/// The words for `type`.
const TYPES: [(&str, Type); 2] = [("sqs", Type::Sqs), ("dynamodb-stream", Type::DynamodbStream)];
/// Records of an SQS batch by default. Above it, a batch needs time to gather: SQS hands out ten at a time.
const WINDOWLESS_BATCH: usize = 10;
/// Seconds a batch may gather (docs/delivery.md, 1.2).
const WINDOW: std::ops::RangeInclusive<i64> = 0..=300;
/// Up to what an instance could hold.
const BATCH_BYTES: std::ops::RangeInclusive<i64> = 1..=268_435_456;
/// The words for `starting_position`.
const POSITIONS: [(&str, StartingPosition); 2] =
    [("TRIM_HORIZON", StartingPosition::TrimHorizon), ("LATEST", StartingPosition::Latest)];

#[derive(Clone, Copy)]
enum Type {
    Sqs,
    DynamodbStream,
}

/// A source with the places its names were written at, for the checks against what is declared.
pub(super) struct RawSource {
    pub(super) source: SourceConfig,
    /// The queue or table.
    pub(super) from: Range<usize>,
    /// Whether it says how long records stay invisible; if not, the queue's own time holds.
    pub(super) own_visibility: bool,
}

impl RawSource {
    /// The source; where it does not say how long a record stays invisible, its queue does.
    pub(super) fn finish(mut self, host: &Host) -> SourceConfig {
        if let SourceConfig::Sqs(config) = &mut self.source
            && !self.own_visibility
            && let Some(queue) = host.queues.get(&config.queue)
        {
            // The manifest allows twelve hours at most.
            config.visibility_timeout_secs = u32::try_from(queue.visibility_timeout.as_secs()).unwrap_or(u32::MAX);
        }
        self.source
    }
}

/// Reads one source block; the names in it are checked later.
pub(super) fn read(mut fields: Fields<'_, '_>) -> Option<RawSource> {
    let written = fields.string("type");
    let written = fields.required("type", written, "\"sqs\" or \"dynamodb-stream\"")?;
    match TYPES.iter().find(|(word, _)| *word == written.value) {
        Some((_, Type::Sqs)) => sqs(fields),
        Some((_, Type::DynamodbStream)) => stream(fields),
        // The other keys of the block cannot be checked.
        None => {
            let words = super::report::suggestion(&written.value, TYPES.iter().map(|(word, _)| *word));
            fields.diagnostic(&written.span, format!("unknown source type \"{}\"{words}", written.value));
            None
        }
    }
}

fn sqs(mut fields: Fields<'_, '_>) -> Option<RawSource> {
    let queue = fields.string("queue");
    let queue = fields.required("queue", queue, "the name of a queue under [application.tool.host-adapters.queues]");
    let mut config = SqsConfig::new(queue.as_ref().map_or("", |queue| &queue.value));
    sqs_batch(&mut fields, &mut config);
    set(&mut config.max_batch_bytes, fields.number("max_batch_bytes", BATCH_BYTES));
    let visibility = fields.number("visibility_timeout_secs", 1..=43_200);
    let own_visibility = visibility.is_some();
    set(&mut config.visibility_timeout_secs, visibility);
    set(&mut config.max_concurrency, fields.number("max_concurrency", 1..=1_000));
    set(&mut config.max_attempts, fields.number("max_attempts", 1..=1_000));
    config.dead_letter_queue = fields.string("dead_letter_queue").map(|queue| queue.value);
    config.on_reject = on_reject(&mut fields);
    fields.finish();
    queue.map(|queue| RawSource { source: SourceConfig::Sqs(config), from: queue.span, own_visibility })
}

fn stream(mut fields: Fields<'_, '_>) -> Option<RawSource> {
    let table = fields.string("table");
    let table = fields.required("table", table, "the name of a table under [application.tool.host-adapters.tables]");
    let mut config = DynamodbStreamConfig::new(table.as_ref().map_or("", |table| &table.value));
    set(&mut config.batch_size, fields.number("batch_size", 1..=10_000));
    set(&mut config.batch_window_secs, fields.number("batch_window_secs", WINDOW));
    set(&mut config.max_batch_bytes, fields.number("max_batch_bytes", BATCH_BYTES));
    set(&mut config.parallelization_factor, fields.number("parallelization_factor", 1..=10));
    config.starting_position = fields.choice("starting_position", &POSITIONS).unwrap_or_default();
    set(&mut config.maximum_retry_attempts, fields.number("maximum_retry_attempts", -1..=10_000));
    set(&mut config.maximum_record_age_secs, fields.number("maximum_record_age_secs", -1..=604_800));
    config.bisect = fields.boolean("bisect").unwrap_or(config.bisect);
    config.dead_letter_queue = fields.string("dead_letter_queue").map(|queue| queue.value);
    config.on_reject = on_reject(&mut fields);
    fields.finish();
    table.map(|table| RawSource {
        source: SourceConfig::DynamodbStream(config),
        from: table.span,
        own_visibility: true,
    })
}

/// Size and window of an SQS batch, and that the one allows for the other (docs/delivery.md, 1.1).
fn sqs_batch(fields: &mut Fields<'_, '_>, config: &mut SqsConfig) {
    let size = fields.number("batch_size", 1..=25_000);
    set(&mut config.batch_window_secs, fields.number("batch_window_secs", WINDOW));
    if let Some(Spanned { value: size, span }) = &size
        && *size > WINDOWLESS_BATCH
        && config.batch_window_secs == 0
    {
        fields
            .diagnostic(span, format!("batch_size = {size} needs time to gather; write batch_window_secs = 1 or more"));
    }
    set(&mut config.batch_size, size);
}

fn on_reject(fields: &mut Fields<'_, '_>) -> OnReject {
    fields.choice("on_reject", &[("drop", OnReject::Drop), ("dead-letter", OnReject::DeadLetter)]).unwrap_or_default()
}

fn set<T>(setting: &mut T, written: Option<Spanned<T>>) {
    if let Some(written) = written {
        *setting = written.value;
    }
}
