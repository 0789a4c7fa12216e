//! Data streams with Kinesis's rules: shards by the hash of the partition key, sequence numbers, a day's retention.

mod hash_keys;
mod records;
mod shards;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]
mod tests;

use crate::wake::Wake;
use crate::{Embedded, READ_RECORDS, sequence};
use host_adapters_platform::data_streams::check_record;
use host_adapters_platform::{
    Checkpoint, DataStreamBackend, DataStreamSpec, LeaseTable, Position, Result, Shard, ShardPage, ShardReader,
    StreamRecord, trimmed,
};
use host_adapters_records::data_streams::DataRecord;
use host_adapters_records::{Error, ErrorKind, source_name};
use rusqlite::{Connection, OptionalExtension};
use shards::{OpenShard, Part};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Most records that one job of the writer puts, so that thousands do not delay other jobs.
const RECORDS_PER_JOB: usize = 256;

/// A stream by its number in the file.
pub(super) struct DataStream {
    id: i64,
    name: String,
    /// The shards that take records, by their hash keys.
    open: Vec<OpenShard>,
    wake: Wake,
    /// Sequence numbers behind which records were dropped unread: each is counted once.
    dropped: Mutex<HashSet<i64>>,
}

impl DataStream {
    /// Reads the shards, and splits or merges them until there are as many as declared.
    pub(super) fn load(
        conn: &Connection,
        id: i64,
        name: &str,
        spec: &DataStreamSpec,
        now_ms: i64,
    ) -> rusqlite::Result<Self> {
        let open = shards::open(conn, id, spec.shards, now_ms)?;
        Ok(Self { id, name: name.to_owned(), open, wake: Wake::new(), dropped: Mutex::default() })
    }

    /// The number in the file of the shard that takes a hash key.
    fn shard_of(&self, hash_key: u128) -> i64 {
        let place = self.open.partition_point(|shard| *shard.keys.end() < hash_key);
        self.open.get(place).map_or(0, |shard| shard.id)
    }

    fn part(&self, conn: &Connection, shard: &str) -> rusqlite::Result<Result<Part>> {
        let message = || format!("data stream `{}` has no shard `{shard}`", self.name);
        Ok(Part::find(conn, self.id, shard)?.ok_or_else(|| Error::new(ErrorKind::NotFound, message())))
    }

    /// Says, once, that records were dropped before they were read.
    fn dropped(&self, after: Option<i64>, records: usize) {
        let Some(after) = after.filter(|_| records > 0) else { return };
        if self.dropped.lock().unwrap_or_else(PoisonError::into_inner).insert(after) {
            trimmed(&source_name::of_data_stream(&self.name), records);
        }
    }
}

/// The data streams of an embedded store; cheap to clone. Their checkpoints are their own, whatever tables are called.
#[derive(Clone)]
pub struct DataStreams(Embedded);

impl Embedded {
    /// The data streams of this store.
    pub fn data_streams(&self) -> DataStreams {
        DataStreams(self.clone())
    }
}

#[async_trait::async_trait]
impl DataStreamBackend for DataStreams {
    async fn put_records(&self, stream: &str, records: Vec<DataRecord>) -> Result<Vec<Result<String>>> {
        let (store, stream) = (&self.0.store, self.0.names.data_stream(stream)?);
        let mut results: Vec<Result<String>> =
            records.iter().map(|it| check_record(it).map(|()| String::new())).collect();
        let good: Vec<bool> = results.iter().map(Result::is_ok).collect();
        let mut places = results.iter_mut().filter(|result| result.is_ok());
        let mut records =
            records.into_iter().zip(good).filter_map(|(record, is_good)| is_good.then_some(record)).peekable();
        while records.peek().is_some() {
            let job: Vec<DataRecord> = records.by_ref().take(RECORDS_PER_JOB).collect();
            let (clock, target, wake) = (self.0.clock.clone(), stream.clone(), stream.clone());
            let put = move |conn: &Connection| target.put(conn, &job, clock.now_ms());
            match store.write(put, move |_| wake.wake.now()).await {
                Ok(sequences) => {
                    sequences.into_iter().zip(places.by_ref()).for_each(|(sequence, place)| *place = Ok(sequence))
                }
                Err(error) => {
                    // None of the later records is put: a caller that puts the failed ones again would put them behind
                    // later ones of their keys.
                    places.by_ref().for_each(|place| *place = Err(error.clone()));
                    break;
                }
            }
        }
        drop(places);
        Ok(results)
    }
}

#[async_trait::async_trait]
impl ShardReader<StreamRecord> for DataStreams {
    async fn shards(&self, stream: &str) -> Result<Vec<Shard>> {
        let id = self.0.names.data_stream(stream)?.id;
        self.0.store.read(move |conn| shards::list(conn, id)).await
    }

