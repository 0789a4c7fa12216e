//! The times of files that puts write: no two are the same, so that etags differ even if the file system gives a new file
//! the number of one that is gone.

use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// The coarsest times that a file system keeps, FAT's. Some others keep whole seconds (ext3, HFS+).
const COARSEST: Duration = Duration::from_secs(2);

/// The time of the latest put.
pub(super) struct Stamp(Mutex<SystemTime>);

impl Default for Stamp {
    fn default() -> Self {
        Self(Mutex::new(SystemTime::UNIX_EPOCH))
    }
}

impl Stamp {
    /// Sets a file's time to now, or to a moment after the latest put. It waits where the file system cuts that moment off.
    pub(super) fn set(&self, file: &File) -> io::Result<()> {
        self.take(|time| {
            file.set_modified(time)?;
            file.metadata()?.modified()
        })
    }

    /// Takes the next time. `keep` returns what became of it.
    fn take(&self, mut keep: impl FnMut(SystemTime) -> io::Result<SystemTime>) -> io::Result<()> {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = keep(SystemTime::now().max(*latest + Duration::from_nanos(1)))?;
        if kept <= *latest {
            // Without the wait, many puts would be dated ahead of the clock, and repeat their times after a restart. The
            // clock itself may have been set back far.
            let next = *latest + COARSEST;
            std::thread::sleep(next.duration_since(SystemTime::now()).unwrap_or_default().min(COARSEST));
            kept = keep(SystemTime::now().max(next))?;
        }
        *latest = kept;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn whole_seconds(time: SystemTime) -> SystemTime {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
    }

    /// As when the clock was set back.
    #[test]
    fn the_next_time_is_after_the_latest_though_that_is_to_come() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("a")).unwrap();
        let to_come = SystemTime::now() + Duration::from_secs(3600);
        let stamp = Stamp(Mutex::new(to_come));
        for nanos in 1..=3 {
            stamp.set(&file).unwrap();
            assert_eq!(file.metadata().unwrap().modified().unwrap(), to_come + Duration::from_nanos(nanos));
        }
    }

    #[test]
    fn times_differ_where_the_file_system_keeps_whole_seconds() {
        let (stamp, mut kept) = (Stamp::default(), Vec::new());
        for _ in 0..2 {
            let keep = |time| {
                kept.push(whole_seconds(time));
                Ok(whole_seconds(time))
            };
            stamp.take(keep).unwrap();
        }
        assert!(kept.last() > kept.first(), "{kept:?}");
        assert!(*kept.last().unwrap() <= SystemTime::now(), "it waits for that time: {kept:?}");
        let to_come = whole_seconds(SystemTime::now() + Duration::from_secs(3600));
        let (stamp, mut last) = (Stamp(Mutex::new(to_come)), to_come);
        let keep = |time| {
            last = whole_seconds(time);
            Ok(last)
        };
        stamp.take(keep).unwrap();
        assert!(last > to_come);
    }
}
