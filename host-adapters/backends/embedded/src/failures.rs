//! How often messages have failed, also those of a queue elsewhere.

use crate::Embedded;
use host_adapters_platform::clock::millis;
use host_adapters_platform::{FAILURES_KEPT, FailureTable, Result};
use rusqlite::Connection;

#[async_trait::async_trait]
impl FailureTable for Embedded {
    async fn count_failures(&self, queue: &str, messages: &[String]) -> Result<Vec<u32>> {
        let (queue, messages, clock) = (queue.to_owned(), messages.to_vec(), self.clock.clone());
        let count = move |conn: &Connection| {
            let expires_ms = clock.now_ms().saturating_add(millis(FAILURES_KEPT));
            let sql = "INSERT INTO failures (queue, message, failures, expires_ms) VALUES (?1, ?2, 1, ?3)
                       ON CONFLICT DO UPDATE SET failures = failures + 1, expires_ms = excluded.expires_ms
                       RETURNING failures";
            let mut insert = conn.prepare_cached(sql)?;
            let one = |message| insert.query_row((&queue, message, expires_ms), |row| row.get(0));
            messages.iter().map(one).collect()
        };
        self.store.write(count, |_: &Vec<u32>| {}).await
    }

    async fn forget_failures(&self, queue: &str, messages: &[String]) -> Result<()> {
        let (queue, messages) = (queue.to_owned(), messages.to_vec());
        let forget = move |conn: &Connection| {
            let mut delete = conn.prepare_cached("DELETE FROM failures WHERE queue = ?1 AND message = ?2")?;
            messages.iter().try_for_each(|message| delete.execute((&queue, message)).map(drop))
        };
        self.store.write(forget, |()| {}).await
    }
}

/// Drops failures of messages that nobody settled: their queue has dropped or moved them.
pub(super) fn prune(conn: &Connection, now_ms: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM failures WHERE expires_ms <= ?1")?.execute([now_ms]).map(drop)
}
