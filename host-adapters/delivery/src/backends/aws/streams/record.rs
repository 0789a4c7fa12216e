//! Reading records: one call where the iterator is known, two where it must be asked for.

use super::iterators::Next;
use super::{DynamodbStreams, POLL};
use crate::backends::aws::dynamodb::json_from_attribute;
use crate::backends::aws::error::error;
use crate::backends::limits::invalid;
use crate::backends::{Change, Position, Records, Result};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodbstreams::operation::get_records::GetRecordsOutput;
use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, ShardIteratorType};
use platform_wire::table::Key;
use platform_wire::{Error, ErrorKind};
use serde_json::Value;
use std::collections::HashMap;
use tokio::time::Instant;

/// DynamoDB's limit for a `GetRecords`.
const RECORDS: usize = 1_000;

json_from_attribute!(aws_sdk_dynamodbstreams::types::AttributeValue);

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
        let asked = match self.iterators.take(table, shard, from) {
            Some(Next::Asked(asked)) => {
                asked.await.unwrap_or_else(|error| Err(Error::new(ErrorKind::Unavailable, error.to_string())))
            }
            Some(Next::Iterator(iterator)) => self.get_records(table, iterator, limit).await,
            None => self.get_records(table, self.iterator(table, shard, from).await?, limit).await,
        };
        let read = match asked {
            Err(error) if error.kind == ErrorKind::Unavailable && error.message.contains("ExpiredIterator") => {
                self.get_records(table, self.iterator(table, shard, from).await?, limit).await?
            }
            read => read?,
        };
        let records = read.records.unwrap_or_default();
        let is_full = records.len() >= limit;
        let next = read.next_shard_iterator.map(|iterator| match is_full {
            true => self.ask(table, iterator, limit),
            false => Next::Iterator(iterator),
        });
        if !is_full {
            self.iterators.rest(table, shard, began + POLL);
        }
        let changes: Vec<Change> = records.into_iter().filter_map(change).collect();
        let position = changes.last().map_or_else(|| from.clone(), |change| Position::After(change.sequence.clone()));
        let next = next.map(|next| {
            self.iterators.put(table, shard, position.clone(), next);
            position
        });
        Ok(Records { records: changes, next })
    }

    /// Begins to read on while what was read is worked on: there is more.
    fn ask(&self, table: &str, iterator: String, limit: usize) -> Next {
        let (streams, table) = (self.clone(), table.to_owned());
        Next::Asked(tokio::spawn(async move { streams.get_records(&table, iterator, limit).await }))
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

    async fn get_records(&self, table: &str, iterator: String, limit: usize) -> Result<GetRecordsOutput> {
        let limit = i32::try_from(limit.clamp(1, RECORDS)).unwrap_or(i32::MAX);
        let answer = self.client.get_records().shard_iterator(iterator).limit(limit).send().await;
        answer.map_err(|failed| error(table, &failed))
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
