//! A process that this crate started, identified by its id and start time: the id alone may by now be another
//! process's.

use anyhow::{Context, Result};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How long a server may take to end by itself; the slowest takes two seconds.
const END_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// A process of ours, running or not.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// When it started, in clock ticks since the machine was started.
    pub started: u64,
}

impl Process {
    /// The process that has this id now.
    pub fn of(pid: u32) -> Result<Self> {
        let pid = i32::try_from(pid)?;
        let started = started(pid).with_context(|| format!("process {pid} is gone already"))?;
        Ok(Self { pid, started })
    }

    /// Whether it runs. A process that has ended and was not waited for does not.
    pub fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && !stat.ended)
    }

    /// Sends SIGTERM. Does nothing if it has ended, or if its id is now that of another process.
    pub fn ask_to_end(self) -> Result<()> {
        self.send(Signal::TERM)
    }

    /// Waits until it has ended; kills it if that takes too long.
    pub fn wait_for_end(self) -> Result<()> {
        if self.ends_within(END_LIMIT) {
            return Ok(());
        }
        self.send(Signal::KILL)?;
        anyhow::ensure!(self.ends_within(END_LIMIT), "process {} does not end, even when killed", self.pid);
        Ok(())
    }

    /// Its resident memory, MB.
    pub fn resident_mb(self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(kilobytes.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1024)
    }

    fn send(self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.pid).context("a process id is above zero")?;
        // Checked after the descriptor was opened, which cannot refer to another process from then on.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(()) };
        if !self.is_alive() {
            return Ok(());
        }
        match pidfd_send_signal(process, signal) {
            Err(error) if error != rustix::io::Errno::SRCH => {
                Err(error).with_context(|| format!("cannot end process {}", self.pid))
            }
            _ => Ok(()),
        }
    }

    fn ends_within(self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.is_alive() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }
}

struct Stat {
    ended: bool,
    started: u64,
}

fn started(pid: i32) -> Option<u64> {
    stat(pid).map(|stat| stat.started)
}

/// State and start time from `/proc/<pid>/stat` (proc(5): fields 3 and 22; field 2, the name in brackets, may contain
/// anything).
fn stat(pid: i32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = text.rsplit_once(") ")?;
    let mut fields = after_name.split_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    Some(Stat { ended, started: fields.nth(18)?.parse().ok()? })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_with_another_start_time_is_left_alone() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let ours = Process::of(child.id()).unwrap();
        let earlier = Process { started: ours.started - 1, ..ours };
        assert!(ours.is_alive() && !earlier.is_alive());

        earlier.ask_to_end().unwrap();
        earlier.wait_for_end().unwrap();
        assert!(ours.is_alive(), "a foreign process was ended");

        ours.ask_to_end().unwrap();
        ours.wait_for_end().unwrap();
        assert!(!ours.is_alive(), "not waited for, but ended");
        assert_eq!(child.wait().unwrap().code(), None);
    }

    #[test]
    fn memory_is_read() {
        assert!(Process::of(std::process::id()).unwrap().resident_mb().unwrap() > 0);
    }
}
