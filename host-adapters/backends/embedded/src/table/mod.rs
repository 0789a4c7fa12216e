//! Tables: items as JSON text under (`pk`, `sk`), with DynamoDB's rules, and the stream of their changes.

mod changes;
mod read;
mod rows;
mod stream;
mod update;
mod write;

use host_adapters_platform::{TableSpec, trimmed};
use host_adapters_records::source_name;
use rusqlite::Connection;
use stream::Stream;

/// A table by its number.
pub(super) struct Table {
    id: i64,
    name: String,
    stream: Option<Stream>,
}

impl Table {
    pub(super) fn load(conn: &Connection, id: i64, name: &str, spec: &TableSpec) -> rusqlite::Result<Self> {
        let stream = if spec.stream { Some(Stream::load(conn, id, spec)?) } else { None };
        Ok(Self { id, name: name.to_owned(), stream })
    }

    /// Drops stream records that are settled by all who read them, or a day old.
    pub(super) fn prune(&self, conn: &Connection, now_ms: i64) -> rusqlite::Result<()> {
        let Some(stream) = &self.stream else { return Ok(()) };
        trimmed(&source_name::of_table_stream(&self.name), stream.prune(conn, now_ms)?);
        Ok(())
    }
}
