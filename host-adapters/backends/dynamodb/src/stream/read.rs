//! Reading records: one call where the iterator is known, two where it must be asked for.

use super::iterators::Next;
use super::pages::RECORDS;
use super::{DynamodbStreams, POLL};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodbstreams::types::ShardIteratorType;
use backend_aws::error;
use host_adapters_platform::limits::invalid;
use host_adapters_platform::{Position, Records, Result};
use platform_wire::{Error, ErrorKind};
use tokio::time::Instant;

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
        let mut pages = match self.iterators.take(table, shard, from) {
            Some(Next::Ahead(pages)) => pages,
            Some(Next::Iterator(iterator)) => self.pages(table, iterator, limit),
            None => self.pages(table, self.iterator(table, shard, from).await?, limit),
        };
        let page = match pages.next().await {
            Err(error) if error.kind == ErrorKind::Unavailable && error.message.contains("ExpiredIterator") => {
                pages = self.pages(table, self.iterator(table, shard, from).await?, limit);
                pages.next().await?
            }
            page => page?,
        };
        if !page.is_full {
            self.iterators.rest(table, shard, began + POLL);
        }
        let last = page.changes.last();
        let position = last.map_or_else(|| from.clone(), |change| Position::After(change.sequence.clone()));
        let next = page.next.map(|iterator| {
            let next = if page.is_full { Next::Ahead(pages) } else { Next::Iterator(iterator) };
            self.iterators.put(table, shard, position.clone(), next);
            position
        });
        Ok(Records { records: page.changes, next })
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
}

/// Sequence numbers are decimal, up to 40 digits.
fn check_sequence(text: &str) -> Result<()> {
    if (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(invalid(format!("`{text}` is no sequence number")))
}
