//! Which version of an object a file holds.

use host_adapters_records::objects::ObjectInfo;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// One version.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Version {
    /// The file's number, time and size: another file has another number, and one that is written again another time.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    modified_ms: u64,
}

impl Version {
    /// That of a file; `None` for what is not one.
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        let (secs, nanos) = (metadata.mtime(), metadata.mtime_nsec());
        let modified_ms = secs.saturating_mul(1000).saturating_add(nanos / 1_000_000);
        metadata.is_file().then(|| Self {
            etag: format!("{:x}-{secs:x}.{nanos:x}-{:x}", metadata.ino(), metadata.size()),
            size: metadata.size(),
            modified_ms: u64::try_from(modified_ms).unwrap_or_default(),
        })
    }

    pub(super) fn info(self, key: &str) -> ObjectInfo {
        ObjectInfo { key: key.to_owned(), size: self.size, etag: self.etag, modified_ms: self.modified_ms }
    }
}
