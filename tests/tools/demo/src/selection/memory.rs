//! The memory of the host, as the system counts it.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

const POLL: Duration = Duration::from_millis(100);

/// Measures the resident memory of a process from now on, and keeps the greatest value.
pub struct Memory {
    process_id: PathBuf,
    before: u64,
    greatest: Arc<AtomicU64>,
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
    /// Begins to measure the process whose id is in a file.
    pub fn watch(process_id: &Path) -> Result<Self> {
        let before = resident(process_id)?;
        let (greatest, path) = (Arc::new(AtomicU64::new(before)), process_id.to_owned());
        let seen = greatest.clone();
        let task = tokio::spawn(async move {
            loop {
                // While the host is killed and restarted, there is nothing to see.
                if let Ok(now) = resident(&path) {
                    seen.fetch_max(now, Ordering::Relaxed);
                }
                tokio::time::sleep(POLL).await;
            }
        });
        Ok(Self { process_id: process_id.to_owned(), before, greatest, task })
    }

    /// Ends the measurement.
    pub fn measured(self) -> Result<Measured> {
        self.task.abort();
        let after = resident(&self.process_id)?;
        Ok(Measured { before: self.before, greatest: self.greatest.load(Ordering::Relaxed).max(after), after })
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
        let memory = Memory::watch(&file).unwrap();
        let touched = vec![1_u8; 64 << 20];
        tokio::time::sleep(3 * POLL).await;
        assert!(std::hint::black_box(&touched).iter().all(|byte| *byte == 1));
        drop(touched);
        let measured = memory.measured().unwrap();
        assert!(measured.before > 0 && measured.grown() > 32 << 20, "{measured:?}");
        assert!(Memory::watch(&folder.path().join("none")).is_err());
    }
}
