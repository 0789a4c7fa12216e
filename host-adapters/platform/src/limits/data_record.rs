//! Checks records of data streams against Kinesis's limits. An invalid record fails alone, not its call.

use super::{invalid, too_large};
use crate::Result;
use host_adapters_records::data_streams::DataRecord;

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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use host_adapters_records::ErrorKind;

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
