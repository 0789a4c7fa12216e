//! Topics as groups read them. All partitions are this host's, because no other host has the file; the offsets of groups are
//! in it.

use super::LogTopic;
use super::topic::Partition;
use crate::Embedded;
use host_adapters_platform::{
    Checkpoint, LeaseTable, LogEntry, LogPlace, LoggedRecord, Position, Records, Result, Shard, ShardPage, ShardReader,
};
use host_adapters_records::{Error, ErrorKind};
use rusqlite::{Connection, OptionalExtension};
use std::sync::Arc;
use std::time::Duration;

/// Most records of a read.
const READ_RECORDS: usize = 1_000;

/// The event log of an embedded store, as groups read it; cheap to clone. Its checkpoints are its own, whatever tables are
/// called.
#[derive(Clone)]
pub struct EventLogs(Embedded);

impl Embedded {
    /// The event log of this store, for its readers.
    pub fn event_log(&self) -> EventLogs {
        EventLogs(self.clone())
    }
}

impl EventLogs {
    /// A topic, and the partition that a shard's id names.
    fn partition(&self, topic: &str, shard: &str) -> Result<(Arc<LogTopic>, Partition)> {
        let topic = self.0.names.log_topic(topic)?;
        let number = shard
            .parse()
            .map_err(|_| Error::new(ErrorKind::NotFound, format!("`{shard}` is not the number of a partition")))?;
        let partition = topic.partition(number)?;
        Ok((topic, partition))
    }

    /// Stores the offset that a group reads next, unless it had come further already.
    async fn store_offset(&self, topic: &str, shard: &str, group: &str, offset: u64) -> Result<()> {
        let ((_, partition), group) = (self.partition(topic, shard)?, group.to_owned());
        let sql = "INSERT INTO log_offsets (part, grp, next) VALUES (?1, ?2, ?3)
                   ON CONFLICT DO UPDATE SET next = excluded.next WHERE excluded.next > next";
        let next = i64::try_from(offset).unwrap_or(i64::MAX);
        let write = move |conn: &Connection| conn.prepare_cached(sql)?.execute((partition.id, group, next)).map(drop);
        self.0.store.write(write, |()| {}).await
    }
}

#[async_trait::async_trait]
impl ShardReader<LogEntry> for EventLogs {
    async fn shards(&self, topic: &str) -> Result<Vec<Shard>> {
        let topic = self.0.names.log_topic(topic)?;
        Ok(topic.numbers().map(|number| Shard { id: number.to_string(), ..Shard::default() }).collect())
    }

    async fn page(&self, topic: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<LogEntry>> {
        let (topic, partition) = self.partition(topic, shard)?;
        let from = match from {
            Position::After(sequence) => Begin::At(LogPlace::of(partition.number, sequence)?.offset + 1),
            Position::TrimHorizon => Begin::Oldest,
            Position::Latest => Begin::End,
            Position::AtTimestamp(time_ms) => Begin::AtTime(*time_ms),
        };
        let read = move |conn: &Connection| {
            let bounds = partition.bounds(conn)?;
            let from = match from {
                Begin::Oldest => bounds.first,
                Begin::End => bounds.end,
                Begin::AtTime(time_ms) => partition.offset_of_time(conn, time_ms)?,
                Begin::At(offset) => offset,
            };
            Ok((from, bounds, partition.page_within(conn, bounds, from, limit)?))
        };
        let (from, bounds, page) = self.0.store.read(read).await?;
        // Offsets have no gaps.
        topic.dropped(partition, from, bounds.first.saturating_sub(from));
        let more = !page.records.is_empty() && page.next < bounds.end;
        let next = LogPlace { partition: partition.number, offset: page.next }.from_here();
        let records = page.records.into_iter().map(entry).collect();
        Ok(ShardPage::from(Records { records, next: Some(next) }).and_more(more))
    }

    fn most_records(&self) -> usize {
        READ_RECORDS
    }

    async fn changed(&self, topic: &str, wait: Duration) {
        match self.0.names.log_topic(topic) {
            Ok(topic) => topic.wake.wait(wait).await,
            // Nothing will ever change. The wait keeps a caller from calling in an endless loop.
            Err(_) => tokio::time::sleep(wait).await,
        }
    }
}

/// Where a page begins.
#[derive(Clone, Copy)]
enum Begin {
    Oldest,
    End,
    AtTime(u64),
    At(u64),
}

fn entry(record: LoggedRecord) -> LogEntry {
    let LoggedRecord { partition, offset, time_ms, key, value, headers } = record;
    LogEntry {
        place: LogPlace { partition, offset },
        key: key.map(String::into_bytes),
        value: value.map(String::into_bytes),
        headers: headers.into_iter().map(|(name, value)| (name, Some(value.into_bytes()))).collect(),
        time_ms,
    }
}

#[async_trait::async_trait]
impl LeaseTable for EventLogs {
    async fn has_begun(&self, topic: &str, group: &str) -> Result<bool> {
        let topic = self.0.names.log_topic(topic)?;
        let group = group.to_owned();
        let sql = "SELECT EXISTS (
                       SELECT 1 FROM log_partitions JOIN log_offsets ON part = id WHERE topic = ?1 AND grp = ?2
                   )";
        self.0.store.read(move |conn| conn.prepare_cached(sql)?.query_row((topic.id, group), |row| row.get(0))).await
    }

    async fn begin(&self, topic: &str, shard: &str, group: &str) -> Result<()> {
        self.store_offset(topic, shard, group, 0).await
    }

    async fn checkpoint(&self, topic: &str, shard: &str, group: &str) -> Result<Option<Checkpoint>> {
        let ((_, partition), group) = (self.partition(topic, shard)?, group.to_owned());
        let sql = "SELECT next FROM log_offsets WHERE part = ?1 AND grp = ?2";
        let read = move |conn: &Connection| {
            let mut select = conn.prepare_cached(sql)?;
            select.query_row((partition.id, group), |row| row.get::<_, i64>(0)).optional()
        };
        let next = self.0.store.read(read).await?.and_then(|next| u64::try_from(next).ok());
        Ok(next.and_then(|offset| LogPlace { partition: partition.number, offset }.checkpoint()))
    }

    async fn set_checkpoint(&self, topic: &str, shard: &str, group: &str, checkpoint: &Checkpoint) -> Result<()> {
        match checkpoint {
            Checkpoint::AtTimestamp(time_ms) => {
                let ((_, partition), time_ms) = (self.partition(topic, shard)?, *time_ms);
                // It may take long to find, and the writer has other work.
                let find = move |conn: &Connection| partition.offset_of_time(conn, time_ms);
                let next = self.0.store.read(find).await?;
                self.store_offset(topic, shard, group, next).await
            }
            Checkpoint::At(sequence) => {
                let (_, partition) = self.partition(topic, shard)?;
                let next = LogPlace::of(partition.number, sequence)?.offset + 1;
                self.store_offset(topic, shard, group, next).await
            }
            Checkpoint::ShardEnd => {
                Err(Error::new(ErrorKind::Invalid, format!("partition {shard} of {topic} has no end")))
            }
        }
    }
}
