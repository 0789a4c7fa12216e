//! Reads the event log: from Kafka, or from the file of the host's own store, which any program may read while the host
//! runs; and waits until it has what is due.

use super::Kafka;
use crate::gateway::Gateway;
use crate::progress::Progress;
use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(250);
/// For how long nothing may change while records are queued: a source may be paused for up to 60 s, and a message waits
/// for its visibility of 30 s.
const STALLED: Duration = Duration::from_secs(120);
/// For how long nothing may change while no record is queued.
const IDLE: Duration = Duration::from_secs(5);
/// The header with the dedup identifier.
pub(super) const DEDUP_ID: &str = "dedup-id";

/// Where the event log is.
pub enum EventLog {
    /// In the host's own store.
    Embedded {
        /// The folder of the host's data.
        data: PathBuf,
    },
    /// On a server.
    Kafka(Kafka),
}

impl EventLog {
    /// How many records all topics have.
    async fn count(&self) -> Result<usize> {
        match self {
            Self::Embedded { data } => count(data),
            Self::Kafka(kafka) => kafka.count().await,
        }
    }

    /// All records of all topics.
    pub async fn records(&self) -> Result<Vec<Logged>> {
        match self {
            Self::Embedded { data } => records(data),
            Self::Kafka(kafka) => kafka.records().await,
        }
    }
}

/// A record of the event log.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// Its topic.
    pub topic: String,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Its header `dedup-id`.
    pub dedup_id: Option<String>,
    /// When it was written, milliseconds since 1970 (UTC).
    pub time_ms: i64,
}

/// Waits until no record is queued and this many are written; returns whether something is queued and nothing moves.
pub async fn wait(due: usize, log: &EventLog, operator: &Gateway, progress: &Progress) -> Result<bool> {
    let bar = progress.bar("waiting for the event log", due);
    let (mut last, mut moved) = (None, Instant::now());
    loop {
        let queues = operator.queues().await?;
        let queued: u64 = queues.iter().filter(|queue| super::has(&queue.name)).map(|queue| queue.total()).sum();
        let written = log.count().await.context("counting the records of the event log")?;
        bar.set_position(written as u64);
        if last.replace((queued, written)) != Some((queued, written)) {
            moved = Instant::now();
        }
        let is_done = queued == 0 && (written >= due || moved.elapsed() > IDLE);
        let is_stalled = queued > 0 && moved.elapsed() > STALLED;
        if is_done || is_stalled {
            bar.finish_and_clear();
            return Ok(is_stalled);
        }
        tokio::time::sleep(POLL).await;
    }
}

fn count(data: &Path) -> Result<usize> {
    let count: i64 = open(data)?.query_row("SELECT count(*) FROM log_records", [], |row| row.get(0))?;
    Ok(usize::try_from(count)?)
}

fn records(data: &Path) -> Result<Vec<Logged>> {
    let store = open(data)?;
    // The number of a partition stands before the offsets of its records.
    let sql = "SELECT names.name, key, value, headers, time_ms FROM log_records \
               JOIN log_partitions ON log_records.id >> 40 = log_partitions.id \
               JOIN names ON names.id = log_partitions.topic ORDER BY log_records.id";
    let mut select = store.prepare(sql)?;
    let rows = select.query_map([], |row| {
        let headers: Option<String> = row.get(3)?;
        let (topic, key, value, time_ms) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(4)?);
        Ok(Logged { topic, key, value, dedup_id: headers.as_deref().and_then(dedup_id), time_ms })
    })?;
    rows.collect::<rusqlite::Result<_>>().context("reading the event log")
}

/// The identifier among headers, which are a JSON list of pairs.
fn dedup_id(headers: &str) -> Option<String> {
    let headers: Vec<(String, String)> = serde_json::from_str(headers).ok()?;
    headers.into_iter().find(|(name, _)| name == DEDUP_ID).map(|(_, id)| id)
}

fn open(data: &Path) -> Result<Connection> {
    let store = Connection::open_with_flags(data.join("embedded.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    store.busy_timeout(Duration::from_secs(30))?;
    Ok(store)
}
