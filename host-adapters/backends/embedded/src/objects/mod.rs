//! Objects in a folder for each bucket, a file for each object (`file_name`).
//!
//! A put writes a file of another name, syncs it and renames it, so that readers see all of an object or the one before.
//! Other programs may do the same: a file that is renamed into the folder is an object.

mod file;
mod file_name;
mod list;
mod notify;
mod stamp;
mod told;
mod version;

use super::Embedded;
use file::Failure;
use host_adapters_platform::limits::object::{ObjectKey, ObjectQuery};
use host_adapters_platform::names::unknown;
use host_adapters_platform::objects::{absent, changed};
use host_adapters_platform::{ObjectsBackend, Result};
use host_adapters_records::objects::{ByteRange, ObjectInfo, ObjectPage};
use host_adapters_records::{Error, ErrorKind};
use stamp::Stamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the name of a file begins with that a put has not finished. No object's does.
const UNFINISHED: &str = ".put-";

/// The folders of all buckets.
pub(super) struct Buckets {
    folders: BTreeMap<String, PathBuf>,
    stamp: Stamp,
}

impl Buckets {
    /// Makes missing folders, and removes what puts of an earlier process left unfinished.
    pub(super) fn open(folder: &Path, buckets: &BTreeSet<String>) -> io::Result<Self> {
        let folders: BTreeMap<_, _> = buckets.iter().map(|name| (name.clone(), folder.join(name))).collect();
        for folder in folders.values() {
            fs::create_dir_all(folder)?;
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let is_unfinished = entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes());
                // A folder of such a name is not ours.
                if is_unfinished && entry.file_type()?.is_file() {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        if !folders.is_empty() {
            sync_names(folder)?;
        }
        Ok(Self { folders, stamp: Stamp::default() })
    }

    fn folder(&self, bucket: &str) -> Result<PathBuf> {
        self.folders.get(bucket).cloned().ok_or_else(|| unknown("bucket", bucket, self.folders.keys()))
    }
}

/// Syncs the names of the buckets' folders and of their parent; puts sync everything below.
fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    let data = folder.parent().filter(|data| !data.as_os_str().is_empty());
    File::open(data.unwrap_or(Path::new(".")))?.sync_all()
}

/// Runs what may wait for the disk.
async fn blocking<T: Send + 'static>(
    bucket: &str,
    job: impl FnOnce() -> std::result::Result<T, Failure> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(job).await.unwrap_or_else(|panicked| Err(io::Error::other(panicked).into()));
    done.map_err(|failure| match failure {
        Failure::Disk(error) => {
            Error::new(ErrorKind::Unavailable, format!("{bucket}: the embedded folder failed: {error}; check its disk"))
        }
        Failure::Object(why) => Error::new(ErrorKind::Invalid, format!("{bucket}: {why}")),
    })
}

#[async_trait::async_trait]
impl ObjectsBackend for Embedded {
    async fn head(&self, bucket: &str, key: &ObjectKey) -> Result<ObjectInfo> {
        let (folder, wanted) = (self.buckets.folder(bucket)?, key.clone());
        let found = blocking(bucket, move || file::open(&folder, &wanted)).await?;
        found.map(|(_, version)| version.info(key.as_str())).ok_or_else(|| absent(bucket, key))
    }

    async fn get_range(&self, bucket: &str, key: &ObjectKey, etag: &str, range: ByteRange) -> Result<Vec<u8>> {
        let (folder, wanted, etag) = (self.buckets.folder(bucket)?, key.clone(), etag.to_owned());
        let found = blocking(bucket, move || match file::open(&folder, &wanted)? {
            Some((file, version)) => Ok(Some(file::read(&file, &version, &etag, range)?)),
            None => Ok(None),
        });
        found.await?.ok_or_else(|| absent(bucket, key))?.ok_or_else(|| changed(bucket, key))
    }

    async fn put(&self, bucket: &str, key: &ObjectKey, content: Vec<u8>) -> Result<String> {
        let (folder, buckets, key) = (self.buckets.folder(bucket)?, Arc::clone(&self.buckets), key.clone());
        let put = blocking(bucket, move || file::write(&folder, &key, &content, |file| buckets.stamp.set(file))).await;
        self.puts.notify_waiters();
        put
    }

    async fn list(&self, bucket: &str, query: &ObjectQuery) -> Result<ObjectPage> {
        let (folder, query) = (self.buckets.folder(bucket)?, query.clone());
        blocking(bucket, move || Ok(list::page(&folder, &query)?)).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
