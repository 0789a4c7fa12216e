//! Reading a table's stream, and the checkpoints of each worker.

use super::Table;
use super::stream::{Shard as Part, Stream};
use crate::{Embedded, READ_RECORDS, sequence};
use host_adapters_platform::limits::invalid;
use host_adapters_platform::{
    Change, Checkpoint, LeaseTable, Position, Records, Result, Shard, ShardPage, ShardReader,
};
use host_adapters_records::table::Key;
use host_adapters_records::{Error, ErrorKind};
use rusqlite::{Connection, OptionalExtension, Row};
use std::sync::Arc;
use std::time::Duration;

/// The number of bytes after which a read ends, as in DynamoDB.
const READ_BYTES: usize = 1024 * 1024;

fn shard_text(number: usize) -> String {
    format!("shardId-{number:08}")
}

/// DynamoDB knows no such position.
fn of_no_time(table: &str) -> Error {
    invalid(format!("{table}: the stream of a table is not read from a time"))
}

impl Table {
    fn stream_of(&self) -> Result<&Stream> {
        let message = || format!("table `{}` has no stream; set `stream = true` for it", self.name);
        self.stream.as_ref().ok_or_else(|| Error::new(ErrorKind::NotFound, message()))
    }

    fn shard_of(&self, name: &str) -> Result<&Part> {
        let number = name.strip_prefix("shardId-").and_then(|digits| digits.parse::<usize>().ok());
        let shard = number.and_then(|number| self.stream_of().ok()?.shards().get(number));
        let message = || format!("table `{}` has no shard `{name}`", self.name);
        shard.ok_or_else(|| Error::new(ErrorKind::NotFound, message()))
    }
}

impl Part {
    fn read(&self, conn: &Connection, after: Option<i64>, limit: usize) -> rusqlite::Result<Records<Change>> {
        let (first, last) = self.range().into_inner();
        let sql = "SELECT id, time_ms, pk, sk, old, new FROM changes WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
        let mut select = conn.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = select.query((after.unwrap_or(first), last, limit))?;
        let (mut records, mut bytes) = (Vec::new(), 0);
        while let Some(row) = found.next()? {
            let change = read_change(row)?;
            bytes += [&change.old_image, &change.new_image].into_iter().flatten().map(String::len).sum::<usize>();
            records.push(change);
            if bytes >= READ_BYTES {
                break;
            }
        }
        let next = match (records.last(), after) {
            (Some(newest), _) => Position::After(newest.sequence.clone()),
            (None, Some(after)) => Position::After(sequence::text(after)),
            (None, None) => Position::TrimHorizon,
        };
        Ok(Records { records, next: Some(next) })
    }
}

fn read_change(row: &Row<'_>) -> rusqlite::Result<Change> {
    let (old_image, new_image): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
    let event_name = match (&old_image, &new_image) {
        (None, _) => "INSERT",
        (Some(_), Some(_)) => "MODIFY",
        (Some(_), None) => "REMOVE",
    };
    Ok(Change {
        sequence: sequence::text(row.get(0)?),
        event_name: event_name.to_owned(),
        key: Key { pk: row.get(2)?, sk: row.get(3)? },
        new_image,
        old_image,
        // Items of the embedded store have no time to live.
        user_identity: None,
        time_ms: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
    })
}

#[async_trait::async_trait]
impl ShardReader<Change> for Embedded {
    async fn shards(&self, table: &str) -> Result<Vec<Shard>> {
        let table = self.names.table(table)?;
        let numbers = 0..table.stream_of()?.shards().len();
        Ok(numbers.map(|number| Shard { id: shard_text(number), ..Shard::default() }).collect())
    }

    async fn page(&self, table: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<Change>> {
        let table = self.names.table(table)?;
        let (part, from, name) = (table.shard_of(shard)?, from.clone(), shard.to_owned());
        let after = match &from {
            Position::After(sequence) => Some(sequence::parse(sequence, &part.range())?),
            Position::TrimHorizon | Position::Latest => None,
            Position::AtTimestamp(_) => return Err(of_no_time(&table.name)),
        };
        let table = Arc::clone(&table);
        let read = move |conn: &Connection| {
            let Ok(part) = table.shard_of(&name) else { return Ok(None) };
            let after = if from == Position::Latest { Some(part.newest(conn)?) } else { after };
            part.read(conn, after, limit).map(Some)
        };
        let records = self.store.read(read).await?;
        Ok(records.unwrap_or(Records { records: Vec::new(), next: None }).into())
    }

    fn most_records(&self) -> usize {
        READ_RECORDS
    }

    async fn changed(&self, table: &str, wait: Duration) {
        let table = self.names.table(table);
        match table.as_ref().map(|table| table.stream_of()) {
            Ok(Ok(stream)) => stream.wake.wait(wait).await,
            // Nothing will ever change. The wait keeps a caller from calling in an endless loop.
            _ => tokio::time::sleep(wait).await,
        }
    }
}

#[async_trait::async_trait]
impl LeaseTable for Embedded {
    async fn has_begun(&self, table: &str, worker: &str) -> Result<bool> {
        let table = self.names.table(table)?;
        let shards: Vec<i64> = table.stream_of()?.shards().iter().map(|shard| shard.id).collect();
        let worker = worker.to_owned();
        let sql = "SELECT EXISTS (SELECT 1 FROM checkpoints WHERE shard = ?1 AND worker = ?2)";
        let read = move |conn: &Connection| {
            let mut select = conn.prepare_cached(sql)?;
            for shard in shards {
                if select.query_row((shard, &worker), |row| row.get(0))? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        self.store.read(read).await
    }

    async fn begin(&self, table: &str, shard: &str, worker: &str) -> Result<()> {
        let first = *self.names.table(table)?.shard_of(shard)?.range().start();
        self.set_checkpoint(table, shard, worker, &Checkpoint::At(sequence::text(first))).await
    }

    async fn checkpoint(&self, table: &str, shard: &str, worker: &str) -> Result<Option<Checkpoint>> {
        let table = self.names.table(table)?;
        let (shard, worker) = (table.shard_of(shard)?.id, worker.to_owned());
        let sql = "SELECT settled FROM checkpoints WHERE shard = ?1 AND worker = ?2";
        let read = move |conn: &Connection| {
            conn.prepare_cached(sql)?.query_row((shard, worker), |row| row.get::<_, i64>(0)).optional()
        };
        let settled = self.store.read(read).await?;
        Ok(settled.map(sequence::checkpoint))
    }

    async fn set_checkpoint(&self, table: &str, shard: &str, worker: &str, checkpoint: &Checkpoint) -> Result<()> {
        let table = self.names.table(table)?;
        let part = table.shard_of(shard)?;
        let settled = match checkpoint {
            Checkpoint::AtTimestamp(_) => return Err(of_no_time(&table.name)),
            Checkpoint::At(sequence) => sequence::parse(sequence, &part.range())?,
            Checkpoint::ShardEnd => sequence::SHARD_END,
        };
        let (shard, worker) = (part.id, worker.to_owned());
        let sql = "INSERT INTO checkpoints (shard, worker, settled) VALUES (?1, ?2, ?3)
                   ON CONFLICT DO UPDATE SET settled = excluded.settled WHERE excluded.settled > settled";
        let write = move |conn: &Connection| conn.prepare_cached(sql)?.execute((shard, worker, settled)).map(drop);
        self.store.write(write, |()| {}).await
    }
}
