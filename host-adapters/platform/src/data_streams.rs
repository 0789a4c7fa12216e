//! `registration:platform/data-streams`: the grant, then the backend.

use crate::grants::Need;
use crate::outage::whole;
use crate::{PlatformService, Result, took_effect};
use host_adapters_records::Caller;
use host_adapters_records::data_streams::{DataRecord, PutRecords};
use md5::{Digest, Md5};

/// Data streams, as the platform interface `data-streams` needs them. How they are read is [`crate::DataStreamReader`].
#[async_trait::async_trait]
pub trait DataStreamBackend: Send + Sync + 'static {
    /// Puts any number of records; the answer holds for each its sequence number or its error. Each is checked with
    /// [`crate::limits::data_record`]. Of one partition key, records that a call puts are in the order of the call; one that
    /// was put later than those behind it has a greater sequence number than they have.
    async fn put_records(&self, stream: &str, records: Vec<DataRecord>) -> Result<Vec<Result<String>>>;
}

/// The hash of a partition key, by which Kinesis finds the shard of a record: the key's MD5 as a number, its first byte the
/// highest (Kinesis Developer Guide, "Kinesis Data Streams terminology and concepts").
pub fn hash_key(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key).into())
}

pub(crate) async fn data_streams_put_records(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: PutRecords,
) -> Result<Vec<Result<String>>> {
    platform.check(caller, Need::PutRecords(&args.stream))?;
    took_effect(whole(platform.data_streams.put_records(&args.stream, args.records).await?, |put| put.as_ref().err()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digests of RFC 1321.
    #[test]
    fn a_hash_key_is_the_md5_as_a_number() {
        assert_eq!(hash_key("abc"), 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72);
        assert_eq!(hash_key(""), 0xd41d_8cd9_8f00_b204_e980_0998_ecf8_427e);
    }
}
