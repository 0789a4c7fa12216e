//! DynamoDB Streams: shards and their records. The lease table keeps which host reads each shard, and the checkpoints.

mod change;
mod iterators;
pub mod lease;
mod read;
mod shards;

use aws_sdk_dynamodb::Client as TableClient;
use aws_sdk_dynamodbstreams::Client;
use backend_aws::Aws;
use host_adapters_platform::names::Names;
use host_adapters_platform::{Change, Checkpoint, LeaseTable, Leases, Position, Result, Shard, ShardPage, ShardReader};
use iterators::Iterators;
use lease::LeaseRows;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The time between reads of a shard: four a second. DynamoDB allows five for all readers together.
const POLL: Duration = Duration::from_millis(250);

/// The streams of the tables of one account and region.
#[derive(Clone)]
pub struct DynamodbStreams {
    client: Client,
    tables: TableClient,
    names: Names,
    iterators: Arc<Iterators>,
    /// Positions that the stream has dropped, by table, shard and sequence number: each is counted once.
    trimmed: Arc<Mutex<HashSet<[String; 3]>>>,
    leases: Arc<LeaseRows>,
}

impl DynamodbStreams {
    /// The streams of the tables with these names, each with `prefix` before it. `lease_table` keeps leases and
    /// checkpoints; `host` names this process in it.
    pub fn new(aws: &Aws, prefix: &str, tables: BTreeSet<String>, lease_table: &str, host: &str) -> Self {
        Self {
            client: Client::new(aws.sdk()),
            names: Names::new("table", prefix, tables),
            iterators: Arc::default(),
            trimmed: Arc::default(),
            leases: Arc::new(LeaseRows::new(aws, lease_table, host)),
            tables: TableClient::new(aws.sdk()),
        }
    }
}

impl DynamodbStreams {
    /// Checks that the service answers and has the lease table.
    ///
    /// # Errors
    /// When it does not answer, lacks the table, or has one with another key.
    pub async fn probe(&self) -> Result<()> {
        self.leases.probe().await
    }

    /// Makes the lease table if it does not exist.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn provision(&self) -> Result<()> {
        self.leases.provision().await
    }
}

#[async_trait::async_trait]
impl ShardReader<Change> for DynamodbStreams {
    async fn shards(&self, table: &str) -> Result<Vec<Shard>> {
        self.list_shards(table).await
    }

    async fn page(&self, table: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<Change>> {
        self.read(table, shard, from, limit).await
    }

    fn most_records(&self) -> usize {
        read::RECORDS
    }

    async fn changed(&self, _table: &str, wait: Duration) {
        tokio::time::sleep(wait.min(POLL)).await;
    }

    fn read_interval(&self) -> Duration {
        POLL
    }
}

#[async_trait::async_trait]
impl LeaseTable for DynamodbStreams {
    async fn has_begun(&self, table: &str, worker: &str) -> Result<bool> {
        self.leases.has_begun(&lease::scope(worker, &self.names.real(table)?)).await
    }

    async fn begin(&self, table: &str, shard: &str, worker: &str) -> Result<()> {
        self.leases.begin(&lease::scope(worker, &self.names.real(table)?), shard).await
    }

    async fn hold(&self, table: &str, worker: &str, shards: &[Shard]) -> Result<Leases> {
        self.leases.hold(&lease::scope(worker, &self.names.real(table)?), shards).await
    }

    async fn renew(&self, table: &str, worker: &str) -> Result<Vec<String>> {
        let scope = lease::scope(worker, &self.names.real(table)?);
        self.leases.renew(&scope).await;
        Ok(self.leases.owned_shards(&scope))
    }

    async fn release(&self, table: &str, worker: &str) -> Result<()> {
        self.leases.release(&lease::scope(worker, &self.names.real(table)?)).await
    }

    fn lease_renewal(&self) -> Option<Duration> {
        Some(lease::RENEWAL)
    }

    async fn checkpoint(&self, table: &str, shard: &str, worker: &str) -> Result<Option<Checkpoint>> {
        self.leases.checkpoint(&lease::scope(worker, &self.names.real(table)?), shard).await
    }

    async fn set_checkpoint(&self, table: &str, shard: &str, worker: &str, checkpoint: &Checkpoint) -> Result<()> {
        self.leases.set_checkpoint(&lease::scope(worker, &self.names.real(table)?), shard, checkpoint).await
    }
}