    async fn page(&self, stream: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<StreamRecord>> {
        let stream = self.0.names.data_stream(stream)?;
        let (target, shard, from) = (stream.clone(), shard.to_owned(), from.clone());
        let read = move |conn: &Connection| {
            let part = match target.part(conn, &shard)? {
                Ok(part) => part,
                Err(error) => return Ok(Err(error)),
            };
            let sequence = match &from {
                Position::After(sequence) => sequence::parse(sequence, &part.range()).map(Some),
                _ => Ok(None),
            };
            let after = match sequence {
                Ok(sequence) => part.place(conn, &from, sequence)?,
                Err(error) => return Ok(Err(error)),
            };
            Ok(Ok((after, part.read(conn, after, limit)?)))
        };
        let (after, read) = self.0.store.read(read).await??;
        stream.dropped(after, read.dropped);
        Ok(ShardPage::from(read.records).and_more(read.more))
    }

    fn most_records(&self) -> usize {
        READ_RECORDS
    }

    async fn changed(&self, stream: &str, wait: Duration) {
        match self.0.names.data_stream(stream) {
            Ok(stream) => stream.wake.wait(wait).await,
            // Nothing will ever change. The wait keeps a caller from calling in an endless loop.
            Err(_) => tokio::time::sleep(wait).await,
        }
    }
}

#[async_trait::async_trait]
impl LeaseTable for DataStreams {
    async fn has_begun(&self, stream: &str, worker: &str) -> Result<bool> {
        let (id, worker) = (self.0.names.data_stream(stream)?.id, worker.to_owned());
        let sql = "SELECT EXISTS (
                       SELECT 1 FROM stream_shards JOIN stream_checkpoints ON shard = id WHERE stream = ?1 AND worker = ?2
                   )";
        self.0.store.read(move |conn| conn.prepare_cached(sql)?.query_row((id, worker), |row| row.get(0))).await
    }

    async fn begin(&self, stream: &str, shard: &str, worker: &str) -> Result<()> {
        self.store_checkpoint(stream, shard, worker, |_, part| Ok(Ok(*part.range().start()))).await
    }

    async fn checkpoint(&self, stream: &str, shard: &str, worker: &str) -> Result<Option<Checkpoint>> {
        let (stream, shard, worker) = (self.0.names.data_stream(stream)?, shard.to_owned(), worker.to_owned());
        let sql = "SELECT settled FROM stream_checkpoints WHERE shard = ?1 AND worker = ?2";
        let read = move |conn: &Connection| match stream.part(conn, &shard)? {
            Ok(part) => {
                let mut select = conn.prepare_cached(sql)?;
                select.query_row((part.id, worker), |row| row.get::<_, i64>(0)).optional().map(Ok)
            }
            Err(error) => Ok(Err(error)),
        };
        let settled = self.0.store.read(read).await??;
        Ok(settled.map(sequence::checkpoint))
    }

    async fn set_checkpoint(&self, stream: &str, shard: &str, worker: &str, checkpoint: &Checkpoint) -> Result<()> {
        let checkpoint = checkpoint.clone();
        self.store_checkpoint(stream, shard, worker, move |conn, part| match &checkpoint {
            // Which record that is, is known here.
            Checkpoint::AtTimestamp(time_ms) => part.before(conn, *time_ms).map(Ok),
            Checkpoint::At(sequence) => Ok(sequence::parse(sequence, &part.range())),
            Checkpoint::ShardEnd => Ok(Ok(sequence::SHARD_END)),
        })
        .await
    }
}

impl DataStreams {
    /// Stores a checkpoint; never moves it back.
    async fn store_checkpoint(
        &self,
        stream: &str,
        shard: &str,
        worker: &str,
        settled: impl FnOnce(&Connection, &Part) -> rusqlite::Result<Result<i64>> + Send + 'static,
    ) -> Result<()> {
        let (stream, shard, worker) = (self.0.names.data_stream(stream)?, shard.to_owned(), worker.to_owned());
        let sql = "INSERT INTO stream_checkpoints (shard, worker, settled) VALUES (?1, ?2, ?3)
                   ON CONFLICT DO UPDATE SET settled = excluded.settled WHERE excluded.settled > settled";
        let write = move |conn: &Connection| {
            let part = match stream.part(conn, &shard)? {
                Ok(part) => part,
                Err(error) => return Ok(Err(error)),
            };
            match settled(conn, &part)? {
                Ok(settled) => {
                    conn.prepare_cached(sql)?.execute((part.id, worker, settled))?;
                    Ok(Ok(()))
                }
                Err(error) => Ok(Err(error)),
            }
        };
        self.0.store.write(write, |_| {}).await?
    }
}
