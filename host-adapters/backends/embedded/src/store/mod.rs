//! The one file behind all embedded backends: a thread that writes, a few connections that read.

mod readers;
mod schema;
mod writer;

pub use schema::OpenError;
pub(super) use writer::Upkeep;

use host_adapters_platform::Result;
use host_adapters_records::{Error, ErrorKind};
use readers::Readers;
use rusqlite::Connection;
use std::path::Path;
use writer::Writer;

/// The open file. Dropping it lets the writer finish what it has taken on and closes the file.
pub(super) struct Store {
    writer: Writer,
    readers: Readers,
}

impl Store {
    /// Opens or makes the file. `setup` runs once before anything else and hands out what the backends know by number,
    /// with the upkeep that the writer does by itself from time to time.
    pub(super) fn open<T>(
        path: &Path,
        setup: impl FnOnce(&Connection) -> rusqlite::Result<(T, Upkeep)>,
    ) -> std::result::Result<(Self, T), OpenError> {
        let failed = |error| OpenError::Sqlite { path: path.display().to_string(), error };
        let conn = schema::open_writer(path)?;
        let (value, upkeep) = setup(&conn).map_err(failed)?;
        let readers = Readers::open(path).map_err(failed)?;
        Ok((Self { writer: Writer::start(conn, upkeep)?, readers }, value))
    }

    /// Runs `job` in a transaction of the writer and answers when it is on disk. If `job` fails, nothing of it is
    /// kept. `after` runs once it is committed, also where the caller no longer waits.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T> {
        self.writer.run(job, after).await
    }

    /// Runs `read` on a connection of its own; it sees all that was answered before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.readers.run(read).await
    }
}

/// A failure of the file itself: full, gone, broken. Trying again may help once somebody has looked at it.
fn failed(error: &rusqlite::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the embedded store failed: {error}; check its disk"))
}
