//! The memory of the host, as the system counts it.

use anyhow::{Context, Result};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const POLL: Duration = Duration::from_millis(100);
/// How long the host may take to be back after a kill.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures the resident memory of a process from now on.
pub struct Memory {
    seen: Arc<Mutex<Measured>>,
    task: JoinHandle<()>,
}

/// Resident memory, bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Measured {
    /// At the beginning.
    pub before: u64,
    /// The greatest since.
    pub greatest: u64,
    /// At the end.
    pub after: u64,
}

impl Memory {
    /// Begins to measure the process whose id is in a file. While it is killed and restarted, there is nothing to see.
    pub async fn watch(process_id: &Path) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        let before = loop {
            match resident(process_id) {
                Err(_) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                before => break before?,
            }
        };
        let seen = Arc::new(Mutex::new(Measured { before, greatest: before, after: before }));
        let (path, sink) = (process_id.to_owned(), seen.clone());
        let task = tokio::spawn(async move {
            loop {
                if let Ok(now) = resident(&path) {
                    let mut seen = sink.lock().unwrap_or_else(PoisonError::into_inner);
                    (seen.greatest, seen.after) = (seen.greatest.max(now), now);
                }
                tokio::time::sleep(POLL).await;
            }
        });
        Ok(Self { seen, task })
    }

    /// Ends the measurement.
    pub fn measured(self) -> Measured {
        self.task.abort();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Measured {
    /// How much more there was than at the beginning, bytes.
    pub fn grown(&self) -> u64 {
        self.greatest - self.before
    }
}

/// The resident memory of the process whose id is in a file, bytes.
fn resident(process_id: &Path) -> Result<u64> {
    let id = std::fs::read_to_string(process_id).with_context(|| format!("reading {}", process_id.display()))?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", id.trim())).context("reading the host's status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the host's status has no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().context("VmRSS is not a number")?;
    Ok(kib * 1_024)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_that_a_process_touches_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("id");
        std::fs::write(&file, std::process::id().to_string()).unwrap();
        let memory = Memory::watch(&file).await.unwrap();
        let touched = vec![1_u8; 64 << 20];
        tokio::time::sleep(3 * POLL).await;
        assert!(std::hint::black_box(&touched).iter().all(|byte| *byte == 1));
        drop(touched);
        let measured = memory.measured();
        assert!(measured.before > 0 && measured.grown() > 32 << 20, "{measured:?}");
        assert!(resident(&folder.path().join("none")).is_err());
    }
}
