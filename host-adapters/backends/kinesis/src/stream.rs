//! Checks streams, creates missing ones, and lists their shards.

use super::Kinesis;
use aws_sdk_kinesis::types::{HashKeyRange, StreamStatus};
use backend_aws::error;
use host_adapters_platform::limits::invalid;
use host_adapters_platform::{DataStreamSpec, Result, Shard};
use host_adapters_records::{Error, ErrorKind};
use std::collections::BTreeMap;
use std::num::ParseIntError;
use std::time::Duration;

/// How often and how long to look whether a new stream can be used.
const LOOK: Duration = Duration::from_millis(500);
const LOOKS: u32 = 240;

impl Kinesis {
    /// Checks that Kinesis answers and has the streams, and DynamoDB the lease table.
    ///
    /// # Errors
    /// When one of them does not answer, or something is missing.
    pub async fn probe(&self) -> Result<()> {
        for stream in self.names.declared() {
            let real = self.names.real(stream)?;
            if self.status(&real).await?.is_none() {
                return Err(Error::new(ErrorKind::NotFound, format!("there is no stream {real}")));
            }
        }
        self.leases.probe().await
    }

    /// Makes the streams that are missing, with their shards, and the lease table. A stream that is there keeps its shards.
    ///
    /// # Errors
    /// When Kinesis or DynamoDB refuses; names what.
    pub async fn provision(&self, streams: &BTreeMap<String, DataStreamSpec>) -> std::result::Result<(), String> {
        self.leases.provision().await.map_err(|error| format!("table {}: {error}", self.leases.table()))?;
        for (name, stream) in streams {
            self.make(name, stream.shards).await.map_err(|error| format!("stream {name}: {error}"))?;
        }
        Ok(())
    }

    async fn make(&self, stream: &str, shards: u32) -> Result<()> {
        let real = self.names.real(stream)?;
        if self.status(&real).await?.is_none() {
            let shards = i32::try_from(shards).unwrap_or(i32::MAX);
            match self.client.create_stream().stream_name(&real).shard_count(shards).send().await {
                Ok(_) => {}
                // Another host is making it.
                Err(failed) if failed.as_service_error().is_some_and(|error| error.is_resource_in_use_exception()) => {}
                Err(failed) => return Err(error(&real, &failed)),
            }
        }
        for _ in 0..LOOKS {
            match self.status(&real).await? {
                Some(StreamStatus::Active | StreamStatus::Updating) => return Ok(()),
                _ => tokio::time::sleep(LOOK).await,
            }
        }
        Err(Error::new(ErrorKind::Unavailable, format!("{real}: Kinesis is still creating it; try again")))
    }

    /// The state of a stream; `None` where there is none.
    async fn status(&self, real: &str) -> Result<Option<StreamStatus>> {
        match self.client.describe_stream_summary().stream_name(real).send().await {
            Ok(answer) => Ok(answer.stream_description_summary.map(|stream| stream.stream_status)),
            Err(failed) => match error(real, &failed) {
                Error { kind: ErrorKind::NotFound, .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    /// All shards that the stream still lists: closed ones, until their last records have expired.
    pub(super) async fn list_shards(&self, stream: &str) -> Result<Vec<Shard>> {
        let real = self.names.real(stream)?;
        let (mut shards, mut next) = (Vec::new(), None);
        loop {
            let request = self.client.list_shards();
            // The token identifies the stream, and no name may be given with it.
            let request = match next {
                None => request.stream_name(&real),
                Some(token) => request.next_token(token),
            };
            let answer = request.send().await.map_err(|failed| error(stream, &failed))?;
            for listed in answer.shards.into_iter().flatten() {
                shards.push(shard(stream, listed)?);
            }
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        self.iterators.keep(stream, &shards);
        Ok(shards)
    }
}

fn shard(stream: &str, listed: aws_sdk_kinesis::types::Shard) -> Result<Shard> {
    let parsed =
        |keys: HashKeyRange| Ok::<_, ParseIntError>(keys.starting_hash_key.parse()?..=keys.ending_hash_key.parse()?);
    let hash_keys = listed.hash_key_range.map(parsed);
    let wrong = |error| invalid(format!("{stream}: the hash keys of {} are not numbers: {error}", listed.shard_id));
    Ok(Shard {
        hash_keys: hash_keys.transpose().map_err(wrong)?,
        parents: listed.parent_shard_id.into_iter().chain(listed.adjacent_parent_shard_id).collect(),
        id: listed.shard_id,
    })
}
