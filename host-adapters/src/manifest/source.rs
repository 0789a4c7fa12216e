//! `[[component.<id>.tool.host-adapters.source]]`: what feeds a worker, with the ranges that AWS gives the same settings.

use super::fields::{Fields, Spanned};
use std::ops::Range;
use std::time::Duration;

/// The words for `type`.
const TYPES: [(&str, Type); 2] = [("sqs", Type::Sqs), ("dynamodb-stream", Type::DynamodbStream)];
/// Records of an SQS batch by default. Above it, a batch needs time to gather: SQS hands out ten at a time.
const WINDOWLESS_BATCH: usize = 10;
/// Seconds a batch may gather (peers A2, C2).
const WINDOW: std::ops::RangeInclusive<i64> = 0..=300;
/// Lambda's payload limit.
const MAX_BATCH_BYTES: usize = 6 * 1024 * 1024;

#[derive(Clone, Copy)]
enum Type {
    Sqs,
    DynamodbStream,
}

/// One source of a worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// `type = "sqs"`.
    Sqs(SqsSource),
    /// `type = "dynamodb-stream"`.
    DynamodbStream(StreamSource),
}

/// What becomes of a record that a worker rejects.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnReject {
    /// Logged, counted and settled.
    #[default]
    Settle,
    /// Kept in the dead-letter queue.
    DeadLetter,
}

/// A queue that feeds a worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SqsSource {
    /// The queue.
    pub queue: String,
    /// Records a batch has at most.
    pub batch_size: usize,
    /// How long a batch gathers after its first record.
    pub batch_window: Duration,
    /// Bytes a batch has at most.
    pub max_batch_bytes: usize,
    /// How long a received record stays invisible, extended while the worker runs; the queue's own if `None`.
    pub visibility_timeout: Option<Duration>,
    /// Batches under way at a time.
    pub max_concurrency: usize,
    /// Deliveries before the dead-letter queue.
    pub max_attempts: u32,
    /// Where records go whose last attempt failed; the queue's own if `None`.
    pub dead_letter_queue: Option<String>,
    /// What becomes of a rejected record.
    pub on_reject: OnReject,
}

/// Where a worker begins that has read nothing of a stream yet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StartingPosition {
    /// With the oldest record kept.
    #[default]
    TrimHorizon,
    /// With what comes next.
    Latest,
}

/// A table's changes that feed a worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StreamSource {
    /// The table.
    pub table: String,
    /// Records a batch has at most.
    pub batch_size: usize,
    /// How long a batch gathers after its first record.
    pub batch_window: Duration,
    /// Bytes a batch has at most.
    pub max_batch_bytes: usize,
    /// Lanes of a shard: batches of one shard under way at a time, each key in one lane.
    pub parallelization_factor: usize,
    /// Where to begin.
    pub starting_position: StartingPosition,
    /// Deliveries of a poison record before the dead-letter queue.
    pub max_attempts: u32,
    /// A record older than this is given up; never if `None`.
    pub max_record_age: Option<Duration>,
    /// Whether a failing batch is halved until the poison record stands alone.
    pub bisect: bool,
    /// Where records go whose last attempt failed.
    pub dead_letter_queue: String,
    /// What becomes of a rejected record.
    pub on_reject: OnReject,
}

/// A source with the places its names were written at, for the checks against what is declared.
pub(super) struct Written {
    pub(super) source: Source,
    /// The queue or table.
    pub(super) from: Range<usize>,
}

/// Reads one source block; the names in it are checked later.
pub(super) fn read(mut fields: Fields<'_, '_>) -> Option<Written> {
    let written = fields.string("type");
    let written = fields.required("type", written, "\"sqs\" or \"dynamodb-stream\"")?;
    match TYPES.iter().find(|(word, _)| *word == written.value) {
        Some((_, Type::Sqs)) => sqs(fields),
        Some((_, Type::DynamodbStream)) => stream(fields),
        // What else stands in the block cannot be judged.
        None => {
            let words = super::report::suggestion(&written.value, TYPES.iter().map(|(word, _)| *word));
            fields.mistake(&written.span, format!("unknown source type \"{}\"{words}", written.value));
            None
        }
    }
}

