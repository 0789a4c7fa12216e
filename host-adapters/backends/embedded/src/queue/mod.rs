//! Queues with SQS's rules: visibility, delay, receive counts, redrive to a dead-letter queue, retention; in FIFO queues
//! also the order of groups and deduplication.

mod attributes;
mod backend;
mod browser;
mod deduplication;
mod receive;
mod rows;

pub(super) use deduplication::prune as prune_deduplication;

use crate::due::Due;
use host_adapters_platform::clock::millis;
use host_adapters_platform::{QueueSpec, expired, fifo};
use host_adapters_records::queue::Message;
use rusqlite::Connection;
use std::time::Duration;

/// A queue by its number.
pub(super) struct Queue {
    id: i64,
    name: String,
    is_fifo: bool,
    max_receive_count: u32,
    pub(super) dead_letter_queue: Option<String>,
    retention_ms: i64,
    /// When a message can be received.
    due: Due,
}

impl Queue {
    pub(super) fn new(id: i64, name: &str, spec: &QueueSpec) -> Self {
        Self {
            id,
            name: name.to_owned(),
            is_fifo: fifo::is_fifo(name),
            max_receive_count: spec.max_receive_count,
            dead_letter_queue: spec.dead_letter_queue.clone(),
            retention_ms: millis(Duration::from_secs(spec.retention_secs.into())),
            due: Due::default(),
        }
    }

    /// Stores a message; returns its id.
    pub(super) fn insert(&self, conn: &Connection, message: &Message, now_ms: i64) -> rusqlite::Result<String> {
        rows::insert(conn, self, message, now_ms)
    }

    /// Wakes those who wait: a message can be received from this time on.
    pub(super) fn expect_at(&self, now_ms: i64) {
        self.due.expect_at(now_ms);
    }

    /// Drops messages whose retention has ended and that are not in flight. A message becomes visible no earlier than
    /// it is sent, so the index on visibility finds them; one received since is dropped at its next receive.
    pub(super) fn prune(&self, conn: &Connection, now_ms: i64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM messages WHERE queue = ?1 AND visible_ms <= ?2";
        let dropped = conn.prepare_cached(sql)?.execute((self.id, now_ms - self.retention_ms))?;
        expired(&self.name, dropped);
        Ok(())
    }
}
