//! `registration:platform/data-streams`: the grant, then the backend.

use crate::grants::Need;
use crate::outage::whole;
use crate::{PlatformService, Result, took_effect};
use host_adapters_records::Caller;
use host_adapters_records::data_streams::{DataRecord, PutRecords};

/// Data streams, as the platform interface `data-streams` needs them. How they are read is [`crate::DataStreamReader`].
#[async_trait::async_trait]
pub trait DataStreamBackend: Send + Sync + 'static {
    /// Puts any number of records; the answer holds for each its sequence number or its error. Each is checked with
    /// [`crate::limits::data_record`]. Of one partition key, records that a call puts are in the order of the call; one that
    /// was put later than those behind it has a greater sequence number than they have.
    async fn put_records(&self, stream: &str, records: Vec<DataRecord>) -> Result<Vec<Result<String>>>;
}

pub(crate) async fn data_streams_put_records(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: PutRecords,
) -> Result<Vec<Result<String>>> {
    platform.check(caller, Need::PutRecords(&args.stream))?;
    took_effect(whole(platform.data_streams.put_records(&args.stream, args.records).await?, |put| put.as_ref().err()))
}
