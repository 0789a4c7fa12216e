//! Reading records: one call where the iterator is known, two where it must be asked for.

use super::{DynamodbStreams, POLL};
use crate::backends::aws::dynamodb::json_from_attribute;
use crate::backends::aws::error::error;
use crate::backends::limits::invalid;
use crate::backends::{Change, Position, Records, Result};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, ShardIteratorType};
use platform_wire::table::Key;
use platform_wire::{Error, ErrorKind};
use serde_json::Value;
use std::collections::HashMap;
use tokio::time::Instant;

/// DynamoDB's limit for a `GetRecords`.
const RECORDS: usize = 1_000;

json_from_attribute!(aws_sdk_dynamodbstreams::types::AttributeValue);

/// What one `GetRecords` gave.
struct Read {
    changes: Vec<Change>,
    next: Option<String>,
}

impl DynamodbStreams {
    pub(super) async fn read(&self, table: &str, shard: &str, from: &Position, limit: usize) -> Result<Records> {
        if let Position::After(sequence) = from {
            check_sequence(sequence)?;
        }
        match from {
            Position::Latest => self.skip_to_end(table, shard).await,
            from => self.read_from(table, shard, from, limit).await,
        }
    }

    /// A shard that had less than was asked for rests for [`POLL`]: read on at once, it would give a few records a read,
    /// and spend the reads that DynamoDB allows.
    async fn read_from(&self, table: &str, shard: &str, from: &Position, limit: usize) -> Result<Records> {
        if let Some(until) = self.iterators.rests_until(table, shard) {
            tokio::time::sleep_until(until).await;
        }
        let began = Instant::now();
        let iterator = match self.iterators.take(table, shard, from) {
            Some(iterator) => iterator,
            None => self.iterator(table, shard, from).await?,
        };
        let Read { changes, next } = match self.get_records(table, iterator, limit).await {
            Err(error) if error.kind == ErrorKind::Unavailable && error.message.contains("ExpiredIterator") => {
                let iterator = self.iterator(table, shard, from).await?;
                self.get_records(table, iterator, limit).await?
            }
            read => read?,
        };
        if changes.len() < limit {
            self.iterators.rest(table, shard, began + POLL);
        }
        let position = changes.last().map_or_else(|| from.clone(), |change| Position::After(change.sequence.clone()));
        let next = next.map(|iterator| {
            self.iterators.put(table, shard, position.clone(), iterator);
            position
        });
        Ok(Records { records: changes, next })
    }

    /// The position behind the newest record. Streams tell it only to who reads them through; this is done once, for a
    /// worker that begins at `LATEST`.
    async fn skip_to_end(&self, table: &str, shard: &str) -> Result<Records> {
        let mut position = Position::TrimHorizon;
        loop {
            let read = self.read_from(table, shard, &position, RECORDS).await?;
            let end = read.records.is_empty();
            match read.next {
                None => return Ok(Records { records: Vec::new(), next: None }),
                Some(next) if end => return Ok(Records { records: Vec::new(), next: Some(next) }),
                Some(next) => position = next,
            }
        }
    }

    /// A fresh iterator. A position that DynamoDB has dropped already (24 hours) is the oldest record it still has.
    async fn iterator(&self, table: &str, shard: &str, from: &Position) -> Result<String> {
        let arn = match self.iterators.stream(table, shard) {
            Some(arn) => arn,
            None => {
                self.list_shards(table).await?;
                let message = || format!("table `{table}` has no shard `{shard}`");
                let known = self.iterators.stream(table, shard);
                known.ok_or_else(|| Error::new(ErrorKind::NotFound, message()))?
            }
        };
        let request = self.client.get_shard_iterator().stream_arn(arn).shard_id(shard);
        let request = match from {
            Position::After(sequence) => {
                request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(sequence)
            }
            Position::TrimHorizon | Position::Latest => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
        };
        match request.send().await {
            Ok(answer) => Ok(answer.shard_iterator.unwrap_or_default()),
            Err(failed) if failed.code() == Some("TrimmedDataAccessException") && *from != Position::TrimHorizon => {
                tracing::error!(table, shard, from = ?from, "records lost: the stream has dropped what follows the checkpoint; reading on from its oldest record");
                Box::pin(self.iterator(table, shard, &Position::TrimHorizon)).await
            }
            Err(failed) => Err(error(table, &failed)),
        }
    }

    async fn get_records(&self, table: &str, iterator: String, limit: usize) -> Result<Read> {
        let limit = i32::try_from(limit.clamp(1, RECORDS)).unwrap_or(i32::MAX);
        let answer = self.client.get_records().shard_iterator(iterator).limit(limit).send().await;
        let answer = answer.map_err(|failed| error(table, &failed))?;
        let changes = answer.records.into_iter().flatten().filter_map(change).collect();
        Ok(Read { changes, next: answer.next_shard_iterator })
    }
}

/// Sequence numbers are decimal, up to 40 digits.
fn check_sequence(text: &str) -> Result<()> {
    if (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(invalid(format!("`{text}` is no sequence number")))
}

fn change(record: Record) -> Option<Change> {
    let event_name = record.event_name?.as_str().to_owned();
    let stream = record.dynamodb?;
    let keys = stream.keys?;
    let key = |name| keys.get(name).and_then(|value| value.as_s().ok()).cloned();
    let image = |item: Option<HashMap<String, AttributeValue>>| {
        item.map(|item| Value::Object(item.into_iter().map(|(name, value)| (name, json(value))).collect()).to_string())
    };
    let time_ms = stream.approximate_creation_date_time.and_then(|time| time.to_millis().ok());
    Some(Change {
        sequence: stream.sequence_number?,
        event_name,
        key: Key { pk: key("pk")?, sk: key("sk")? },
        new_image: image(stream.new_image),
        old_image: image(stream.old_image),
        time_ms: time_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
    })
}
