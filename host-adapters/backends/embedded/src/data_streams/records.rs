//! The records of a stream's shards in the file.

use super::DataStream;
use super::shards::{Part, first_of};
use crate::sequence;
use host_adapters_platform::{Position, Records, StreamRecord, hash_key};
use host_adapters_records::data_streams::DataRecord;
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::BTreeMap;

/// The number of bytes after which a read ends.
const READ_BYTES: usize = 1024 * 1024;
/// Kinesis keeps records for a day, unless a stream's retention is longer.
const RETENTION_MS: i64 = 24 * 3600 * 1000;
/// Records of a shard that one round drops, so that the writer is not busy for long.
const PRUNE_ROWS: i64 = 2000;

impl DataStream {
    /// Puts records, each into the shard of its key; returns their sequence numbers.
    pub(super) fn put(&self, conn: &Connection, records: &[DataRecord], now_ms: i64) -> rusqlite::Result<Vec<String>> {
        let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
        let sql = "INSERT INTO records (id, time_ms, partition_key, data) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = conn.prepare_cached(sql)?;
        let mut sequences = Vec::with_capacity(records.len());
        for record in records {
            let shard = self.shard_of(hash_key(&record.partition_key));
            let count = match counts.get(&shard) {
                Some(count) => *count,
                None => {
                    let sql = "SELECT next FROM stream_shards WHERE id = ?1";
                    conn.prepare_cached(sql)?.query_row([shard], |row| row.get(0))?
                }
            };
            insert.execute((first_of(shard) + count, now_ms, &record.partition_key, &record.data))?;
            sequences.push(sequence::text(first_of(shard) + count));
            counts.insert(shard, count + 1);
        }
        for (shard, next) in counts {
            conn.prepare_cached("UPDATE stream_shards SET next = ?1 WHERE id = ?2")?.execute((next, shard))?;
        }
        Ok(sequences)
    }

    /// Drops records that are a day old, and closed shards with the last of theirs.
    pub(crate) fn prune(&self, conn: &Connection, now_ms: i64) -> rusqlite::Result<()> {
        let horizon_ms = now_ms - RETENTION_MS;
        let sql = "SELECT id, closed_ms < ?2 FROM stream_shards WHERE stream = ?1";
        let mut select = conn.prepare_cached(sql)?;
        let shards = select.query_map((self.id, horizon_ms), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let shards: Vec<(i64, Option<bool>)> = shards.collect::<rusqlite::Result<_>>()?;
        for (shard, has_ended) in shards {
            let is_empty = prune(conn, shard, horizon_ms)?;
            if is_empty && has_ended == Some(true) {
                conn.prepare_cached("DELETE FROM stream_checkpoints WHERE shard = ?1")?.execute([shard])?;
                conn.prepare_cached("DELETE FROM stream_shards WHERE id = ?1")?.execute([shard])?;
            }
        }
        Ok(())
    }
}

/// Drops a shard's records of before a time; returns whether it has none left.
fn prune(conn: &Connection, shard: i64, horizon_ms: i64) -> rusqlite::Result<bool> {
    let (first, last) = (first_of(shard), first_of(shard + 1) - 1);
    let sql = "SELECT id FROM records WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1";
    let oldest: Option<i64> = conn.prepare_cached(sql)?.query_row((first, last), |row| row.get(0)).optional()?;
    let Some(oldest) = oldest else { return Ok(true) };
    let sql = "DELETE FROM records WHERE id BETWEEN ?1 AND ?2 AND time_ms < ?3";
    conn.prepare_cached(sql)?.execute((oldest, last.min(oldest + PRUNE_ROWS - 1), horizon_ms))?;
    Ok(false)
}

/// A read of a shard, and how many records were dropped that should have been read before.
pub(super) struct Read {
    pub(super) records: Records<StreamRecord>,
    pub(super) dropped: usize,
    /// Whether it ended before the records did.
    pub(super) more: bool,
}

impl Part {
    /// After which record a position is; `None` before the oldest. The position is one of this shard.
    pub(super) fn place(
        &self,
        conn: &Connection,
        from: &Position,
        sequence: Option<i64>,
    ) -> rusqlite::Result<Option<i64>> {
        match from {
            Position::After(_) => Ok(sequence),
            Position::TrimHorizon => Ok(None),
            Position::Latest => Ok(Some(self.newest())),
            Position::AtTimestamp(time_ms) => self.before(conn, *time_ms).map(Some),
        }
    }

    /// The record before the first one that came at or after a time; the newest where none did.
    pub(super) fn before(&self, conn: &Connection, time_ms: u64) -> rusqlite::Result<i64> {
        let sql = "SELECT id FROM records WHERE id BETWEEN ?1 AND ?2 AND time_ms >= ?3 ORDER BY id LIMIT 1";
        let (first, last) = self.range().into_inner();
        let time_ms = i64::try_from(time_ms).unwrap_or(i64::MAX);
        let at: Option<i64> =
            conn.prepare_cached(sql)?.query_row((first, last, time_ms), |row| row.get(0)).optional()?;
        Ok(at.map_or_else(|| self.newest(), |at| at - 1))
    }

    /// Reads records behind one.
    pub(super) fn read(&self, conn: &Connection, after: Option<i64>, limit: usize) -> rusqlite::Result<Read> {
        let (first, last) = self.range().into_inner();
        let sql =
            "SELECT id, time_ms, partition_key, data FROM records WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
        let mut select = conn.prepare_cached(sql)?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = select.query((after.unwrap_or(first), last, most))?;
        let (mut records, mut bytes, mut oldest, mut is_whole) = (Vec::new(), 0, None, true);
        while let Some(row) = found.next()? {
            let (id, record) = read_record(row)?;
            oldest.get_or_insert(id);
            bytes += record.data.len();
            records.push(record);
            if bytes >= READ_BYTES || records.len() >= limit {
                is_whole = false;
                break;
            }
        }
        // Sequence numbers have no gaps.
        let dropped = after.map_or(0, |after| (oldest.unwrap_or(self.newest() + 1) - after - 1).max(0));
        let next = match (records.last(), after) {
            _ if is_whole && self.is_closed => None,
            (Some(newest), _) => Some(Position::After(newest.sequence.clone())),
            (None, Some(after)) => Some(Position::After(sequence::text(after + dropped))),
            (None, None) => Some(Position::TrimHorizon),
        };
        let dropped = usize::try_from(dropped).unwrap_or(0);
        Ok(Read { records: Records { records, next }, dropped, more: !is_whole })
    }
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<(i64, StreamRecord)> {
    let id = row.get(0)?;
    let record = StreamRecord {
        sequence: sequence::text(id),
        partition_key: row.get(2)?,
        data: row.get(3)?,
        time_ms: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
    };
    Ok((id, record))
}