fn sqs(mut fields: Fields<'_, '_>) -> Option<Written> {
    let queue = fields.string("queue");
    let queue = fields.required("queue", queue, "the name of a queue under [application.tool.host-adapters.queues]");
    let (batch_size, batch_window) = sqs_batch(&mut fields);
    let source = SqsSource {
        queue: queue.as_ref().map(|queue| queue.value.clone()).unwrap_or_default(),
        batch_size,
        batch_window,
        max_batch_bytes: value(fields.number("max_batch_bytes", 1..=268_435_456), MAX_BATCH_BYTES),
        visibility_timeout: fields.number("visibility_timeout_secs", 1..=43_200).map(seconds),
        max_concurrency: value(fields.number("max_concurrency", 1..=1_000), 2),
        max_attempts: value(fields.number("max_attempts", 1..=1_000), 3),
        dead_letter_queue: fields.string("dead_letter_queue").map(|queue| queue.value),
        on_reject: on_reject(&mut fields),
    };
    fields.finish();
    queue.map(|queue| Written { source: Source::Sqs(source), from: queue.span })
}

fn stream(mut fields: Fields<'_, '_>) -> Option<Written> {
    let table = fields.string("table");
    let table = fields.required("table", table, "the name of a table under [application.tool.host-adapters.tables]");
    let dead_letter_queue = fields.string("dead_letter_queue");
    // Without one, a poison record would be lost or would hold up its shard for a day (peers C3).
    let dead_letter_queue = fields.required("dead_letter_queue", dead_letter_queue, "the queue for poison records");
    let positions = [("TRIM_HORIZON", StartingPosition::TrimHorizon), ("LATEST", StartingPosition::Latest)];
    let source = StreamSource {
        table: table.as_ref().map(|table| table.value.clone()).unwrap_or_default(),
        batch_size: value(fields.number("batch_size", 1..=10_000), 100),
        batch_window: fields.number("batch_window_secs", WINDOW).map(seconds).unwrap_or_default(),
        max_batch_bytes: value(fields.number("max_batch_bytes", 1..=268_435_456), MAX_BATCH_BYTES),
        parallelization_factor: value(fields.number("parallelization_factor", 1..=10), 1),
        starting_position: fields.choice("starting_position", &positions).unwrap_or_default(),
        max_attempts: value(fields.number("max_attempts", 1..=10_000), 3),
        max_record_age: fields.number("max_record_age_secs", 60..=604_800).map(seconds),
        bisect: fields.boolean("bisect").unwrap_or(true),
        dead_letter_queue: dead_letter_queue.map(|queue| queue.value).unwrap_or_default(),
        on_reject: on_reject(&mut fields),
    };
    fields.finish();
    table.map(|table| Written { source: Source::DynamodbStream(source), from: table.span })
}

/// Size and window of an SQS batch, and that the one allows for the other (peers A1). REQ-015 wants batches of 25,000
/// where Lambda ends at 10,000.
fn sqs_batch(fields: &mut Fields<'_, '_>) -> (usize, Duration) {
    let size = fields.number::<usize>("batch_size", 1..=25_000);
    let window = fields.number::<u64>("batch_window_secs", WINDOW);
    if let Some(Spanned { value: number, span }) = &size
        && *number > WINDOWLESS_BATCH
        && window.as_ref().is_none_or(|window| window.value == 0)
    {
        fields
            .mistake(span, format!("batch_size = {number} needs time to gather; write batch_window_secs = 1 or more"));
    }
    (value(size, WINDOWLESS_BATCH), window.map(seconds).unwrap_or_default())
}

fn on_reject(fields: &mut Fields<'_, '_>) -> OnReject {
    let choices = [("settle", OnReject::Settle), ("dead-letter", OnReject::DeadLetter)];
    fields.choice("on_reject", &choices).unwrap_or_default()
}

fn value<T>(written: Option<Spanned<T>>, default: T) -> T {
    written.map_or(default, |written| written.value)
}

fn seconds(written: Spanned<u64>) -> Duration {
    Duration::from_secs(written.value)
}
