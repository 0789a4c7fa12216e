//! Which messages a FIFO queue has stored within the last five minutes ([SQS: exactly-once
//! processing](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html)).

use super::Queue;
use host_adapters_records::queue::Message;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// For how long a message with the same id is not stored again.
const WINDOW_MS: i64 = 5 * 60 * 1000;

/// The message that was stored under the same id, if there is one; else `uuid` is noted as that message.
pub(super) fn earlier(
    conn: &Connection,
    queue: &Queue,
    message: &Message,
    uuid: Uuid,
    now_ms: i64,
) -> rusqlite::Result<Option<Uuid>> {
    let id = id(message);
    let sql = "SELECT uuid FROM deduplication WHERE queue = ?1 AND id = ?2 AND until_ms > ?3";
    let mut select = conn.prepare_cached(sql)?;
    let found = select.query_row(params![queue.id, id, now_ms], |row| row.get::<_, Vec<u8>>(0)).optional()?;
    if let Some(found) = found {
        return Ok(Some(Uuid::from_slice(&found).unwrap_or_default()));
    }
    let sql = "INSERT OR REPLACE INTO deduplication (queue, id, uuid, until_ms) VALUES (?1, ?2, ?3, ?4)";
    conn.prepare_cached(sql)?.execute(params![queue.id, id, uuid.as_bytes(), now_ms + WINDOW_MS])?;
    Ok(None)
}

/// The message's own id, else the SHA-256 of its body.
fn id(message: &Message) -> Vec<u8> {
    match &message.deduplication_id {
        Some(id) => id.clone().into_bytes(),
        None => Sha256::digest(&message.body).to_vec(),
    }
}

/// Drops ids whose five minutes are over.
pub(crate) fn prune(conn: &Connection, now_ms: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM deduplication WHERE until_ms <= ?1")?.execute([now_ms]).map(drop)
}
