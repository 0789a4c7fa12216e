//! Single messages, by their ids and page by page. Messages have no index on their ids, which would make every send
//! slower. They are searched on a reading connection, so that the writer does not wait.

use super::Queue;
use super::rows::{Receipt, read_message};
use crate::Embedded;
use host_adapters_platform::clock::millis;
use host_adapters_platform::limits::invalid;
use host_adapters_platform::limits::message::check_visibility;
use host_adapters_platform::{Page, QueueBrowser, Received, Result};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The position after the last message of a page, in the order of the index `messages_due`.
#[derive(Clone, Copy)]
struct Place {
    visible_ms: i64,
    receives: i64,
    id: i64,
}

impl Place {
    const BEGINNING: Self = Self { visible_ms: i64::MIN, receives: 0, id: 0 };

    fn parse(text: &str) -> Result<Self> {
        let parts: Option<Vec<i64>> = text.split('.').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some([visible_ms, receives, id]) => Ok(Self { visible_ms: *visible_ms, receives: *receives, id: *id }),
            _ => Err(invalid("that is not a place in a queue; pass the `next` of a page")),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.visible_ms, self.receives, self.id)
    }
}

#[async_trait::async_trait]
impl QueueBrowser for Embedded {
    async fn browse(&self, queue: &str, from: Option<&str>, max: usize) -> Result<Page> {
        let queue = self.names.queue(queue)?;
        let from = from.map_or(Ok(Place::BEGINNING), Place::parse)?;
        self.store.read(move |conn| page(conn, &queue, from, max)).await
    }

    async fn find(&self, queue: &str, id: &str) -> Result<Option<Received>> {
        let queue = self.names.queue(queue)?;
        let wanted = parse_ids(&[id.to_owned()]);
        let find = move |conn: &Connection| match find_rows(conn, &queue, &wanted)?.first() {
            None => Ok(None),
            Some(row) => {
                let sql = "SELECT uuid, body, attributes, receives, sent_ms, grp FROM messages WHERE id = ?1";
                conn.prepare_cached(sql)?.query_row([row], |row| read_message(row, 0, String::new())).optional()
            }
        };
        self.store.read(find).await
    }

    async fn take(&self, queue: &str, ids: &[String], visibility: Duration) -> Result<Vec<Received>> {
        let queue = self.names.queue(queue)?;
        check_visibility(visibility)?;
        let (wanted, looked_in) = (parse_ids(ids), Arc::clone(&queue));
        let rows = self.store.read(move |conn| find_rows(conn, &looked_in, &wanted)).await?;
        let clock = self.clock.clone();
        let take = move |conn: &Connection| {
            let now_ms = clock.now_ms();
            let until_ms = now_ms.saturating_add(millis(visibility).max(1));
            let taken = rows.iter().map(|row| take_row(conn, &queue, *row, now_ms, until_ms));
            taken.filter_map(rusqlite::Result::transpose).collect()
        };
        self.store.write(take, |_: &Vec<_>| ()).await
    }
}

/// Parses ids. A text that is not an id of this store matches no message.
fn parse_ids(ids: &[String]) -> HashSet<Uuid> {
    ids.iter().filter_map(|id| id.parse().ok()).collect()
}

fn find_rows(conn: &Connection, queue: &Queue, wanted: &HashSet<Uuid>) -> rusqlite::Result<Vec<i64>> {
    let mut found = Vec::with_capacity(wanted.len());
    let mut select = conn.prepare_cached("SELECT id, uuid FROM messages WHERE queue = ?1")?;
    let mut rows = select.query([queue.id])?;
    while found.len() < wanted.len()
        && let Some(row) = rows.next()?
    {
        if Uuid::from_slice(row.get_ref(1)?.as_blob()?).is_ok_and(|id| wanted.contains(&id)) {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}

/// Receives one message, unless it is in flight or was moved after it was found.
fn take_row(
    conn: &Connection,
    queue: &Queue,
    row: i64,
    now_ms: i64,
    until_ms: i64,
) -> rusqlite::Result<Option<Received>> {
    let receipt = Receipt { row, mark: rand::random::<i64>() & i64::MAX };
    let sql = "UPDATE messages SET visible_ms = ?4, receives = receives + 1, receipt = ?5
               WHERE id = ?1 AND queue = ?2 AND visible_ms <= ?3
               RETURNING uuid, body, attributes, receives, sent_ms, grp";
    conn.prepare_cached(sql)?
        .query_row(params![row, queue.id, now_ms, until_ms, receipt.mark], |row| {
            read_message(row, 0, receipt.to_string())
        })
        .optional()
}

fn page(conn: &Connection, queue: &Queue, from: Place, max: usize) -> rusqlite::Result<Page> {
    let sql = "SELECT uuid, body, attributes, receives, sent_ms, grp, visible_ms, id FROM messages
               WHERE queue = ?1 AND (visible_ms, receives, id) > (?2, ?3, ?4)
               ORDER BY visible_ms, receives, id LIMIT ?5";
    let mut select = conn.prepare_cached(sql)?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = select.query_map(params![queue.id, from.visible_ms, from.receives, from.id, limit], |row| {
        let place = Place { visible_ms: row.get(6)?, receives: row.get(3)?, id: row.get(7)? };
        Ok((read_message(row, 0, String::new())?, place))
    })?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let next = rows.last().filter(|_| rows.len() == max).map(|(_, place)| place.to_string());
    Ok(Page { messages: rows.into_iter().map(|(message, _)| message).collect(), next })
}
