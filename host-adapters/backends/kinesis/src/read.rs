//! Reading records: one call if the iterator is known, otherwise two.

use super::{Kinesis, POLL};
use aws_sdk_kinesis::operation::get_records::{GetRecordsError, GetRecordsOutput};
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{Record, ShardIteratorType};
use backend_aws::{check_sequence, error};
use host_adapters_platform::clock::Clock;
use host_adapters_platform::{Position, Result, ShardPage, StreamRecord};
use std::time::Duration;

/// Most records of a read, of the 10,000 and 10 MiB that Kinesis gives. At four reads a second they are more than the 2 MB
/// a second that a shard gives, unless records are smaller than 250 bytes.
pub(super) const RECORDS: usize = 2_000;
/// Most digits of a sequence number (`SequenceNumber` of Kinesis's types); the greatest that is in use has 56.
pub(super) const DIGITS: usize = 128;
/// How far back the newest record is looked for: more than clocks differ.
const LOOK_BACK: Duration = Duration::from_secs(5 * 60);

impl Kinesis {
    pub(super) async fn read(
        &self,
        stream: &str,
        shard: &str,
        from: &Position,
        limit: usize,
    ) -> Result<ShardPage<StreamRecord>> {
        if let Position::After(sequence) = from {
            check_sequence(sequence, DIGITS)?;
        }
        match from {
            Position::Latest => self.find_end(stream, shard).await,
            from => self.read_from(stream, shard, from, limit).await,
        }
    }

    async fn read_from(
        &self,
        stream: &str,
        shard: &str,
        from: &Position,
        limit: usize,
    ) -> Result<ShardPage<StreamRecord>> {
        let known = match self.iterators.take(stream, shard, from) {
            Some(iterator) => iterator,
            None => self.iterator(stream, shard, from).await?,
        };
        let read = match self.get_records(&known, limit).await {
            Err(failed) if failed.as_service_error().is_some_and(GetRecordsError::is_expired_iterator_exception) => {
                let fresh = self.iterator(stream, shard, from).await?;
                self.get_records(&fresh, limit).await
            }
            read => read,
        };
        let read = read.map_err(|failed| error(stream, &failed))?;
        let position =
            read.records.last().map_or_else(|| from.clone(), |last| Position::After(last.sequence_number.clone()));
        // Without it, the shard is closed and has been read: its children are listed next.
        let next = read.next_shard_iterator.filter(|iterator| !iterator.is_empty()).map(|iterator| {
            self.iterators.put(stream, shard, position.clone(), iterator);
            position
        });
        let more = next.is_some() && read.millis_behind_latest.is_some_and(|behind| behind > 0);
        let records = read.records;
        Ok(ShardPage::new(records.len(), next, move || records.into_iter().map(record).collect()).and_more(more))
    }

    async fn get_records(
        &self,
        iterator: &str,
        limit: usize,
    ) -> std::result::Result<GetRecordsOutput, aws_sdk_kinesis::error::SdkError<GetRecordsError>> {
        let limit = i32::try_from(limit.clamp(1, RECORDS)).unwrap_or(i32::MAX);
        self.client.get_records().shard_iterator(iterator).limit(limit).send().await
    }

    /// The position after the newest record. Kinesis has no sequence number for it, so the records of the last minutes are
    /// read. If there are none, the position is the time of this call.
    async fn find_end(&self, stream: &str, shard: &str) -> Result<ShardPage<StreamRecord>> {
        let now_ms = u64::try_from(Clock::wall().now_ms()).unwrap_or(0);
        let look_back = u64::try_from(LOOK_BACK.as_millis()).unwrap_or(u64::MAX);
        let mut position = Position::AtTimestamp(now_ms.saturating_sub(look_back));
        loop {
            let read = self.read_from(stream, shard, &position, RECORDS).await?;
            match read.next {
                None => return Ok(ShardPage::new(0, None, Vec::new)),
                Some(next) if !read.more && read.count < RECORDS => return Ok(ShardPage::new(0, Some(next), Vec::new)),
                Some(next) => position = next,
            }
            // The same shard may be read for other workers meanwhile.
            tokio::time::sleep(POLL).await;
        }
    }

    /// A fresh iterator. Where Kinesis has already dropped the position, it begins at the oldest record.
    async fn iterator(&self, stream: &str, shard: &str, from: &Position) -> Result<String> {
        let request = self.client.get_shard_iterator().stream_name(self.names.real(stream)?).shard_id(shard);
        let request = match from {
            Position::TrimHorizon => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Position::Latest => request.shard_iterator_type(ShardIteratorType::Latest),
            Position::After(sequence) => {
                request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).starting_sequence_number(sequence)
            }
            Position::AtTimestamp(time_ms) => {
                let time = DateTime::from_millis(i64::try_from(*time_ms).unwrap_or(i64::MAX));
                request.shard_iterator_type(ShardIteratorType::AtTimestamp).timestamp(time)
            }
        };
        let answer = request.send().await.map_err(|failed| error(stream, &failed))?;
        Ok(answer.shard_iterator.unwrap_or_default())
    }
}

fn record(record: Record) -> StreamRecord {
    let time_ms = record.approximate_arrival_timestamp.and_then(|time| time.to_millis().ok());
    StreamRecord {
        sequence: record.sequence_number,
        partition_key: record.partition_key.unwrap_or_default(),
        data: record.data.into_inner(),
        time_ms: time_ms.and_then(|time| u64::try_from(time).ok()).unwrap_or_default(),
    }
}
