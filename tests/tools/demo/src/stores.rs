//! Where the host's backends keep objects and data streams: the demo uses them as other programs do, not over the gateway.

use crate::servers::Cloud;
use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};

/// The bucket of scored files.
pub const BUCKET: &str = "scoring-bucket";

/// The stores of a run.
pub enum Stores {
    /// Those of the embedded backends.
    Embedded {
        /// The folder of the host's data.
        data: PathBuf,
    },
    /// Servers.
    Servers(Cloud),
}

impl Stores {
    /// The stores of a host that has its data in a folder, and uses these servers, if any.
    pub fn new(data: PathBuf, cloud: Option<Cloud>) -> Self {
        cloud.map_or(Self::Embedded { data }, Self::Servers)
    }

    /// Puts a file into the bucket.
    pub async fn put(&self, key: &str, text: &str) -> Result<()> {
        match self {
            Self::Embedded { data } => rename_in(data, key, text).with_context(|| format!("putting {key}")),
            Self::Servers(cloud) => cloud.put(key, text).await,
        }
    }

    /// The data of all records of a data stream.
    pub async fn records(&self, stream: &str) -> Result<Vec<Vec<u8>>> {
        match self {
            Self::Embedded { data } => {
                read_stream(data, stream).with_context(|| format!("reading the stream {stream}"))
            }
            Self::Servers(cloud) => cloud.records(stream).await,
        }
    }
}

/// Writes a file beside the bucket and renames it in, so that nobody sees a part of it (docs/objects.md, "In a folder").
fn rename_in(data: &Path, key: &str, text: &str) -> Result<()> {
    let (name, beside) = (key.replace('%', "%25").replace('/', "%2F"), data.join("incoming.csv"));
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, data.join("objects").join(BUCKET).join(name))?;
    Ok(())
}

/// Reads a stream from the file, which any program may read while the host runs.
fn read_stream(data: &Path, stream: &str) -> Result<Vec<Vec<u8>>> {
    let store = Connection::open_with_flags(data.join("embedded.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // The number of a shard stands before the counts of its records.
    let sql = "SELECT data FROM records JOIN stream_shards ON records.id >> 40 = stream_shards.id \
               JOIN names ON names.id = stream_shards.stream WHERE names.name = ?1 ORDER BY records.id";
    let mut select = store.prepare(sql)?;
    let records = select.query_map([stream], |row| row.get(0))?;
    Ok(records.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_renamed_in_under_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let bucket = folder.path().join("objects").join(BUCKET);
        std::fs::create_dir_all(&bucket).unwrap();
        let stores = Stores::new(folder.path().to_owned(), None);
        stores.put("scrubbed/100%.csv", "a,b").await.unwrap();
        assert_eq!(std::fs::read_to_string(bucket.join("scrubbed%2F100%25.csv")).unwrap(), "a,b");
        assert!(!folder.path().join("incoming.csv").exists());
    }
}
