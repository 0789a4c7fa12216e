//! Numbers of tables, queues, collections, data streams and topics of the event log in the file, and the workers that do
//! tasks. A name that leaves the configuration keeps its number, so that its data is there when it returns.

use super::data_streams::DataStream;
use super::due::Due;
use super::event_log::LogTopic;
use super::queue::{Queue, prune_deduplication};
use super::table::Table;
use super::{failures, task};
use host_adapters_platform::names::unknown;
use host_adapters_platform::{Declared, QueueSpec, Result};
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::Arc;

/// Everything configured, by name.
#[derive(Default)]
pub(super) struct Names {
    tables: HashMap<String, Arc<Table>>,
    queues: HashMap<String, Arc<Queue>>,
    collections: HashMap<String, i64>,
    data_streams: HashMap<String, Arc<DataStream>>,
    /// Of the event log.
    log_topics: HashMap<String, Arc<LogTopic>>,
    /// When an execution of a worker's tasks can be taken.
    tasks: HashMap<String, Arc<Due>>,
}

impl Names {
    /// Reads the numbers, giving new ones to new names.
    pub(super) fn load(conn: &Connection, declared: &Declared, now_ms: i64) -> rusqlite::Result<Self> {
        let transaction = conn.unchecked_transaction()?;
        let mut names = Self::default();
        for (name, table) in &declared.tables {
            let table = Table::load(conn, number(conn, "table", name)?, name, table)?;
            names.tables.insert(name.clone(), Arc::new(table));
        }
        for (name, queue) in with_dead_letter_queues(declared) {
            let queue = Queue::new(number(conn, "queue", &name)?, &name, &queue);
            names.queues.insert(name, Arc::new(queue));
        }
        for name in &declared.collections {
            names.collections.insert(name.clone(), number(conn, "collection", name)?);
        }
        for (name, spec) in &declared.data_streams {
            let stream = DataStream::load(conn, number(conn, "data stream", name)?, name, spec, now_ms)?;
            names.data_streams.insert(name.clone(), Arc::new(stream));
        }
        for (name, spec) in &declared.event_log {
            let topic = LogTopic::load(conn, number(conn, "log topic", name)?, name, spec)?;
            names.log_topics.insert(name.clone(), Arc::new(topic));
        }
        names.tasks.extend(declared.tasks.iter().map(|worker| (worker.clone(), Arc::default())));
        transaction.commit()?;
        Ok(names)
    }

    pub(super) fn table(&self, name: &str) -> Result<Arc<Table>> {
        self.tables.get(name).cloned().ok_or_else(|| unknown("table", name, self.tables.keys()))
    }

    pub(super) fn queue(&self, name: &str) -> Result<Arc<Queue>> {
        self.queues.get(name).cloned().ok_or_else(|| unknown("queue", name, self.queues.keys()))
    }

    pub(super) fn collection(&self, name: &str) -> Result<i64> {
        self.collections.get(name).copied().ok_or_else(|| unknown("collection", name, self.collections.keys()))
    }

    pub(super) fn data_stream(&self, name: &str) -> Result<Arc<DataStream>> {
        self.data_streams.get(name).cloned().ok_or_else(|| unknown("data stream", name, self.data_streams.keys()))
    }

    pub(super) fn log_topic(&self, name: &str) -> Result<Arc<LogTopic>> {
        self.log_topics
            .get(name)
            .cloned()
            .ok_or_else(|| unknown("topic of the event log", name, self.log_topics.keys()))
    }

    pub(super) fn tasks(&self, worker: &str) -> Result<Arc<Due>> {
        self.tasks.get(worker).cloned().ok_or_else(|| unknown("worker with tasks", worker, self.tasks.keys()))
    }

    /// Drops expired data.
    pub(super) fn prune(&self, conn: &Connection, now_ms: i64) -> rusqlite::Result<()> {
        self.tables.values().try_for_each(|table| table.prune(conn, now_ms))?;
        self.queues.values().try_for_each(|queue| queue.prune(conn, now_ms))?;
        self.data_streams.values().try_for_each(|stream| stream.prune(conn, now_ms))?;
        self.log_topics.values().try_for_each(|topic| topic.prune(conn, now_ms))?;
        prune_deduplication(conn, now_ms)?;
        failures::prune(conn, now_ms)?;
        task::prune(conn, now_ms)
    }

    /// Where a queue's exhausted messages go.
    pub(super) fn dead_letters_of(&self, queue: &Queue) -> Option<Arc<Queue>> {
        queue.dead_letter_queue.as_ref().and_then(|name| self.queues.get(name)).cloned()
    }
}

fn with_dead_letter_queues(declared: &Declared) -> Vec<(String, QueueSpec)> {
    let mut queues = declared.queues.clone();
    for name in declared.queues.values().filter_map(|queue| queue.dead_letter_queue.clone()) {
        queues.entry(name).or_insert_with(QueueSpec::dead_letters);
    }
    queues.into_iter().collect()
}

fn number(conn: &Connection, kind: &str, name: &str) -> rusqlite::Result<i64> {
    conn.execute("INSERT OR IGNORE INTO names (kind, name) VALUES (?1, ?2)", (kind, name))?;
    conn.query_row("SELECT id FROM names WHERE kind = ?1 AND name = ?2", (kind, name), |row| row.get(0))
}
