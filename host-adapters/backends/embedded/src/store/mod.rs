//! The file of all embedded backends, with one thread that writes and a few connections that read.

mod lock;
mod readers;
mod schema;
mod writer;

pub use schema::OpenError;
pub(super) use writer::Upkeep;

use host_adapters_platform::Result;
use host_adapters_records::{Error, ErrorKind};
use readers::Readers;
use rusqlite::Connection;
use std::fs::File;
use std::path::Path;
use writer::Writer;

/// The open file. Dropping it lets the writer finish the accepted jobs and closes the file.
pub(super) struct Store {
    writer: Writer,
    readers: Readers,
    /// Kept while the file is open.
    _lock: File,
}

impl Store {
    /// Opens or makes the file. `setup` runs before anything else; it returns what the backends need, and the upkeep
    /// that the writer does from time to time.
    pub(super) fn open<T>(
        path: &Path,
        setup: impl FnOnce(&Connection) -> rusqlite::Result<(T, Upkeep)>,
    ) -> std::result::Result<(Self, T), OpenError> {
        let failed = |error| OpenError::Sqlite { path: path.display().to_string(), error };
        let conn = schema::open_writer(path)?;
        let lock = lock::take(path)?;
        let (value, upkeep) = setup(&conn).map_err(failed)?;
        let readers = Readers::open(path).map_err(failed)?;
        Ok((Self { writer: Writer::start(conn, upkeep)?, readers, _lock: lock }, value))
    }

    /// Runs `job` in a transaction of the writer and returns when it is on disk. If `job` fails, all its changes are
    /// undone. `after` runs once it is committed, even if the caller no longer waits.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T> {
        self.writer.run(job, after).await
    }

    /// Runs `read` on its own connection. It sees all writes that were acknowledged before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.readers.run(read).await
    }
}

/// An error of the file itself: it is full, gone or broken. A retry may succeed once an operator has corrected that.
fn failed(error: &rusqlite::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the embedded store failed: {error}; check its disk"))
}
