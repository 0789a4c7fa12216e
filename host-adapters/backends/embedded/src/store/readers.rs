//! Connections that read. A call uses one only while it runs, and keeps no snapshot longer, so that the WAL can always
//! be checkpointed.

use super::{failed, schema};
use host_adapters_platform::Result;
use host_adapters_records::{Error, ErrorKind};
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Enough to keep a machine's cores busy; more would only wait for the disk.
const CONNECTIONS: usize = 4;

pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let idle = (0..CONNECTIONS).map(|_| schema::open_reader(path)).collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(idle)), places: Arc::new(Semaphore::new(CONNECTIONS)) })
    }

    /// Runs `read` on a thread that may block. It is one transaction, so it sees one state.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let closed = || Error::new(ErrorKind::Unavailable, "the embedded store is closed");
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| closed())?;
        let idle = Arc::clone(&self.idle);
        let run = move || {
            let _place = place;
            // There is one connection for each permit. Only a read that panicked leaves fewer.
            let conn = idle.lock().unwrap_or_else(PoisonError::into_inner).pop().ok_or_else(closed)?;
            let result = in_transaction(&conn, read).map_err(|error| failed(&error));
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            result
        };
        tokio::task::spawn_blocking(run).await.map_err(|_| closed())?
    }
}

fn in_transaction<T>(conn: &Connection, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let transaction = conn.unchecked_transaction()?;
    let value = read(&transaction)?;
    transaction.commit()?;
    Ok(value)
}
