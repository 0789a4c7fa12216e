//! Which versions of objects a queue was notified of.

use host_adapters_platform::objects::Notification;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// The etags of objects whose messages were sent, by key.
pub(super) fn sent(conn: &Connection, of: &Notification) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut select =
        conn.prepare_cached("SELECT key, etag FROM notified WHERE queue = ?1 AND bucket = ?2 AND is_sent")?;
    select.query_map((&of.queue, &of.bucket), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Records versions, `(key, etag)`, before their messages are sent; returns their numbers. A version that was recorded
/// before keeps its number.
pub(super) fn note(conn: &Connection, of: &Notification, versions: &[(String, String)]) -> rusqlite::Result<Vec<i64>> {
    let mut select = conn
        .prepare_cached("SELECT sequencer FROM notified WHERE queue = ?1 AND bucket = ?2 AND key = ?3 AND etag = ?4")?;
    let mut count = conn.prepare_cached(
        "INSERT INTO sequencers (bucket, latest) VALUES (?1, 1) ON CONFLICT DO UPDATE SET latest = latest + 1
         RETURNING latest",
    )?;
    let mut insert = conn.prepare_cached(
        "INSERT OR REPLACE INTO notified (queue, bucket, key, etag, sequencer, is_sent) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
    )?;
    let mut one = |(key, etag): &(String, String)| {
        if let Some(known) = select.query_row((&of.queue, &of.bucket, key, etag), |row| row.get(0)).optional()? {
            return Ok(known);
        }
        let next: i64 = count.query_row([&of.bucket], |row| row.get(0))?;
        insert.execute(params![of.queue, of.bucket, key, etag, next])?;
        Ok(next)
    };
    versions.iter().map(&mut one).collect()
}

/// Records that the messages of these versions were sent.
pub(super) fn mark(conn: &Connection, of: &Notification, versions: &[(String, String)]) -> rusqlite::Result<()> {
    let sql = "UPDATE notified SET is_sent = 1 WHERE queue = ?1 AND bucket = ?2 AND key = ?3 AND etag = ?4";
    let mut update = conn.prepare_cached(sql)?;
    versions.iter().try_for_each(|(key, etag)| update.execute((&of.queue, &of.bucket, key, etag)).map(drop))
}

/// Forgets objects that no longer exist.
pub(super) fn forget(conn: &Connection, of: &Notification, keys: &[String]) -> rusqlite::Result<()> {
    let mut delete = conn.prepare_cached("DELETE FROM notified WHERE queue = ?1 AND bucket = ?2 AND key = ?3")?;
    keys.iter().try_for_each(|key| delete.execute((&of.queue, &of.bucket, key)).map(drop))
}
