//! `registration:platform/data-streams`: what spin.toml declares and may grant, the limits, and the function: the grant, then
//! the backend.

use crate::grants::Need;
use crate::limits::{invalid, too_large};
use crate::names::{fault, is_letter};
use crate::outage::whole;
use crate::{PlatformService, Result, took_effect};
use host_adapters_records::Caller;
use host_adapters_records::data_streams::{DataRecord, PutRecords};
use host_adapters_settings::{Words, settings};
use md5::{Digest, Md5};

settings! {
    /// A data stream.
    pub struct DataStreamSpec {
        /// How many shards it has: how many readers can read in parallel. Records of one shard are in order.
        /// `provision` makes a stream with so many; those of an embedded one are split or merged when the number has
        /// changed.
        pub shards: u32 = 1, 1..=1_000;
    }
}

/// What may be done with a data stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DataStreamAccess {
    /// Put records.
    Put,
}

impl Words for DataStreamAccess {
    const WORDS: &'static [(&'static str, Self)] = &[("put", Self::Put)];
}

/// What is wrong with the name of a data stream. Kinesis takes 1 to 128 letters, digits, `_`, `-` and `.` (`StreamName` on
/// the page of its action `CreateStream`).
pub fn name_fault(name: &str) -> Option<String> {
    let is_fit = (1..=128).contains(&name.len()) && name.bytes().all(|it| is_letter(it) || b"_-.".contains(&it));
    (!is_fit).then(|| fault(name, "a stream in Kinesis", "1 to 128 letters, digits, _, - and ."))
}

/// Data streams, as the platform interface `data-streams` needs them. How they are read is [`crate::DataStreamReader`].
#[async_trait::async_trait]
pub trait DataStreamBackend: Send + Sync + 'static {
    /// Puts any number of records; the answer holds for each its sequence number or its error. Each is checked with
    /// [`check_record`]. Of one partition key, records that a call puts are in the order of the call; one that
    /// was put later than those behind it has a greater sequence number than they have.
    async fn put_records(&self, stream: &str, records: Vec<DataRecord>) -> Result<Vec<Result<String>>>;
}

/// The largest record, bytes, its partition key included: what a stream of Kinesis takes unless its own
/// `MaxRecordSizeInKiB` says otherwise (the page of its action `CreateStream`).
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// `PartitionKey` on the page of Kinesis's `PutRecordsRequestEntry`.
const MAX_KEY_CHARS: usize = 256;

/// Checks a record before it is put.
pub fn check_record(record: &DataRecord) -> Result<()> {
    let chars = record.partition_key.chars().count();
    if !(1..=MAX_KEY_CHARS).contains(&chars) {
        return Err(invalid(format!("a partition key of {chars} characters; it has 1 to {MAX_KEY_CHARS}")));
    }
    let bytes = bytes(record);
    if bytes > MAX_RECORD_BYTES {
        return Err(too_large(format!("a record of {bytes} bytes with its key; the most is {MAX_RECORD_BYTES}")));
    }
    Ok(())
}

/// The size that Kinesis counts: the data, and the partition key in UTF-8.
pub const fn bytes(record: &DataRecord) -> usize {
    record.data.len() + record.partition_key.len()
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
    took_effect(
        caller,
        whole(platform.data_streams.put_records(&args.stream, args.records).await?, |put| put.as_ref().err()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_adapters_records::ErrorKind;

    /// The digests of RFC 1321.
    #[test]
    fn a_hash_key_is_the_md5_as_a_number() {
        assert_eq!(hash_key("abc"), 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72);
        assert_eq!(hash_key(""), 0xd41d_8cd9_8f00_b204_e980_0998_ecf8_427e);
    }

    #[test]
    fn names_that_kinesis_cannot_have_are_faults() {
        let longest = "s".repeat(128);
        for name in ["s", "scoresStream", "a.b_C-9", &longest] {
            assert_eq!(name_fault(name), None, "{name}");
        }
        let long = format!("{longest}s");
        for name in ["", "a stream", "a/b", "ströme", &long] {
            assert!(name_fault(name).is_some(), "{name}");
        }
    }

    fn refused(partition_key: &str, bytes: usize) -> Option<ErrorKind> {
        let record = DataRecord { partition_key: partition_key.to_owned(), data: vec![0; bytes] };
        check_record(&record).err().map(|error| error.kind)
    }

    #[test]
    fn records_are_checked_against_kinesis_limits() {
        let (longest, wide) = ("k".repeat(256), "ü".repeat(256));
        for (key, bytes) in [("k", 0), ("k", MAX_RECORD_BYTES - 1), (&longest, 1), (&wide, MAX_RECORD_BYTES - 512)] {
            assert_eq!(refused(key, bytes), None, "{} {bytes}", key.len());
        }
        assert_eq!(refused("", 1), Some(ErrorKind::Invalid));
        assert_eq!(refused(&format!("{longest}k"), 1), Some(ErrorKind::Invalid));
        assert_eq!(refused("k", MAX_RECORD_BYTES), Some(ErrorKind::TooLarge));
        assert_eq!(refused(&wide, MAX_RECORD_BYTES - 511), Some(ErrorKind::TooLarge), "UTF-8 counts");
    }
}
