//! `registration:platform/event-log`: what spin.toml declares and may grant, the limits, and the functions: the grant, then
//! the backend. Operators read topics through the gateway; no component does.

use crate::grants::Need;
use crate::limits::{invalid, too_large};
use crate::names::{fault, is_letter};
use crate::outage::whole_if_none;
use crate::{PlatformService, Result, took_effect};
use host_adapters_records::Caller;
use host_adapters_records::event_log::{LogRecord, Produce};
use host_adapters_settings::{Words, settings};
use serde::{Deserialize, Serialize};

settings! {
    /// A topic of the event log.
    pub struct LogTopicSpec {
        /// How many partitions it has: how many readers of a group can read in parallel. Records of one partition are
        /// in order. `provision` makes a topic with so many. An embedded topic gets more when the number has grown, and
        /// never fewer, as in Kafka; keys move to other partitions then.
        pub partitions: u32 = 1, 1..=1_000;
    }
}

/// What may be done with a topic of the event log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventLogAccess {
    /// Produce records.
    Produce,
    /// Read records, as an operator.
    Read,
}

impl Words for EventLogAccess {
    const WORDS: &'static [(&'static str, Self)] = &[("produce", Self::Produce), ("read", Self::Read)];
}

/// What is wrong with the name of a topic. Kafka takes 1 to 249 letters, digits, `.`, `_` and `-`, except `.` and `..`
/// (`org.apache.kafka.common.internals.Topic`).
pub fn name_fault(name: &str) -> Option<String> {
    let is_fit = (1..=249).contains(&name.len())
        && name.bytes().all(|it| is_letter(it) || b"._-".contains(&it))
        && name != "."
        && name != "..";
    (!is_fit).then(|| fault(name, "a topic in Kafka", "1 to 249 letters, digits, ., _ and -, not . or .."))
}

/// The event log, as the platform interface `event-log` and operators need it.
#[async_trait::async_trait]
pub trait EventLogBackend: Send + Sync + 'static {
    /// Writes any number of records; the answer holds for each its error, if it failed. Each is checked with
    /// [`check_record`]. Records of one key are in one partition; those that a call writes at its first attempt are in
    /// the order of the call.
    async fn produce(&self, topic: &str, records: Vec<LogRecord>) -> Result<Vec<Result<()>>>;
    /// The partitions of a topic, in the order of their numbers.
    async fn log_partitions(&self, topic: &str) -> Result<Vec<LogPartition>>;
    /// Up to `limit` records of a partition in order, from an offset, or from the first one that is still kept; returns
    /// at once, with none where there are none. A page ends after a megabyte, too.
    async fn read_log(&self, topic: &str, partition: u32, from: Option<u64>, limit: usize) -> Result<LogPage>;
}

/// What a partition holds.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LogPartition {
    /// Its number, from 0.
    pub number: u32,
    /// The offset of the first record that is kept.
    pub first: u64,
    /// The offset that the next record gets.
    pub end: u64,
}

/// A page of a partition.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LogPage {
    /// In the order of their offsets.
    pub records: Vec<LoggedRecord>,
    /// The offset to read on from.
    pub next: u64,
}

/// A record of the event log, as it is read. Bytes that are not UTF-8, which only other producers write, are replaced.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedRecord {
    /// The number of its partition.
    pub partition: u32,
    /// Its offset in the partition.
    pub offset: u64,
    /// When it was written, or produced where the topic says so, milliseconds since 1970 (UTC).
    pub time_ms: u64,
    /// None where another producer gave none.
    pub key: Option<String>,
    /// None where another producer gave none.
    pub value: Option<String>,
    /// In the order in which they were given.
    pub headers: Vec<(String, String)>,
}

/// The largest record, bytes: value, key and headers with their names. A topic of Kafka takes a little less unless its own
/// `max.message.bytes` says otherwise, which counts what surrounds a record, too; `provision` sets it.
pub const MAX_LOG_RECORD_BYTES: usize = 1024 * 1024;
/// The most headers of a record, ours.
const MAX_HEADERS: usize = 100;

/// Checks a record before it is produced.
///
/// # Errors
/// When it can never be produced.
pub fn check_record(record: &LogRecord) -> Result<()> {
    if record.key.is_empty() {
        return Err(invalid("a record without a key; it decides the partition"));
    }
    let headers = record.headers.len();
    if headers > MAX_HEADERS {
        return Err(invalid(format!("a record with {headers} headers; the most is {MAX_HEADERS}")));
    }
    if record.headers.iter().any(|(name, _)| name.is_empty()) {
        return Err(invalid("a header without a name"));
    }
    let bytes = bytes(record);
    if bytes > MAX_LOG_RECORD_BYTES {
        let message = format!("a record of {bytes} bytes with its key and headers; the most is {MAX_LOG_RECORD_BYTES}");
        return Err(too_large(message));
    }
    Ok(())
}

