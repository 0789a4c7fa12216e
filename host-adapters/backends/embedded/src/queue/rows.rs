//! Rows of messages: sending, deleting, changing visibility, counting, peeking.

use super::{Queue, attributes, deduplication};
use host_adapters_platform::limits::invalid;
use host_adapters_platform::{Depth, Received, Result};
use host_adapters_records::queue::Message;
use host_adapters_records::{Error, ErrorKind};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

/// Names one receive of one message: `<row>-<mark of the receive>`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Receipt {
    pub(super) row: i64,
    pub(super) mark: i64,
}

impl Receipt {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let parse = || {
            let (row, mark) = text.split_once('-')?;
            Some(Self { row: row.parse().ok()?, mark: mark.parse().ok()? })
        };
        parse().ok_or_else(|| invalid("that is not a receipt; pass the one that came with the message"))
    }
}

impl std::fmt::Display for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.row, self.mark)
    }
}

/// Stores a message; returns its id. A FIFO queue returns the id of the same message that it has stored before.
pub(super) fn insert(conn: &Connection, queue: &Queue, message: &Message, now_ms: i64) -> rusqlite::Result<String> {
    let uuid = Uuid::new_v4();
    if queue.is_fifo
        && let Some(earlier) = deduplication::earlier(conn, queue, message, uuid, now_ms)?
    {
        return Ok(earlier.to_string());
    }
    let visible_ms = now_ms + i64::from(message.delay_secs) * 1000;
    let sql = "INSERT INTO messages (queue, visible_ms, receives, receipt, sent_ms, uuid, body, attributes, grp)
               VALUES (?1, ?2, 0, 0, ?3, ?4, ?5, ?6, ?7)";
    let attributes = attributes::stored(&message.attributes);
    conn.prepare_cached(sql)?.execute(params![
        queue.id,
        visible_ms,
        now_ms,
        uuid.as_bytes(),
        message.body,
        attributes,
        message.group_id
    ])?;
    Ok(uuid.to_string())
}

/// Deletes a message by its receipt. A stale receipt matches no message.
pub(super) fn delete(conn: &Connection, queue: &Queue, receipt: Receipt) -> rusqlite::Result<()> {
    let sql = "DELETE FROM messages WHERE id = ?1 AND receipt = ?2 AND queue = ?3";
    conn.prepare_cached(sql)?.execute((receipt.row, receipt.mark, queue.id)).map(drop)
}

/// Makes a message invisible until `until_ms`. Fails if it has become visible since the receive.
pub(super) fn change_visibility(
    conn: &Connection,
    queue: &Queue,
    receipt: Receipt,
    now_ms: i64,
    until_ms: i64,
) -> rusqlite::Result<Option<Error>> {
    let sql = "UPDATE messages SET visible_ms = ?5
               WHERE id = ?1 AND receipt = ?2 AND queue = ?3 AND visible_ms > ?4";
    let changed = conn.prepare_cached(sql)?.execute((receipt.row, receipt.mark, queue.id, now_ms, until_ms))?;
    let message = || format!("the message of queue `{}` is not in flight under this receipt any more", queue.name);
    Ok((changed == 0).then(|| Error::new(ErrorKind::Invalid, message())))
}

/// Counts messages with only the index.
pub(super) fn depth(conn: &Connection, queue: &Queue, now_ms: i64) -> rusqlite::Result<Depth> {
    let sql =
        "SELECT count(*) FILTER (WHERE visible_ms <= ?2), count(*) FILTER (WHERE visible_ms > ?2 AND receives > 0),
               count(*) FILTER (WHERE visible_ms > ?2 AND receives = 0) FROM messages WHERE queue = ?1";
    conn.prepare_cached(sql)?.query_row((queue.id, now_ms), |row| {
        let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
        Ok(Depth { visible: count(0)?, in_flight: count(1)?, delayed: count(2)? })
    })
}

/// When the oldest message was sent.
pub(super) fn oldest(conn: &Connection, queue: &Queue) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT min(sent_ms) FROM messages WHERE queue = ?1";
    let sent_ms: Option<i64> = conn.prepare_cached(sql)?.query_row([queue.id], |row| row.get(0))?;
    Ok(sent_ms.and_then(|ms| u64::try_from(ms).ok()))
}

/// The messages that are due first. They are not changed.
pub(super) fn peek(conn: &Connection, queue: &Queue, max: usize) -> rusqlite::Result<Vec<Received>> {
    let sql = "SELECT uuid, body, attributes, receives, sent_ms, grp FROM messages WHERE queue = ?1
               ORDER BY visible_ms, id LIMIT ?2";
    let mut select = conn.prepare_cached(sql)?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    select.query_map((queue.id, limit), |row| read_message(row, 0, String::new()))?.collect()
}

/// Reads a message from the columns uuid, body, attributes, receives, sent_ms, grp, beginning at `first`.
pub(super) fn read_message(row: &Row<'_>, first: usize, receipt: String) -> rusqlite::Result<Received> {
    let uuid = Uuid::from_slice(row.get_ref(first)?.as_blob()?).unwrap_or_default();
    let (attributes, unreadable) = row.get_ref(first + 2)?.as_str_or_null()?.map(attributes::read).unwrap_or_default();
    Ok(Received {
        id: uuid.to_string(),
        receipt,
        body: row.get(first + 1)?,
        attributes,
        unreadable,
        group: row.get(first + 5)?,
        receive_count: row.get(first + 3)?,
        sent_ms: u64::try_from(row.get::<_, i64>(first + 4)?).unwrap_or(0),
    })
}
