//! The change stream of a table: four shards by the hash of the key, so that the changes of one item stay in order.

use super::Table;
use crate::wake::Wake;
use host_adapters_platform::TableSpec;
use host_adapters_records::table::Key;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicI64, Ordering};

/// Shards of a table; fixed, because the shard of a key must never change.
const SHARDS: i64 = 4;
/// Bits of a sequence number that count within its shard.
const COUNT_BITS: u32 = 40;
/// DynamoDB keeps records for a day.
const RETENTION_MS: i64 = 24 * 3600 * 1000;
/// Records of a shard that one round drops, so that the writer is not busy for long.
const PRUNE_ROWS: i64 = 2000;

pub(super) struct Stream {
    shards: Vec<Shard>,
    consumers: Vec<String>,
    pub(super) wake: Wake,
}

pub(super) struct Shard {
    /// Its number in the file; its sequence numbers begin with it.
    pub(super) id: i64,
    /// The next sequence number. Only the writer takes one.
    next: AtomicI64,
}

impl Stream {
    pub(super) fn load(conn: &Connection, table: i64, spec: &TableSpec) -> rusqlite::Result<Self> {
        let shards = (0..SHARDS).map(|number| Shard::load(conn, table, number)).collect::<rusqlite::Result<_>>()?;
        Ok(Self { shards, consumers: spec.consumers.iter().cloned().collect(), wake: Wake::new() })
    }

    pub(super) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The number of the next change of `key`. A number of a change that is undone is never used again.
    pub(super) fn next_sequence(&self, key: &Key) -> i64 {
        let hash = Sha256::new_with_prefix(&key.pk).chain_update([0]).chain_update(&key.sk).finalize();
        let number = hash.first().map_or(0, |byte| usize::from(*byte) % self.shards.len().max(1));
        self.shards.get(number).map_or(0, |shard| shard.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Drops records that are settled or a day old; returns how many of the old ones are not settled.
    pub(super) fn prune(&self, conn: &Connection, now_ms: i64) -> rusqlite::Result<usize> {
        let prune = |shard: &Shard| shard.prune(conn, &self.consumers, now_ms - RETENTION_MS);
        self.shards.iter().map(prune).sum()
    }
}

impl Shard {
    fn load(conn: &Connection, table: i64, number: i64) -> rusqlite::Result<Self> {
        conn.execute("INSERT OR IGNORE INTO shards (tab, number, next) VALUES (?1, ?2, 0)", (table, number))?;
        let sql = "SELECT id, next FROM shards WHERE tab = ?1 AND number = ?2";
        let (id, next): (i64, i64) = conn.query_row(sql, (table, number), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut shard = Self { id, next: AtomicI64::new(0) };
        let newest = shard.newest(conn)?;
        *shard.next.get_mut() = newest.max(next - 1).max(*shard.range().start()) + 1;
        Ok(shard)
    }

    /// All its sequence numbers, used or not; the first means none.
    pub(super) fn range(&self) -> RangeInclusive<i64> {
        let first = self.id << COUNT_BITS;
        first..=first + ((1 << COUNT_BITS) - 1)
    }

    /// The number of its newest record that was kept, or of the last one pruned.
    pub(super) fn newest(&self, conn: &Connection) -> rusqlite::Result<i64> {
        let (first, last) = self.range().into_inner();
        let sql = "SELECT max(coalesce((SELECT max(id) FROM changes WHERE id BETWEEN ?1 AND ?2), ?1), next - 1)
                   FROM shards WHERE id = ?3";
        conn.prepare_cached(sql)?.query_row((first, last, self.id), |row| row.get(0))
    }

    fn prune(&self, conn: &Connection, consumers: &[String], horizon_ms: i64) -> rusqlite::Result<usize> {
        let (first, last) = self.range().into_inner();
        let sql = "SELECT id FROM changes WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1";
        let oldest: Option<i64> = conn.prepare_cached(sql)?.query_row((first, last), |row| row.get(0)).optional()?;
        let Some(oldest) = oldest else { return Ok(0) };
        let settled = self.settled_by_all(conn, consumers)?;
        let next = self.newest(conn)? + 1;
        let until = last.min(oldest + PRUNE_ROWS - 1);
        let sql = "DELETE FROM changes WHERE id BETWEEN ?1 AND ?2";
        let done = conn.prepare_cached(sql)?.execute((oldest, until.min(settled)))?;
        let sql = "DELETE FROM changes WHERE id BETWEEN ?1 AND ?2 AND time_ms < ?3";
        let unread = conn.prepare_cached(sql)?.execute((oldest, until, horizon_ms))?;
        if done + unread > 0 {
            conn.prepare_cached("UPDATE shards SET next = ?1 WHERE id = ?2")?.execute((next, self.id))?;
        }
        Ok(if consumers.is_empty() { 0 } else { unread })
    }

    /// The position up to which all consumers have settled; the beginning while one has settled nothing.
    fn settled_by_all(&self, conn: &Connection, consumers: &[String]) -> rusqlite::Result<i64> {
        let mut select = conn.prepare_cached("SELECT settled FROM checkpoints WHERE shard = ?1 AND worker = ?2")?;
        let mut settled = Vec::with_capacity(consumers.len());
        for worker in consumers {
            settled.push(select.query_row((self.id, worker), |row| row.get(0)).optional()?.unwrap_or(0));
        }
        Ok(settled.into_iter().min().unwrap_or(0))
    }
}

impl Table {
    /// Wakes the readers that wait for this table's changes.
    pub(super) fn changed_now(&self) {
        if let Some(stream) = &self.stream {
            stream.wake.now();
        }
    }
}
