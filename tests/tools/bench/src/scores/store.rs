//! The embedded store of one load: the bucket with the file, the stream, the table and the queue.

use super::file::{BUCKET, File, KEY};
use anyhow::Result;
use backend_embedded::Embedded;
use host_adapters_platform::limits::object::ObjectKey;
use host_adapters_platform::{
    Access, DataStreamAccess, DataStreamBackend, DataStreamSpec, Declared, Grants, NoTopics, ObjectAccess,
    ObjectsBackend, PlatformService, Position, QueueAccess, QueueSpec, ShardReader, TableSpec,
};
use host_adapters_records::objects::ByteRange;
use std::sync::Arc;
use tempfile::TempDir;

/// The worker, and its grants' name.
pub const WORKER: &str = "load-scores";
/// The stream.
pub const STREAM: &str = "scoresStream";
/// The table of the progress.
pub const TABLE: &str = "demand-table";
const QUEUE: &str = "verdictReporterQueue";
/// As in spin.toml.
const SHARDS: u32 = 4;

/// A store with a file in its bucket.
pub struct Store {
    embedded: Arc<Embedded>,
    key: ObjectKey,
    /// The version of the file.
    pub etag: String,
    _folder: TempDir,
}

impl Store {
    /// Opens a store, and puts the file.
    pub async fn open(file: &File) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let embedded = Arc::new(Embedded::open(&folder.path().join("embedded.sqlite"), &declared())?);
        file.put(folder.path())?;
        let key = ObjectKey::parse(KEY.to_owned())?;
        let etag = embedded.head(BUCKET, &key).await?.etag;
        Ok(Self { embedded, key, etag, _folder: folder })
    }

    /// Bytes of the file.
    pub async fn range(&self, range: ByteRange) -> Result<Vec<u8>> {
        Ok(self.embedded.get_range(BUCKET, &self.key, &self.etag, range).await?)
    }

    /// The data streams.
    pub fn streams(&self) -> Arc<dyn DataStreamBackend> {
        Arc::new(self.embedded.data_streams())
    }

    /// The platform as load-scores sees it.
    pub fn platform(&self) -> PlatformService {
        let grants = Grants {
            tables: [(TABLE.to_owned(), Access::ReadWrite)].into(),
            queues: [(QUEUE.to_owned(), QueueAccess::Send)].into(),
            objects: [(format!("{BUCKET}/scrubbed/"), ObjectAccess { read: true, ..ObjectAccess::default() })].into(),
            data_streams: [(STREAM.to_owned(), DataStreamAccess::Put)].into(),
            ..Grants::default()
        };
        PlatformService {
            declared: declared(),
            grants: [(WORKER.to_owned(), grants)].into(),
            tables: self.embedded.clone(),
            queues: self.embedded.clone(),
            documents: self.embedded.clone(),
            objects: self.embedded.clone(),
            data_streams: self.streams(),
            topics: Arc::new(NoTopics),
            identity: None,
            services: None,
            event_log: self.embedded.clone(),
        }
    }

    /// How many records the stream has.
    pub async fn records(&self) -> Result<usize> {
        let streams = self.embedded.data_streams();
        let mut records = 0;
        for shard in streams.shards(STREAM).await? {
            let mut from = Some(Position::TrimHorizon);
            while let Some(position) = from {
                let page = streams.page(STREAM, &shard.id, &position, streams.most_records()).await?;
                records += page.count;
                from = page.next.filter(|_| page.count > 0);
            }
        }
        Ok(records)
    }
}

fn declared() -> Declared {
    Declared {
        tables: [(TABLE.to_owned(), TableSpec::default())].into(),
        queues: [(QUEUE.to_owned(), QueueSpec::default())].into(),
        buckets: [BUCKET.to_owned()].into(),
        data_streams: [(STREAM.to_owned(), DataStreamSpec { shards: SHARDS })].into(),
        ..Declared::default()
    }
}
