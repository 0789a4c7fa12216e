//! The baseline: a plain loop that reads the file in the ranges that load-scores reads, checks its rows by the same rules, and
//! puts them in batches of the same size, as many at a time. It stores no progress.

use super::Loader;
use super::file::{BUCKET, File, KEY};
use super::store::{STREAM, Store};
use anyhow::{Context, Result, bail};
use host_adapters_records::data_streams::DataRecord;
use host_adapters_records::objects::ByteRange;
use scoring::file::{File as ScoredFile, Sequencer};
use scoring::record::ScoreRecord;
use scoring::rows::{Outcome, Position, Rows};
use scoring::schema::Kind;
use scoring::tail::partition_key;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Bytes of a range.
const RANGE_BYTES: u32 = 1024 * 1024;
/// Records of a batch.
const BATCH: usize = 500;
/// Batches in progress.
const BATCHES: usize = 4;

/// The loop.
pub struct Native;

#[async_trait::async_trait(?Send)]
impl Loader for Native {
    async fn load(&self, store: &Store, file: &File) -> Result<Duration> {
        let began = Instant::now();
        let (mut rows, mut offset) = (Rows::new(Kind::Scrubbed, &named(&store.etag), Position::BEGINNING), 0);
        let (mut records, mut puts) = (Vec::with_capacity(BATCH), Puts { store, under_way: JoinSet::new() });
        loop {
            match rows.read() {
                Outcome::More if offset == file.bytes => rows.finish(),
                Outcome::More => {
                    let range = ByteRange { offset, length: RANGE_BYTES };
                    let bytes = store.range(range).await?;
                    offset += bytes.len() as u64;
                    rows.push(&bytes);
                }
                Outcome::Record(row) => records.push(data_record(&row.record)?),
                Outcome::End => break,
                outcome => bail!("the file has a row that is not valid: {outcome:?}"),
            }
            if records.len() == BATCH {
                puts.put(std::mem::replace(&mut records, Vec::with_capacity(BATCH))).await?;
            }
        }
        puts.put(records).await?;
        while puts.one_done().await? {}
        Ok(began.elapsed())
    }
}

struct Puts<'a> {
    store: &'a Store,
    under_way: JoinSet<Result<()>>,
}

impl Puts<'_> {
    async fn put(&mut self, records: Vec<DataRecord>) -> Result<()> {
        let streams = self.store.streams();
        self.under_way.spawn(async move {
            let put = streams.put_records(STREAM, records).await?;
            put.into_iter().collect::<Result<Vec<_>, _>>()?;
            Ok(())
        });
        if self.under_way.len() == BATCHES {
            self.one_done().await?;
        }
        Ok(())
    }

    /// Waits for one batch; `false` if none is in progress.
    async fn one_done(&mut self) -> Result<bool> {
        match self.under_way.join_next().await {
            Some(put) => put.context("a put ended early")?.map(|()| true),
            None => Ok(false),
        }
    }
}

fn named(etag: &str) -> ScoredFile {
    let (bucket, key, etag) = (BUCKET.to_owned(), KEY.to_owned(), etag.to_owned());
    ScoredFile { bucket, key, etag, sequencer: Sequencer::new("1") }
}

fn data_record(record: &ScoreRecord) -> Result<DataRecord> {
    let partition_key = partition_key(record).to_owned();
    Ok(DataRecord { partition_key, data: serde_json::to_vec(record)? })
}
