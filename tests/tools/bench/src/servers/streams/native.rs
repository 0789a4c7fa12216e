//! The baseline: for each shard a loop that reads as many records a call as the host does.

use crate::servers::native::{Count, sdk, tell};
use anyhow::{Context, Result};
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::ShardIteratorType;
use std::time::Duration;
use tokio::task::JoinSet;

/// Most records of a read, as in the host's source.
pub const LIMIT: u16 = 1_000;
/// The pause after a read without records.
const PAUSE: Duration = Duration::from_millis(250);

/// Reads the stream of a table from its beginning until it is killed.
///
/// # Errors
/// When a call fails.
pub fn run(endpoint: &str, table: &str) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let sdk = sdk(endpoint).await;
        let described = aws_sdk_dynamodb::Client::new(&sdk).describe_table().table_name(table).send().await?;
        let arn = described.table.and_then(|table| table.latest_stream_arn).context("the table has no stream")?;
        let client = Client::new(&sdk);
        let stream = client.describe_stream().stream_arn(&arn).send().await?.stream_description;
        let (count, mut readers) = (Count::default(), JoinSet::new());
        for shard in stream.and_then(|stream| stream.shards).unwrap_or_default() {
            let shard = shard.shard_id.unwrap_or_default();
            readers.spawn(read(client.clone(), arn.clone(), shard, count.clone()));
        }
        tell(count, readers).await
    })
}

async fn read(client: Client, arn: String, shard: String, count: Count) -> Result<()> {
    let begin = client.get_shard_iterator().stream_arn(arn).shard_id(shard);
    let begin = begin.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await?;
    let mut iterator = begin.shard_iterator;
    while iterator.is_some() {
        let read = client.get_records().set_shard_iterator(iterator).limit(LIMIT.into()).send().await?;
        let records = read.records.unwrap_or_default().len();
        count.add(records);
        iterator = read.next_shard_iterator;
        if records == 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
    // The shard is closed and read to its end; there is nothing more to do, and no error.
    std::future::pending().await
}
