//! Watches files for changes: the components' own, for `up`, and their source code, for `dev`.
//!
//! They are polled. There are few of them, and polling sees what the system's notifications miss:
//! folders that come back after `cargo clean`, network and bind mounts, limits of watches.

use super::Components;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Time between two polls. A change counts once two polls see the same state, because builds write in pieces.
const LOOK: Duration = Duration::from_millis(100);

/// What changes when a file is written or replaced: inode, times of its content and of its inode, length. A file that
/// `cp -p` copied and `mv` put into place may differ by its inode alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    inode: (u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
    length: u64,
}

/// The files that exist.
type Seen = BTreeMap<PathBuf, Stamp>;

/// Reports which files have changed.
pub struct Watch {
    files: Arc<dyn Fn() -> Vec<PathBuf> + Send + Sync>,
    seen: Seen,
}

impl Watch {
    /// Watches the files that `files` lists at each poll. At first all of them count as changed.
    pub fn new(files: impl Fn() -> Vec<PathBuf> + Send + Sync + 'static) -> Self {
        Self { files: Arc::new(files), seen: Seen::new() }
    }

    /// Takes the present state of the files as seen.
    pub async fn catch_up(&mut self) {
        self.seen = self.look().await;
    }

    /// The files of the next change, including removed ones, once it has settled.
    pub async fn next(&mut self) -> BTreeSet<PathBuf> {
        let mut last = self.look().await;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.look().await;
            if now == last && now != self.seen {
                let before = std::mem::replace(&mut self.seen, now);
                let known = before.keys().chain(self.seen.keys());
                return known.filter(|path| before.get(*path) != self.seen.get(*path)).cloned().collect();
            }
            last = now;
        }
    }

    /// Reads the state of the files. They may be on a slow disk, so this runs off the async threads.
    async fn look(&self) -> Seen {
        let files = self.files.clone();
        let look = move || files().into_iter().filter_map(|path| Some((path.clone(), stamp(&path)?))).collect();
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }
}

/// `None` if the file does not exist.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = path.metadata().ok()?;
    Some(Stamp {
        inode: (metadata.dev(), metadata.ino()),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        length: metadata.len(),
    })
}

/// Swaps every component whose file has changed since the serving version was loaded, endlessly. A file that cannot
/// serve is refused, and loaded again when it has changed again. A file that is gone is expected to come back.
pub async fn components(components: Arc<Components>) {
    let paths = components.files();
    let mut watch = Watch::new(move || paths.clone());
    loop {
        for path in watch.next().await {
            components.follow(&path).await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_reported_once_and_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (one, two, gone) = (path("one"), path("two"), path("gone"));
        let all = vec![one.clone(), two.clone(), gone.clone()];
        std::fs::write(&one, "1").unwrap();
        std::fs::write(&gone, "1").unwrap();
        let mut watch = Watch::new(move || all.clone());
        assert_eq!(watch.next().await, [one.clone(), gone.clone()].into());
        std::fs::remove_file(&gone).unwrap();
        std::fs::write(path("new"), "12").unwrap();
        std::fs::rename(path("new"), &one).unwrap();
        std::fs::write(&two, "1").unwrap();
        assert_eq!(watch.next().await, [one, two, gone].into());
        let still = tokio::time::timeout(4 * LOOK, watch.next()).await;
        assert!(still.is_err(), "{still:?}");
    }

    #[tokio::test]
    async fn case_25_a_change_of_neither_length_nor_time_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("file"), folder.path().join("other"));
        std::fs::write(&file, "1").unwrap();
        std::fs::write(&other, "2").unwrap();
        let time = |path: &Path| path.metadata().unwrap().modified().unwrap();
        let set = |path: &Path, time| std::fs::File::options().append(true).open(path).unwrap().set_modified(time);
        set(&other, time(&file)).unwrap();
        let listed = file.clone();
        let mut watch = Watch::new(move || vec![listed.clone()]);
        watch.catch_up().await;
        std::fs::rename(&other, &file).unwrap();
        assert_eq!(watch.next().await, [file.clone()].into(), "another file");
        let before = time(&file);
        std::fs::write(&file, "3").unwrap();
        set(&file, before).unwrap();
        assert_eq!(watch.next().await, [file].into(), "another content");
    }

    #[tokio::test]
    async fn files_caught_up_with_are_not_reported() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "1").unwrap();
        let listed = file.clone();
        let mut watch = Watch::new(move || vec![listed.clone()]);
        watch.catch_up().await;
        assert!(tokio::time::timeout(4 * LOOK, watch.next()).await.is_err());
        std::fs::write(&file, "12").unwrap();
        assert_eq!(watch.next().await, [file].into());
    }
}
