//! Operator requests about the event log: the partitions of a topic, and the records of one.

use super::Gateway;
use super::callers::Caller;
use super::refusal::Arguments;
use axum::Json;
use axum::extract::State;
use host_adapters_platform::LogPage;
use host_adapters_records::Error;
use serde::Deserialize;
use serde_json::{Value, json};

/// Most records of a page, which ends after a megabyte, too.
pub(crate) const PAGE: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Topic {
    topic: String,
}

/// `{"partitions": [{"number", "first", "end"}]}`.
pub(super) async fn partitions(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Arguments(Topic { topic }): Arguments<Topic>,
) -> Json<Result<Value, Error>> {
    let partitions = gateway.platform.log_partitions(&caller, &topic).await;
    Json(partitions.map(|partitions| json!({ "partitions": partitions })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Read {
    topic: String,
    partition: u32,
    /// The offset of the first record; by default the oldest one that is kept.
    from: Option<u64>,
    #[serde(default = "page")]
    limit: usize,
}

const fn page() -> usize {
    PAGE
}

/// `{"records": […], "next": <offset>}`; the next page begins at `next`.
pub(super) async fn read(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Arguments(Read { topic, partition, from, limit }): Arguments<Read>,
) -> Json<Result<LogPage, Error>> {
    Json(gateway.platform.read_log(&caller, &topic, partition, from, limit.clamp(1, PAGE)).await)
}
