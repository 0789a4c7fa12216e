//! The layout of the file, and how its connections are opened.

use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Stored in the file as `user_version`. A file of a later version is refused, because it could be misread.
const VERSION: i64 = 7;

/// Marks the file as one of this project (`application_id`): "rgwk".
const APPLICATION_ID: i64 = 0x7267_776b;

/// A row of `names` is a table, queue, collection, data stream or topic; the other tables refer to it by number.
///
/// - `items` is clustered by its key, so that a query reads neighbours.
/// - `changes.id` is a stream's sequence number: shard number << 40 | count. One B-tree, appended to at one place per
///   shard, read in order without an index. `shards.next` keeps counting when all records of a shard are pruned.
/// - `records.id` is the same of data streams, whose shards are `stream_shards`: shard number << 40 | count, without gaps.
///   `first_key` and `last_key` are a shard's hash keys, 16 bytes, the highest first; `parent` and `adjacent_parent` are
///   numbers within the stream. A shard with `closed_ms` takes no more records.
/// - `log_records.id` is the same of the event log, whose partitions are `log_partitions`: partition number << 40 | offset.
///   `headers` is a JSON list of pairs. `log_offsets.next` is the offset that a group reads next.
/// - `messages_due` covers receiving and counting. `messages_of_groups` finds what is in flight of a message group; it
///   holds no message without a group.
/// - `executions.due_ms` is when an execution can be taken: when its next attempt may begin, or the lease of the one in
///   progress is over. `executions_due` holds those that have not ended. `attempts` is the number of the last attempt
///   that began; `lost` counts those that ended with their hosts, or their leases.
/// - `notified` has the version of each object that a queue is told of. `sequencers.latest` keeps counting when objects are
///   gone.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS names (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (kind, name)
) STRICT;
CREATE TABLE IF NOT EXISTS items (
    tab INTEGER NOT NULL, pk TEXT NOT NULL, sk TEXT NOT NULL, item TEXT NOT NULL, PRIMARY KEY (tab, pk, sk)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shards (
    id INTEGER PRIMARY KEY, tab INTEGER NOT NULL, number INTEGER NOT NULL, next INTEGER NOT NULL, UNIQUE (tab, number)
) STRICT;
CREATE TABLE IF NOT EXISTS changes (
    id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, pk TEXT NOT NULL, sk TEXT NOT NULL, old TEXT, new TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS checkpoints (
    shard INTEGER NOT NULL, worker TEXT NOT NULL, settled INTEGER NOT NULL, PRIMARY KEY (shard, worker)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stream_shards (
    id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, number INTEGER NOT NULL, first_key BLOB NOT NULL,
    last_key BLOB NOT NULL, parent INTEGER, adjacent_parent INTEGER, next INTEGER NOT NULL, closed_ms INTEGER,
    UNIQUE (stream, number)
) STRICT;
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, partition_key TEXT NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS stream_checkpoints (
    shard INTEGER NOT NULL, worker TEXT NOT NULL, settled INTEGER NOT NULL, PRIMARY KEY (shard, worker)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_partitions (
    id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, number INTEGER NOT NULL, next INTEGER NOT NULL,
    UNIQUE (topic, number)
) STRICT;
CREATE TABLE IF NOT EXISTS log_records (
    id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, headers TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS log_offsets (
    part INTEGER NOT NULL, grp TEXT NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (part, grp)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, visible_ms INTEGER NOT NULL, receives INTEGER NOT NULL,
    receipt INTEGER NOT NULL, sent_ms INTEGER NOT NULL, uuid BLOB NOT NULL, body TEXT NOT NULL, attributes TEXT,
    grp TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS messages_due ON messages (queue, visible_ms, receives);
CREATE INDEX IF NOT EXISTS messages_of_groups ON messages (queue, grp, visible_ms) WHERE grp IS NOT NULL;
CREATE TABLE IF NOT EXISTS deduplication (
    queue INTEGER NOT NULL, id BLOB NOT NULL, uuid BLOB NOT NULL, until_ms INTEGER NOT NULL, PRIMARY KEY (queue, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deduplication_ends ON deduplication (until_ms);
CREATE TABLE IF NOT EXISTS failures (
    queue TEXT NOT NULL, message TEXT NOT NULL, failures INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS failures_expire ON failures (expires_ms);
CREATE TABLE IF NOT EXISTS executions (
    id INTEGER PRIMARY KEY, worker TEXT NOT NULL, name TEXT NOT NULL, uuid BLOB NOT NULL, state TEXT NOT NULL,
    due_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, failures INTEGER NOT NULL, token INTEGER NOT NULL,
    input TEXT NOT NULL, output TEXT, error TEXT, cause TEXT, correlation_id TEXT, traceparent TEXT,
    started_ms INTEGER NOT NULL, ended_ms INTEGER, lost INTEGER NOT NULL DEFAULT 0, UNIQUE (worker, name)
) STRICT;
CREATE INDEX IF NOT EXISTS executions_due ON executions (worker, due_ms, state) WHERE ended_ms IS NULL;
CREATE INDEX IF NOT EXISTS executions_ended ON executions (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_of_workers ON executions (worker);
CREATE TABLE IF NOT EXISTS notified (
    queue TEXT NOT NULL, bucket TEXT NOT NULL, key TEXT NOT NULL, etag TEXT NOT NULL, sequencer INTEGER NOT NULL,
    is_sent INTEGER NOT NULL, PRIMARY KEY (queue, bucket, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sequencers (bucket TEXT PRIMARY KEY, latest INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY, collection INTEGER NOT NULL, document TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS documents_id ON documents (collection, document ->> '$.id');
CREATE INDEX IF NOT EXISTS documents_slug ON documents (collection, document ->> '$.slug');
";

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite refused.
    #[error("failed to open the embedded store {path}: {error}; check that the folder exists and can be written")]
    Sqlite {
        /// The file.
        path: String,
        /// SQLite's error.
        #[source]
        error: rusqlite::Error,
    },
    /// The file of another program or of a later version.
    #[error(
        "{path} is not a store that this version can read (application {application:#x}, version {version}); name another file"
    )]
    Foreign {
        /// The file.
        path: String,
        /// Its `application_id`.
        application: i64,
        /// Its `user_version`.
        version: i64,
    },
    /// Another process has it open.
    #[error("another host uses the embedded store {path}; stop it, or give this one another data folder")]
    InUse {
        /// The file.
        path: String,
    },
    /// A topic cannot deliver as it is declared.
    #[error("the topic {topic}: {problem}")]
    Topic {
        /// The topic.
        topic: String,
        /// What is wrong with one of its subscriptions.
        problem: String,
    },
    /// The folder of objects cannot be made or read.
    #[error("failed to open the folder of objects {path}: {error}; check that it can be written")]
    Objects {
        /// The folder.
        path: String,
        /// The system's error.
        #[source]
        error: std::io::Error,
    },
    /// The lock file cannot be made, or the writer thread cannot be started.
    #[error("failed to start the embedded store's lock or writer: {0}")]
    Start(#[from] std::io::Error),
}

/// Opens the connection that writes, and creates the tables if the file is new.
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let failed = |error| OpenError::Sqlite { path: path.display().to_string(), error };
    let conn = Connection::open(path).map_err(failed)?;
    check_ours(&conn, path)?;
    prepare_writer(&conn).map_err(failed)?;
    Ok(conn)
}

fn check_ours(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::Sqlite { path: path.display().to_string(), error };
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).map_err(failed)?;
    if (application == APPLICATION_ID && version <= VERSION) || (application == 0 && tables == 0) {
        return Ok(());
    }
    Err(OpenError::Foreign { path: path.display().to_string(), application, version })
}

fn prepare_writer(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(64);
    // WAL with FULL: a commit is acknowledged after its fsync, so an acknowledged write survives a power cut. A
    // checkpoint every 8,000 pages (32 MB) lets repeated writes of a page meet in the WAL. The cache is 8 MB (a
    // negative size is in KiB): any lasting load fills it, and it stays full when the load is over. Changes,
    // records and messages are appended, so few pages are needed again; one that no longer fits is read from the system's
    // own cache, which is not the host's memory.
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000;
         PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -8000; PRAGMA temp_store = MEMORY;",
    )?;
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // Version 2 added no column, version 3 came with the table of executions, version 5 with those of data
    // streams, version 6 with those of the event log, and version 7 with the offsets of its groups.
    let older = match version {
        1 => "ALTER TABLE messages ADD COLUMN grp TEXT;",
        3 => "ALTER TABLE executions ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;",
        _ => "",
    };
    conn.execute_batch(&format!(
        "BEGIN IMMEDIATE; {older} {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}

/// Opens one of the connections that read.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(32);
    // SQLite empties it whenever another connection has written, so more is seldom of use.
    conn.execute_batch("PRAGMA cache_size = -2000; PRAGMA temp_store = MEMORY;")?;
    Ok(conn)
}