/// The size of a record: its value, its key, and its headers with their names.
pub fn bytes(record: &LogRecord) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    record.value.len() + record.key.len() + headers
}

/// The partition of a key among so many, as Kafka's clients in Java choose it: every producer then writes a key to the same
/// partition.
pub fn partition_of(key: &str, partitions: u32) -> u32 {
    // Java's `toPositive`, of a hash with sign.
    (murmur2(key.as_bytes()) & 0x7fff_ffff) % partitions.max(1)
}

/// MurmurHash2 with Kafka's seed (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(bytes: &[u8]) -> u32 {
    const FACTOR: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = SEED ^ u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    for word in words {
        let word = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        hash = hash.wrapping_mul(FACTOR) ^ (word ^ (word >> 24)).wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        let rest = rest.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte));
        hash = (hash ^ rest).wrapping_mul(FACTOR);
    }
    let hash = (hash ^ (hash >> 13)).wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

pub(crate) async fn event_log_produce(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: Produce,
) -> Result<Vec<Result<()>>> {
    platform.check(caller, Need::ProduceTo(&args.topic))?;
    let produced = platform.event_log.produce(&args.topic, args.records).await?;
    took_effect(caller, whole_if_none(produced, |produced| produced.as_ref().err()))
}

impl PlatformService {
    /// The partitions of a topic; needs the grant `read`.
    ///
    /// # Errors
    /// When it is not granted, or the backend fails.
    pub async fn log_partitions(&self, caller: &str, topic: &str) -> Result<Vec<LogPartition>> {
        self.check(Caller::client(caller), Need::ReadTopic(topic))?;
        self.event_log.log_partitions(topic).await
    }

    /// Up to `limit` records of a partition, from an offset or the first one that is kept; needs the grant `read`.
    ///
    /// # Errors
    /// When it is not granted, there is no such partition, or the backend fails.
    pub async fn read_log(
        &self,
        caller: &str,
        topic: &str,
        partition: u32,
        from: Option<u64>,
        limit: usize,
    ) -> Result<LogPage> {
        self.check(Caller::client(caller), Need::ReadTopic(topic))?;
        self.event_log.read_log(topic, partition, from, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_adapters_records::ErrorKind;

    /// The vectors of Kafka's own test (`UtilsTest.testMurmur2`).
    #[test]
    fn keys_are_hashed_as_by_kafka() {
        for (text, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
        assert_eq!([2, 6, 12].map(|partitions| partition_of("ü", partitions)), [0, 2, 2]);
        assert_eq!(partition_of("k", 0), 0);
    }

    #[test]
    fn names_that_kafka_cannot_have_are_faults() {
        let longest = "t".repeat(249);
        for name in ["t", "prd2011.dmnd.event-mappings", "a_B.9-", "...", &longest] {
            assert_eq!(name_fault(name), None, "{name}");
        }
        let long = format!("{longest}t");
        for name in ["", ".", "..", "a topic", "a/b", "töpic", "a*", &long] {
            assert!(name_fault(name).is_some(), "{name}");
        }
    }

    fn refused(key: &str, bytes: usize, headers: &[(&str, &str)]) -> Option<ErrorKind> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let record = LogRecord { key: key.to_owned(), value: "v".repeat(bytes), headers };
        check_record(&record).err().map(|error| error.kind)
    }

    #[test]
    fn records_are_checked_before_they_are_produced() {
        let most = MAX_LOG_RECORD_BYTES;
        for (key, bytes, headers) in [("k", 0, &[][..]), ("k", most - 1, &[]), ("ü", most - 5, &[("ab", "c")])] {
            assert_eq!(refused(key, bytes, headers), None, "{key} {bytes}");
        }
        assert_eq!(refused("", 1, &[]), Some(ErrorKind::Invalid));
        assert_eq!(refused("k", 1, &[("", "v")]), Some(ErrorKind::Invalid));
        assert_eq!(refused("k", 1, &[("n", "v"); 100]), None);
        assert_eq!(refused("k", 1, &[("n", "v"); 101]), Some(ErrorKind::Invalid));
        assert_eq!(refused("k", most, &[]), Some(ErrorKind::TooLarge));
        assert_eq!(refused("ü", most - 1, &[]), Some(ErrorKind::TooLarge), "UTF-8 counts");
        assert_eq!(refused("k", most - 3, &[("ab", "c")]), Some(ErrorKind::TooLarge), "headers count");
    }
}
