//! Implementations for stores that a host lacks; every call fails.

use super::names::unknown;
use super::{Checkpoint, FailureTable, LeaseTable, Position, Result, Shard, ShardPage, ShardReader, TopicBackend};
use host_adapters_records::Error;
use host_adapters_records::topic::TopicMessage;
use std::time::Duration;

/// No streams of any kind.
#[derive(Clone, Copy, Debug)]
pub struct NoStreams;

fn no_stream(stream: &str) -> Error {
    unknown("stream", stream, std::iter::empty())
}

#[async_trait::async_trait]
impl<R: 'static> ShardReader<R> for NoStreams {
    async fn shards(&self, stream: &str) -> Result<Vec<Shard>> {
        Err(no_stream(stream))
    }

    async fn page(&self, stream: &str, _shard: &str, _from: &Position, _limit: usize) -> Result<ShardPage<R>> {
        Err(no_stream(stream))
    }

    fn most_records(&self) -> usize {
        1
    }

    async fn changed(&self, _stream: &str, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

#[async_trait::async_trait]
impl LeaseTable for NoStreams {
    async fn has_begun(&self, stream: &str, _worker: &str) -> Result<bool> {
        Err(no_stream(stream))
    }

    async fn begin(&self, stream: &str, _shard: &str, _worker: &str) -> Result<()> {
        Err(no_stream(stream))
    }

    async fn checkpoint(&self, stream: &str, _shard: &str, _worker: &str) -> Result<Option<Checkpoint>> {
        Err(no_stream(stream))
    }

    async fn set_checkpoint(&self, stream: &str, _: &str, _worker: &str, _checkpoint: &Checkpoint) -> Result<()> {
        Err(no_stream(stream))
    }
}

/// No queue whose messages could fail.
#[derive(Clone, Copy, Debug)]
pub struct NoFailures;

#[async_trait::async_trait]
impl FailureTable for NoFailures {
    async fn count_failures(&self, queue: &str, _messages: &[String]) -> Result<Vec<u32>> {
        Err(unknown("queue", queue, std::iter::empty()))
    }

    async fn forget_failures(&self, queue: &str, _messages: &[String]) -> Result<()> {
        Err(unknown("queue", queue, std::iter::empty()))
    }
}

/// No topics.
#[derive(Clone, Copy, Debug)]
pub struct NoTopics;

#[async_trait::async_trait]
impl TopicBackend for NoTopics {
    async fn publish_batch(&self, topic: &str, _messages: Vec<TopicMessage>) -> Result<Vec<Result<String>>> {
        Err(unknown("topic", topic, std::iter::empty()))
    }
}
