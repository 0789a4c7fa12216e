//! Topics and their records in the file.

use crate::wake::Wake;
use host_adapters_platform::event_log::partition_of;
use host_adapters_platform::{LogPage, LogPartition, LogTopicSpec, LoggedRecord, Result, trimmed};
use host_adapters_records::event_log::LogRecord;
use host_adapters_records::{Error, ErrorKind, source_name};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// Bits of a record's number in the file that are its offset.
const OFFSET_BITS: u32 = 40;
/// The number of bytes after which a page ends.
const PAGE_BYTES: usize = 1024 * 1024;
/// Kafka keeps records for a week, unless a topic says otherwise (`log.retention.hours`).
const RETENTION_MS: i64 = 7 * 24 * 3600 * 1000;
/// Most records of a partition that are kept, our own limit: beyond it the oldest are dropped, whatever their age.
const MOST_KEPT: i64 = 1_000_000;
/// Records of a partition that one round drops, so that the writer is not busy for long.
const PRUNE_ROWS: i64 = 2000;

/// A topic by its number in the file.
pub(crate) struct LogTopic {
    pub(super) id: i64,
    name: String,
    /// In the order of their numbers.
    partitions: Vec<Partition>,
    /// Wakes readers.
    pub(super) wake: Wake,
    /// Partitions and offsets from which records were dropped unread: each is counted once.
    dropped: Mutex<HashSet<(u32, u64)>>,
}

/// A partition of a topic.
#[derive(Clone, Copy)]
pub(super) struct Partition {
    /// Its number in the file; the numbers of its records begin with it.
    pub(super) id: i64,
    /// Its number in the topic.
    pub(super) number: u32,
}

impl LogTopic {
    /// Reads the partitions, and adds those that are declared and missing. None is removed, because its records stay.
    pub(crate) fn load(conn: &Connection, id: i64, name: &str, spec: &LogTopicSpec) -> rusqlite::Result<Self> {
        let insert = "INSERT OR IGNORE INTO log_partitions (topic, number, next) VALUES (?1, ?2, 0)";
        for number in 0..spec.partitions {
            conn.execute(insert, (id, number))?;
        }
        let mut select = conn.prepare("SELECT id, number FROM log_partitions WHERE topic = ?1 ORDER BY number")?;
        let partitions = select.query_map([id], |row| Ok(Partition { id: row.get(0)?, number: row.get(1)? }))?;
        let partitions = partitions.collect::<rusqlite::Result<_>>()?;
        Ok(Self { id, name: name.to_owned(), partitions, wake: Wake::new(), dropped: Mutex::default() })
    }

