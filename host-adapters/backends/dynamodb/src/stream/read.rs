//! Reading records: one call if the iterator is known, otherwise two.

use super::change::changes;
use super::{DynamodbStreams, POLL};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodbstreams::operation::get_records::GetRecordsOutput;
use aws_sdk_dynamodbstreams::types::{Record, ShardIteratorType};
use backend_aws::{check_sequence, error};
use host_adapters_platform::limits::invalid;
use host_adapters_platform::{Change, Position, Result, ShardPage, TRIMMED, left_out};
use host_adapters_records::{Error, ErrorKind, source_name};
use std::sync::PoisonError;

/// DynamoDB's limit for a `GetRecords`.
pub(super) const RECORDS: usize = 1_000;

/// Most digits of a sequence number.
const DIGITS: usize = 40;

impl DynamodbStreams {
    pub(super) async fn read(
        &self,
        table: &str,
        shard: &str,
        from: &Position,
        limit: usize,
    ) -> Result<ShardPage<Change>> {
        if let Position::After(sequence) = from {
            check_sequence(sequence, DIGITS)?;
        }
        match from {
            Position::Latest => self.skip_to_end(table, shard).await,
            Position::AtTimestamp(_) => Err(invalid(format!("{table}: the stream of a table is not read from a time"))),
            from => self.read_from(table, shard, from, limit).await,
        }
    }

    async fn read_from(&self, table: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<Change>> {
        let known = match self.iterators.take(table, shard, from) {
            Some(iterator) => iterator,
            None => self.iterator(table, shard, from).await?,
        };
        let read = match self.get_records(table, &known, limit).await {
            Err(error) if is_stale(&error) => {
                let fresh = self.iterator(table, shard, from).await?;
                self.get_records(table, &fresh, limit).await?
            }
            read => read?,
        };
        let last = read.records().last().and_then(sequence);
        let position = last.map_or_else(|| from.clone(), |last| Position::After(last.to_owned()));
        let next = read.next_shard_iterator.map(|iterator| {
            self.iterators.put(table, shard, position.clone(), iterator);
            position
        });
        let records = read.records.unwrap_or_default();
        let table = table.to_owned();
        Ok(ShardPage::new(records.len(), next, move || changes(&table, records)))
    }

    async fn get_records(&self, table: &str, iterator: &str, limit: usize) -> Result<GetRecordsOutput> {
        let limit = i32::try_from(limit.clamp(1, RECORDS)).unwrap_or(i32::MAX);
        let answer = self.client.get_records().shard_iterator(iterator).limit(limit).send().await;
        answer.map_err(|failed| error(table, &failed))
    }

    /// The position after the newest record. It can only be found by reading the shard to its end. This is done once,
    /// for a worker that begins at `LATEST`.
    async fn skip_to_end(&self, table: &str, shard: &str) -> Result<ShardPage<Change>> {
        let mut position = Position::TrimHorizon;
        loop {
            let read = self.read_from(table, shard, &position, RECORDS).await?;
            match read.next {
                None => return Ok(ShardPage::new(0, None, Vec::new)),
                Some(next) if read.count == 0 => return Ok(ShardPage::new(0, Some(next), Vec::new)),
                Some(next) => position = next,
            }
            // The same shard may be read for other workers meanwhile.
            tokio::time::sleep(POLL).await;
        }
    }

    /// A fresh iterator. If DynamoDB has already dropped the position (after 24 hours), the iterator begins at its
    /// oldest record.
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
            Position::TrimHorizon | Position::Latest | Position::AtTimestamp(_) => {
                request.shard_iterator_type(ShardIteratorType::TrimHorizon)
            }
        };
        match request.send().await {
            Ok(answer) => Ok(answer.shard_iterator.unwrap_or_default()),
            Err(failed) if failed.code() == Some("TrimmedDataAccessException") && *from != Position::TrimHorizon => {
                self.trimmed(table, shard, from);
                Box::pin(self.iterator(table, shard, &Position::TrimHorizon)).await
            }
            Err(failed) => Err(error(table, &failed)),
        }
    }
}

impl DynamodbStreams {
    /// Logs and counts, once, that the stream has dropped a position. DynamoDB does not tell how many records were
    /// behind it: they count as one.
    fn trimmed(&self, table: &str, shard: &str, from: &Position) {
        let Position::After(sequence) = from else { return };
        let place = [table, shard, sequence].map(str::to_owned);
        if self.trimmed.lock().unwrap_or_else(PoisonError::into_inner).insert(place) {
            tracing::error!(table, shard, from = ?from, "records lost: the stream has dropped what follows the checkpoint; reading on from its oldest record");
            left_out(&source_name::of_table_stream(table), TRIMMED);
        }
    }
}

/// Whether an iterator was kept for too long: it has expired, or it is of a time before the oldest record of its shard.
fn is_stale(error: &Error) -> bool {
    let stale = ["ExpiredIterator", "TrimmedDataAccess"];
    error.kind == ErrorKind::Unavailable && stale.iter().any(|code| error.message.contains(code))
}

fn sequence(record: &Record) -> Option<&str> {
    record.dynamodb()?.sequence_number()
}
