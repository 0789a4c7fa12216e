//! The pages of a shard, read ahead: while one is worked on, the next is at hand and the one after it is asked for.

use super::DynamodbStreams;
use crate::table::json_of_attributes;
use aws_sdk_dynamodbstreams::operation::get_records::GetRecordsOutput;
use aws_sdk_dynamodbstreams::types::Record;
use backend_aws::error;
use host_adapters_platform::{Change, Result};
use platform_wire::table::Key;
use platform_wire::{Error, ErrorKind};
use tokio::sync::mpsc;

/// DynamoDB's limit for a `GetRecords`.
pub(super) const RECORDS: usize = 1_000;

json_of_attributes!(aws_sdk_dynamodbstreams::types::AttributeValue);

/// What one call gave.
pub(super) struct Page {
    pub(super) changes: Vec<Change>,
    /// As many as were asked for: there is more.
    pub(super) is_full: bool,
    /// Where to read on; none at the end of the shard.
    pub(super) next: Option<String>,
}

/// Pages in order, up to and with the first that is not full or cannot be read.
pub(super) struct Pages(mpsc::Receiver<Result<Page>>);

impl Pages {
    /// The next page.
    pub(super) async fn next(&mut self) -> Result<Page> {
        let ended = || Error::new(ErrorKind::Unavailable, "reading ahead has ended");
        self.0.recv().await.unwrap_or_else(|| Err(ended()))
    }
}

impl DynamodbStreams {
    /// Reads on from an iterator, until what it reads is not wanted any more.
    pub(super) fn pages(&self, table: &str, iterator: String, limit: usize) -> Pages {
        let (sender, receiver) = mpsc::channel(1);
        let (streams, table) = (self.clone(), table.to_owned());
        tokio::spawn(async move {
            let mut read = streams.get_records(&table, &iterator, limit).await;
            loop {
                let following = match &read {
                    Ok(page) if is_full(page, limit) => page.next_shard_iterator.clone(),
                    _ => None,
                };
                let hand_on = async {
                    // The request for the following page is written by another task of this thread.
                    tokio::task::yield_now().await;
                    sender.send(read.map(|output| page(output, limit))).await
                };
                let Some(following) = following else { return drop(hand_on.await) };
                let (next, handed_on) = tokio::join!(streams.get_records(&table, &following, limit), hand_on);
                if handed_on.is_err() {
                    return;
                }
                read = next;
            }
        });
        Pages(receiver)
    }

    async fn get_records(&self, table: &str, iterator: &str, limit: usize) -> Result<GetRecordsOutput> {
        let limit = i32::try_from(limit.clamp(1, RECORDS)).unwrap_or(i32::MAX);
        let answer = self.client.get_records().shard_iterator(iterator).limit(limit).send().await;
        answer.map_err(|failed| error(table, &failed))
    }
}

fn is_full(read: &GetRecordsOutput, limit: usize) -> bool {
    read.records().len() >= limit
}

fn page(read: GetRecordsOutput, limit: usize) -> Page {
    let is_full = is_full(&read, limit);
    let changes = read.records.into_iter().flatten().filter_map(change).collect();
    Page { changes, is_full, next: read.next_shard_iterator }
}

fn change(record: Record) -> Option<Change> {
    let event_name = record.event_name?.as_str().to_owned();
    let stream = record.dynamodb?;
    let keys = stream.keys?;
    let key = |name| keys.get(name).and_then(|value| value.as_s().ok()).cloned();
    let time_ms = stream.approximate_creation_date_time.and_then(|time| time.to_millis().ok());
    Some(Change {
        sequence: stream.sequence_number?,
        event_name,
        key: Key { pk: key("pk")?, sk: key("sk")? },
        new_image: stream.new_image.as_ref().map(json_of),
        old_image: stream.old_image.as_ref().map(json_of),
        time_ms: time_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
    })
}
