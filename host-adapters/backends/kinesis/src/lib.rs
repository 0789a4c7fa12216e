//! Data streams in Kinesis. Leases and checkpoints are in a table of DynamoDB, as the KCL keeps them.

mod config;
mod iterators;
mod put;
mod read;
mod stream;

pub use config::KinesisConfig;
pub use config::KinesisConfig as Config;

use aws_sdk_kinesis::Client;
use backend_aws::{Aws, check_sequence};
use backend_dynamodb::lease::{self, LeaseRows};
use host_adapters_platform::names::Names;
use host_adapters_platform::{
    Checkpoint, DataStreamBackend, LeaseTable, Leases, Position, Result, Shard, ShardPage, ShardReader, StreamRecord,
};
use host_adapters_records::data_streams::DataRecord;
use iterators::Iterators;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The time between reads of a shard: four a second. Kinesis allows five for all readers together.
const POLL: Duration = Duration::from_millis(250);

/// The streams of one account and region.
#[derive(Clone)]
pub struct Kinesis {
    client: Client,
    names: Names,
    iterators: Arc<Iterators>,
    leases: Arc<LeaseRows>,
}

impl Kinesis {
    /// The streams with these names, each with `prefix` before it.
    pub fn new(aws: &Aws, prefix: &str, streams: BTreeSet<String>, leases: LeaseRows) -> Self {
        Self {
            client: Client::new(aws.sdk()),
            names: Names::new("data stream", prefix, streams),
            iterators: Arc::default(),
            leases: Arc::new(leases),
        }
    }

    /// The common beginning of the keys of a worker's leases on a stream. No table has such a name.
    fn scope(&self, worker: &str, stream: &str) -> Result<String> {
        Ok(lease::scope(worker, &format!("kinesis/{}", self.names.real(stream)?)))
    }
}

#[async_trait::async_trait]
impl DataStreamBackend for Kinesis {
    async fn put_records(&self, stream: &str, records: Vec<DataRecord>) -> Result<Vec<Result<String>>> {
        self.put_all(stream, records).await
    }
}

#[async_trait::async_trait]
impl ShardReader<StreamRecord> for Kinesis {
    async fn shards(&self, stream: &str) -> Result<Vec<Shard>> {
        self.list_shards(stream).await
    }

    async fn page(&self, stream: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<StreamRecord>> {
        self.read(stream, shard, from, limit).await
    }

    fn most_records(&self) -> usize {
        read::RECORDS
    }

    async fn changed(&self, _stream: &str, wait: Duration) {
        tokio::time::sleep(wait.min(POLL)).await;
    }

    fn read_interval(&self) -> Duration {
        POLL
    }
}

#[async_trait::async_trait]
impl LeaseTable for Kinesis {
    async fn has_begun(&self, stream: &str, worker: &str) -> Result<bool> {
        self.leases.has_begun(&self.scope(worker, stream)?).await
    }

    async fn begin(&self, stream: &str, shard: &str, worker: &str) -> Result<()> {
        self.leases.begin(&self.scope(worker, stream)?, shard).await
    }

    async fn hold(&self, stream: &str, worker: &str, shards: &[Shard]) -> Result<Leases> {
        self.leases.hold(&self.scope(worker, stream)?, shards).await
    }

    async fn renew(&self, stream: &str, worker: &str) -> Result<Vec<String>> {
        let scope = self.scope(worker, stream)?;
        self.leases.renew(&scope).await;
        Ok(self.leases.owned_shards(&scope))
    }

    async fn release(&self, stream: &str, worker: &str) -> Result<()> {
        self.leases.release(&self.scope(worker, stream)?).await
    }

    fn lease_renewal(&self) -> Option<Duration> {
        Some(lease::RENEWAL)
    }

    async fn checkpoint(&self, stream: &str, shard: &str, worker: &str) -> Result<Option<Checkpoint>> {
        self.leases.checkpoint(&self.scope(worker, stream)?, shard).await
    }

    async fn set_checkpoint(&self, stream: &str, shard: &str, worker: &str, checkpoint: &Checkpoint) -> Result<()> {
        if let Checkpoint::At(sequence) = checkpoint {
            check_sequence(sequence, read::DIGITS)?;
        }
        self.leases.set_checkpoint(&self.scope(worker, stream)?, shard, checkpoint).await
    }
}