    /// A partition by its number.
    pub(super) fn partition(&self, number: u32) -> Result<Partition> {
        let found = self.partitions.iter().find(|partition| partition.number == number).copied();
        found.ok_or_else(|| {
            let (name, count) = (&self.name, self.partitions.len());
            let message = format!("topic `{name}` has no partition {number}; it has {count}, which count from 0");
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// The numbers of its partitions.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.partitions.iter().map(|partition| partition.number)
    }

    /// Says, once, that records from an offset on were dropped before they were read.
    pub(super) fn dropped(&self, partition: Partition, from: u64, records: u64) {
        let place = (partition.number, from);
        if records > 0 && self.dropped.lock().unwrap_or_else(PoisonError::into_inner).insert(place) {
            trimmed(&source_name::of_log_topic(&self.name), usize::try_from(records).unwrap_or(usize::MAX));
        }
    }

    /// The number in the file of the partition of a key.
    fn partition_of(&self, key: &str) -> i64 {
        let count = u32::try_from(self.partitions.len()).unwrap_or(u32::MAX);
        let place = usize::try_from(partition_of(key, count)).unwrap_or(0);
        self.partitions.get(place).map_or(0, |partition| partition.id)
    }

    /// Appends records, each to the partition of its key.
    pub(super) fn append(&self, conn: &Connection, records: &[LogRecord], now_ms: i64) -> rusqlite::Result<()> {
        let mut ends: BTreeMap<i64, i64> = BTreeMap::new();
        let sql = "INSERT INTO log_records (id, time_ms, key, value, headers) VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = conn.prepare_cached(sql)?;
        for record in records {
            let partition = self.partition_of(&record.key);
            let end = match ends.get(&partition) {
                Some(end) => *end,
                None => next_of(conn, partition)?,
            };
            let headers = stored(&record.headers);
            insert.execute((first_of(partition) + end, now_ms, &record.key, &record.value, headers))?;
            ends.insert(partition, end + 1);
        }
        let mut update = conn.prepare_cached("UPDATE log_partitions SET next = ?2 WHERE id = ?1")?;
        ends.into_iter().try_for_each(|ends| update.execute(ends).map(drop))
    }

    /// What each partition holds.
    pub(super) fn bounds(&self, conn: &Connection) -> rusqlite::Result<Vec<LogPartition>> {
        self.partitions.iter().map(|partition| partition.bounds(conn)).collect()
    }

    /// Drops records that are a week old, and the oldest of too many.
    pub(crate) fn prune(&self, conn: &Connection, now_ms: i64) -> rusqlite::Result<()> {
        self.partitions.iter().try_for_each(|partition| partition.prune(conn, now_ms - RETENTION_MS, MOST_KEPT))
    }
}

impl Partition {
    /// The offset of the first record that came at or after a time; the end where none did.
    pub(super) fn offset_of_time(self, conn: &Connection, time_ms: u64) -> rusqlite::Result<u64> {
        let sql = "SELECT id FROM log_records WHERE id BETWEEN ?1 AND ?2 AND time_ms >= ?3 ORDER BY id LIMIT 1";
        let time_ms = i64::try_from(time_ms).unwrap_or(i64::MAX);
        let (first, mut select) = (first_of(self.id), conn.prepare_cached(sql)?);
        let found: Option<i64> = select.query_row((first, last_of(self.id), time_ms), |row| row.get(0)).optional()?;
        Ok(offset(found.map_or(next_of(conn, self.id)?, |id| id - first)))
    }

    pub(super) fn bounds(self, conn: &Connection) -> rusqlite::Result<LogPartition> {
        let end = next_of(conn, self.id)?;
        let first = self.oldest(conn)?.map_or(end, |(oldest, _)| oldest - first_of(self.id));
        Ok(LogPartition { number: self.number, first: offset(first), end: offset(end) })
    }

    /// The number in the file of the oldest record, and its time.
    fn oldest(self, conn: &Connection) -> rusqlite::Result<Option<(i64, i64)>> {
        let sql = "SELECT id, time_ms FROM log_records WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1";
        let mut select = conn.prepare_cached(sql)?;
        select.query_row((first_of(self.id), last_of(self.id)), |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }

    /// Reads records from an offset, or from the first one.
    pub(super) fn page(self, conn: &Connection, from: Option<u64>, limit: usize) -> rusqlite::Result<LogPage> {
        let bounds = self.bounds(conn)?;
        self.page_within(conn, bounds, from.unwrap_or(bounds.first), limit)
    }

    /// Reads records from an offset of this partition, which has these bounds.
    pub(super) fn page_within(
        self,
        conn: &Connection,
        bounds: LogPartition,
        from: u64,
        limit: usize,
    ) -> rusqlite::Result<LogPage> {
        let from = from.max(bounds.first);
        let begin = i64::try_from(from).unwrap_or(i64::MAX).min(last_of(0));
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = "SELECT id, time_ms, key, value, headers FROM log_records
                   WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3";
        let mut select = conn.prepare_cached(sql)?;
        let mut found = select.query((first_of(self.id) + begin, last_of(self.id), most))?;
        let (mut records, mut bytes) = (Vec::new(), 0);
        while let Some(row) = found.next()? {
            let record = self.record(row)?;
            bytes += bytes_of(&record);
            records.push(record);
            if bytes >= PAGE_BYTES {
                break;
            }
        }
        let next = records.last().map_or(from, |last| last.offset + 1);
        Ok(LogPage { records, next })
    }

    fn record(self, row: &Row<'_>) -> rusqlite::Result<LoggedRecord> {
        let headers: Option<String> = row.get(4)?;
        Ok(LoggedRecord {
            partition: self.number,
            offset: offset(row.get::<_, i64>(0)? - first_of(self.id)),
            time_ms: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
            key: Some(row.get(2)?),
            value: Some(row.get(3)?),
            headers: headers.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        })
    }

    /// Drops records of before a time, and all but the newest.
    pub(super) fn prune(self, conn: &Connection, horizon_ms: i64, newest: i64) -> rusqlite::Result<()> {
        let Some((oldest, time_ms)) = self.oldest(conn)? else { return Ok(()) };
        let crowded = first_of(self.id) + next_of(conn, self.id)? - newest;
        // Usually none has expired if the oldest has not, and the others need not be looked at.
        if time_ms >= horizon_ms && oldest >= crowded {
            return Ok(());
        }
        let round = last_of(self.id).min(oldest + PRUNE_ROWS - 1);
        let sql = "DELETE FROM log_records WHERE id BETWEEN ?1 AND ?2 AND (time_ms < ?3 OR id < ?4)";
        conn.prepare_cached(sql)?.execute((oldest, round, horizon_ms, crowded)).map(drop)
    }
}

/// The size of a record: its value, its key, and its headers with their names.
fn bytes_of(record: &LoggedRecord) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    headers + [&record.key, &record.value].into_iter().flatten().map(String::len).sum::<usize>()
}

/// The offset that the next record of a partition gets.
fn next_of(conn: &Connection, partition: i64) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT next FROM log_partitions WHERE id = ?1")?.query_row([partition], |row| row.get(0))
}

/// Headers as they are stored, a JSON list of pairs; nothing if there are none.
fn stored(headers: &[(String, String)]) -> Option<String> {
    // Strings can always be serialised.
    (!headers.is_empty()).then(|| serde_json::to_string(headers).unwrap_or_default())
}

/// The number in the file of a partition's record with the offset 0.
fn first_of(partition: i64) -> i64 {
    partition << OFFSET_BITS
}

/// The greatest number in the file that a partition's record can have.
fn last_of(partition: i64) -> i64 {
    first_of(partition + 1) - 1
}

fn offset(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
