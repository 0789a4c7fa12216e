//! The shards of a stream in the file. They change only when the file is opened: then those that there are, are split and
//! merged until there are as many as are declared.

use super::hash_keys::{HashKeys, Step, evenly, next_step};
use host_adapters_platform::Shard;
use rusqlite::{Connection, OptionalExtension, Row};
use std::ops::RangeInclusive;

/// Bits of a sequence number that count within its shard.
const COUNT_BITS: u32 = 40;

/// A shard that takes records.
#[derive(Clone, Debug)]
pub(super) struct OpenShard {
    /// Its number in the file.
    pub(super) id: i64,
    /// Its number in the stream, from which its name is formed.
    number: i64,
    pub(super) keys: HashKeys,
}

/// What of a shard readers need.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// Its number in the file; its sequence numbers begin with it.
    pub(super) id: i64,
    /// The count of its next record.
    next: i64,
    pub(super) is_closed: bool,
}

/// A shard's name, as Kinesis names them.
fn name(number: i64) -> String {
    format!("shardId-{number:012}")
}

impl Part {
    /// The shard of this name; `None` if it no longer exists.
    pub(super) fn find(conn: &Connection, stream: i64, shard: &str) -> rusqlite::Result<Option<Self>> {
        let Some(number) = shard.strip_prefix("shardId-").and_then(|digits| digits.parse::<i64>().ok()) else {
            return Ok(None);
        };
        let sql = "SELECT id, next, closed_ms IS NOT NULL FROM stream_shards WHERE stream = ?1 AND number = ?2";
        let part = |row: &Row<'_>| Ok(Self { id: row.get(0)?, next: row.get(1)?, is_closed: row.get(2)? });
        conn.prepare_cached(sql)?.query_row((stream, number), part).optional()
    }

    /// All its sequence numbers, used or not; the first means none.
    pub(super) fn range(&self) -> RangeInclusive<i64> {
        let first = first_of(self.id);
        first..=first + ((1 << COUNT_BITS) - 1)
    }

    /// The sequence number of its newest record, whether that is still kept or not; the first of all where there was none.
    pub(super) fn newest(&self) -> i64 {
        first_of(self.id) + self.next - 1
    }
}

/// The number before the sequence numbers of a shard's records.
pub(super) const fn first_of(shard: i64) -> i64 {
    shard << COUNT_BITS
}

/// All shards that are still listed: a closed one is, until its last records have expired.
pub(super) fn list(conn: &Connection, stream: i64) -> rusqlite::Result<Vec<Shard>> {
    let sql = "SELECT number, parent, adjacent_parent, first_key, last_key FROM stream_shards WHERE stream = ?1 ORDER BY number";
    let mut select = conn.prepare_cached(sql)?;
    let shard = |row: &Row<'_>| {
        let parents: [Option<i64>; 2] = [row.get(1)?, row.get(2)?];
        let parents = parents.into_iter().flatten().map(name).collect();
        Ok(Shard { id: name(row.get(0)?), parents, hash_keys: Some(keys(row, 3)?) })
    };
    select.query_map([stream], shard)?.collect()
}

/// The stream's shards that take records, the one with the lowest hash keys first. There are as many as are declared.
pub(super) fn open(conn: &Connection, stream: i64, declared: u32, now_ms: i64) -> rusqlite::Result<Vec<OpenShard>> {
    let wanted = evenly(declared);
    let mut open = opened(conn, stream)?;
    if open.is_empty() {
        return wanted.into_iter().map(|keys| make(conn, stream, keys, [None, None])).collect();
    }
    if open.len() == wanted.len() {
        return Ok(open);
    }
    while let Some(step) = next_step(&open.iter().map(|shard| shard.keys.clone()).collect::<Vec<_>>(), &wanted) {
        take(conn, stream, &mut open, step, now_ms)?;
    }
    Ok(open)
}

fn take(conn: &Connection, stream: i64, open: &mut Vec<OpenShard>, step: Step, now_ms: i64) -> rusqlite::Result<()> {
    let (place, parents, children): (usize, Vec<OpenShard>, Vec<HashKeys>) = match step {
        Step::Split(place, at) => {
            let parents: Vec<OpenShard> = open.drain(place..=place).collect();
            let children = parents.iter().flat_map(|it| [*it.keys.start()..=at - 1, at..=*it.keys.end()]).collect();
            (place, parents, children)
        }
        Step::Merge(place) => {
            let parents: Vec<OpenShard> = open.drain(place..=place + 1).collect();
            let ends = parents.first().zip(parents.last());
            let children = ends.into_iter().map(|(first, last)| *first.keys.start()..=*last.keys.end()).collect();
            (place, parents, children)
        }
    };
    for parent in &parents {
        let sql = "UPDATE stream_shards SET closed_ms = ?1 WHERE id = ?2";
        conn.prepare_cached(sql)?.execute((now_ms, parent.id))?;
    }
    let of = [0, 1].map(|nth| parents.get(nth).map(|parent| parent.number));
    let made: Vec<_> =
        children.into_iter().map(|keys| make(conn, stream, keys, of)).collect::<rusqlite::Result<_>>()?;
    open.splice(place..place, made);
    Ok(())
}

fn opened(conn: &Connection, stream: i64) -> rusqlite::Result<Vec<OpenShard>> {
    let sql = "SELECT id, number, first_key, last_key FROM stream_shards WHERE stream = ?1 AND closed_ms IS NULL
               ORDER BY first_key";
    let shard = |row: &Row<'_>| Ok(OpenShard { id: row.get(0)?, number: row.get(1)?, keys: keys(row, 2)? });
    conn.prepare_cached(sql)?.query_map([stream], shard)?.collect()
}

/// Makes a shard. Its number in the file is greater than those of all that were made before: so are its sequence numbers.
fn make(
    conn: &Connection,
    stream: i64,
    keys: HashKeys,
    [parent, adjacent_parent]: [Option<i64>; 2],
) -> rusqlite::Result<OpenShard> {
    let sql = "SELECT coalesce(max(number) + 1, 0) FROM stream_shards WHERE stream = ?1";
    let number: i64 = conn.prepare_cached(sql)?.query_row([stream], |row| row.get(0))?;
    let sql = "INSERT INTO stream_shards (stream, number, first_key, last_key, parent, adjacent_parent, next)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)";
    let (first, last) = (keys.start().to_be_bytes(), keys.end().to_be_bytes());
    conn.prepare_cached(sql)?.execute((stream, number, first, last, parent, adjacent_parent))?;
    Ok(OpenShard { id: conn.last_insert_rowid(), number, keys })
}

/// The hash keys in two columns, the first of them at `at`.
fn keys(row: &Row<'_>, at: usize) -> rusqlite::Result<HashKeys> {
    Ok(u128::from_be_bytes(row.get(at)?)..=u128::from_be_bytes(row.get(at + 1)?))
}
