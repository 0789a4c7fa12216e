//! One process uses a store at a time: it numbers records in memory, and two would give the same number twice.

use super::OpenError;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a start waits for a host that is still stopping.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// Takes the lock, a file next to the store, which readers of the store do not need.
pub(super) fn take(store: &Path) -> Result<File, OpenError> {
    let path = store.with_extension("lock");
    let began = Instant::now();
    let file = File::options().create(true).truncate(false).write(true).open(&path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => std::thread::sleep(POLL),
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: store.display().to_string() }),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}
