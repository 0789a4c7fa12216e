//! Executions of tasks, as [`host_adapters_platform::task`] describes them.

mod backend;
mod rows;
mod table;

use rusqlite::{Connection, OptionalExtension};
use std::time::Duration;

/// How long an execution is kept after its end, as in Step Functions.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// Most executions that are kept after their end, of all workers.
const MOST_KEPT: i64 = 10_000;

/// What a host that was killed has left: its attempts have ended, because the file has one host at a time.
pub(super) fn resume(conn: &Connection, now_ms: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE executions SET state = 'scheduled', lost = lost + 1, due_ms = ?1
               WHERE state = 'running' AND ended_ms IS NULL";
    let resumed = conn.execute(sql, [now_ms])?;
    if resumed > 0 {
        tracing::warn!(resumed, "executions of tasks are resumed: the last host ended during their attempts");
    }
    Ok(())
}

/// Drops executions that ended long ago, and the oldest of too many.
pub(super) fn prune(conn: &Connection, now_ms: i64) -> rusqlite::Result<()> {
    // The end of the newest one that is to go.
    let sql = "SELECT ended_ms FROM executions WHERE ended_ms IS NOT NULL ORDER BY ended_ms DESC LIMIT 1 OFFSET ?1";
    let crowded: Option<i64> = conn.prepare_cached(sql)?.query_row([MOST_KEPT], |row| row.get(0)).optional()?;
    let expired = now_ms.saturating_sub(host_adapters_platform::clock::millis(KEPT));
    let before = crowded.map_or(expired, |crowded| crowded.max(expired));
    let sql = "DELETE FROM executions WHERE ended_ms IS NOT NULL AND ended_ms <= ?1";
    conn.prepare_cached(sql)?.execute([before]).map(drop)
}
