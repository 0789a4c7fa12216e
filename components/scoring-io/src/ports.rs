//! The requests of a loader. The worker sends them to the platform; tests use a small fake, in which any of them may fail
//! or be the last one.

use crate::table::{DemandTable, TABLE, Table};
use chrono::Utc;
use scoring::file::File;
use scoring::table::{Change, Key};
use serde_json::Value;
use std::time::Duration;
use worker_kit::Call;
use worker_kit::platform::data_streams::{self, DataRecord};
use worker_kit::platform::objects::{self, ByteRange};
use worker_kit::platform::table::{self, Page};
use worker_kit::platform::{Error, queue};

/// The queue of reports.
const VERDICT_REPORTER_QUEUE: &str = "verdictReporterQueue";
/// Items of a page.
const PER_PAGE: u32 = 1_000;

/// The requests of a loader.
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait Ports: Table {
    /// Bytes of the file's version from an offset on; fewer than `length` only at the file's end.
    async fn range(&self, file: &File, offset: u64, length: u32) -> Result<Vec<u8>, Error>;
    /// Puts records to the worker's data stream, each on its own.
    async fn put(&self, records: Vec<DataRecord>) -> Result<Vec<Result<String, Error>>, Error>;
    /// A page of the items of `pk` whose sort key begins with `prefix`.
    async fn query(&self, pk: &str, prefix: &str, after: Option<String>) -> Result<Page, Error>;
    /// Queues messages for report-verdicts, each on its own.
    async fn report(&self, bodies: Vec<String>) -> Result<Vec<Result<String, Error>>, Error>;
    /// Waits, milliseconds.
    async fn pause(&self, ms: u64);

    /// The present time, milliseconds since 1970.
    fn now_ms(&self) -> u64;
    /// Logs what happened.
    fn info(&self, message: &str, data: Value);
    /// Logs a problem that was handled.
    fn warn(&self, message: &str, data: Value);
    /// Logs what needs attention.
    fn error(&self, message: &str, data: Value);
    /// Adds to a counter of the worker.
    fn count(&self, name: &str, number: u64, labels: &[(&str, &str)]);
}

/// The real implementation.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    call: &'a Call,
    stream: &'static str,
}

impl<'a> Live<'a> {
    /// The requests of a call that puts records to this data stream.
    pub fn new(call: &'a Call, stream: &'static str) -> Self {
        Self { call, stream }
    }
}

impl Table for Live<'_> {
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        DemandTable.read(keys).await
    }

    async fn update(&self, changes: Vec<Change>) -> Result<Vec<Option<Error>>, Error> {
        DemandTable.update(changes).await
    }

    async fn remove(&self, keys: Vec<Key>) -> Result<Vec<Option<Error>>, Error> {
        DemandTable.remove(keys).await
    }
}

impl Ports for Live<'_> {
    async fn range(&self, file: &File, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        let File { bucket, key, etag, .. } = file.clone();
        objects::get_range(bucket, key, etag, ByteRange { offset, length }).await
    }

    async fn put(&self, records: Vec<DataRecord>) -> Result<Vec<Result<String, Error>>, Error> {
        data_streams::put_records(self.stream.to_owned(), records).await
    }

    async fn query(&self, pk: &str, prefix: &str, after: Option<String>) -> Result<Page, Error> {
        table::query(TABLE.to_owned(), pk.to_owned(), prefix.to_owned(), after, PER_PAGE).await
    }

    async fn report(&self, bodies: Vec<String>) -> Result<Vec<Result<String, Error>>, Error> {
        let message = |body| queue::Message::new(body, self.call.attributes());
        queue::send_batch(VERDICT_REPORTER_QUEUE.to_owned(), bodies.into_iter().map(message).collect()).await
    }

    async fn pause(&self, ms: u64) {
        worker_kit::sleep(Duration::from_millis(ms)).await;
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(Utc::now().timestamp_millis()).unwrap_or(0)
    }

    fn info(&self, message: &str, data: Value) {
        self.call.info(message, data);
    }

    fn warn(&self, message: &str, data: Value) {
        self.call.warn(message, data);
    }

    fn error(&self, message: &str, data: Value) {
        self.call.error(message, data);
    }

    fn count(&self, name: &str, number: u64, labels: &[(&str, &str)]) {
        self.call.count(name, number, labels);
    }
}
