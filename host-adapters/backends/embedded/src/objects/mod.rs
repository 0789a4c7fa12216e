//! Objects in a folder for each bucket, a file for each object (`file_name`).
//!
//! A put writes a file of another name, syncs it and renames it, so that readers see all of an object or the one before.
//! Other programs may do the same: a file that is renamed into the folder is an object.

mod file_name;
mod list;
mod version;

use super::Embedded;
use host_adapters_platform::limits::object::{ObjectKey, ObjectQuery};
use host_adapters_platform::names::unknown;
use host_adapters_platform::objects::{absent, changed};
use host_adapters_platform::{ObjectsBackend, Result};
use host_adapters_records::objects::{ByteRange, ObjectInfo, ObjectPage};
use host_adapters_records::{Error, ErrorKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use version::Version;

/// What the name of a file begins with that a put has not finished. No object's does.
const UNFINISHED: &str = ".put-";

/// The folders of all buckets.
pub(super) struct Buckets {
    folders: BTreeMap<String, PathBuf>,
    /// The time of the latest put: no two have the same, so that etags differ even if the file system gives a new file the
    /// number of one that is gone.
    latest: Mutex<SystemTime>,
}

impl Buckets {
    /// Makes missing folders, and removes what puts of an earlier process left unfinished.
    pub(super) fn open(folder: &Path, buckets: &BTreeSet<String>) -> io::Result<Self> {
        let folders: BTreeMap<_, _> = buckets.iter().map(|name| (name.clone(), folder.join(name))).collect();
        for folder in folders.values() {
            fs::create_dir_all(folder)?;
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(Self { folders, latest: Mutex::new(SystemTime::UNIX_EPOCH) })
    }

    fn folder(&self, bucket: &str) -> Result<PathBuf> {
        self.folders.get(bucket).cloned().ok_or_else(|| unknown("bucket", bucket, self.folders.keys()))
    }

    /// Now, or a moment after the latest put.
    fn next_time(&self) -> SystemTime {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = SystemTime::now().max(*latest + Duration::from_nanos(1));
        *latest
    }
}

/// The file of an object as it is now, and which version it holds; `None` where there is no object.
fn open(path: &Path) -> io::Result<Option<(File, Version)>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let version = Version::of(&file.metadata()?);
    Ok(version.map(|version| (file, version)))
}

/// Bytes of the version `etag`, all from one file, whatever is renamed over it meanwhile; `None` where the file holds, or
/// comes to hold, another version.
fn read(file: &File, version: &Version, etag: &str, range: ByteRange) -> io::Result<Option<Vec<u8>>> {
    if version.etag != etag {
        return Ok(None);
    }
    let rest = version.size.saturating_sub(range.offset);
    let mut content = vec![0; usize::try_from(rest.min(range.length.into())).unwrap_or(usize::MAX)];
    match file.read_exact_at(&mut content, range.offset) {
        // Cut while it was read.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let is_same = Version::of(&file.metadata()?).is_some_and(|now| now == *version);
    Ok(is_same.then_some(content))
}

/// Writes all of an object or nothing; it is on disk when this returns. Returns its etag.
fn write(folder: &Path, key: &ObjectKey, content: &[u8], time: SystemTime) -> io::Result<String> {
    let path = folder.join(file_name::of(key));
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().set_modified(time)?;
    file.as_file().sync_all()?;
    let version = Version::of(&file.as_file().metadata()?).ok_or_else(|| io::Error::other("it is not a file"))?;
    file.persist(&path).map_err(|failed| failed.error)?;
    // The names too, of the folders above as well: a long key may have made them.
    for above in parent.ancestors().take_while(|above| above.starts_with(folder)) {
        File::open(above)?.sync_all()?;
    }
    Ok(version.etag)
}

/// Runs what may wait for the disk.
async fn blocking<T: Send + 'static>(bucket: &str, job: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(job).await.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
    let failed = |error| format!("{bucket}: the embedded folder failed: {error}; check its disk");
    done.map_err(|error| Error::new(ErrorKind::Unavailable, failed(error)))
}

#[async_trait::async_trait]
impl ObjectsBackend for Embedded {
    async fn head(&self, bucket: &str, key: &ObjectKey) -> Result<ObjectInfo> {
        let path = self.buckets.folder(bucket)?.join(file_name::of(key));
        let found = blocking(bucket, move || open(&path)).await?;
        found.map(|(_, version)| version.info(key.as_str())).ok_or_else(|| absent(bucket, key))
    }

    async fn get_range(&self, bucket: &str, key: &ObjectKey, etag: &str, range: ByteRange) -> Result<Vec<u8>> {
        let (path, etag) = (self.buckets.folder(bucket)?.join(file_name::of(key)), etag.to_owned());
        let found = blocking(bucket, move || match open(&path)? {
            Some((file, version)) => read(&file, &version, &etag, range).map(Some),
            None => Ok(None),
        });
        found.await?.ok_or_else(|| absent(bucket, key))?.ok_or_else(|| changed(bucket, key))
    }

    async fn put(&self, bucket: &str, key: &ObjectKey, content: Vec<u8>) -> Result<String> {
        let (folder, buckets, key) = (self.buckets.folder(bucket)?, Arc::clone(&self.buckets), key.clone());
        blocking(bucket, move || write(&folder, &key, &content, buckets.next_time())).await
    }

    async fn list(&self, bucket: &str, query: &ObjectQuery) -> Result<ObjectPage> {
        let (folder, query) = (self.buckets.folder(bucket)?, query.clone());
        blocking(bucket, move || list::page(&folder, &query)).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
