//! Records that the Kinesis Producer Library packs into one: four bytes of magic, a Protocol Buffers message, and its
//! MD5. AWS describes the format on its page "KPL aggregation format". A record that cannot be unpacked is delivered as
//! it is.

use md5::{Digest, Md5};
use prost::Message;

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
const DIGEST_BYTES: usize = 16;

/// A record that was packed into another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Part {
    pub(super) partition_key: String,
    /// In place of the hash of the partition key.
    explicit_hash_key: Option<u128>,
    pub(super) data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct AggregatedRecord {
    #[prost(string, repeated, tag = "1")]
    partition_keys: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    explicit_hash_keys: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    records: Vec<PackedRecord>,
}

/// Both of the index and the data are required. Tags (4) are not read.
#[derive(Clone, PartialEq, Message)]
struct PackedRecord {
    #[prost(uint64, optional, tag = "1")]
    partition_key: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    explicit_hash_key: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "3")]
    data: Option<Vec<u8>>,
}

/// The records that are packed into one, in order; `None` if nothing is packed into it.
pub(super) fn open(data: &[u8]) -> Option<Vec<Part>> {
    // A message with nothing in it would be lost.
    message(data).and_then(parts).filter(|parts| !parts.is_empty())
}

/// Whether a key belongs to another shard than the one with these hash keys. Then the shard was split while the record
/// was being sent: its producer learns the new shard from the response and puts the contents again. The Kinesis Client
/// Library also leaves out the whole record.
#[cfg(feature = "host")]
pub(super) fn is_misplaced(parts: &[Part], hash_keys: &std::ops::RangeInclusive<u128>) -> bool {
    let hash_key =
        |part: &Part| part.explicit_hash_key.unwrap_or_else(|| host_adapters_platform::hash_key(&part.partition_key));
    !parts.iter().all(|part| hash_keys.contains(&hash_key(part)))
}

/// The message in a record, if there is one and its MD5 is right.
fn message(data: &[u8]) -> Option<AggregatedRecord> {
    let (message, digest) = data.strip_prefix(&MAGIC)?.split_last_chunk::<DIGEST_BYTES>()?;
    let is_right = Md5::digest(message)[..] == *digest;
    if is_right { AggregatedRecord::decode(message).ok() } else { None }
}

/// The records of a message; `None` if one of them is incomplete.
fn parts(message: AggregatedRecord) -> Option<Vec<Part>> {
    let AggregatedRecord { partition_keys, explicit_hash_keys, records } = message;
    let named = |names: &[String], index: u64| names.get(usize::try_from(index).ok()?).cloned();
    let part = |record: PackedRecord| {
        let partition_key = named(&partition_keys, record.partition_key?)?;
        let explicit_hash_key = match record.explicit_hash_key {
            Some(index) => Some(named(&explicit_hash_keys, index)?.parse().ok()?),
            None => None,
        };
        Some(Part { partition_key, explicit_hash_key, data: record.data? })
    };
    records.into_iter().map(part).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, non_snake_case, reason = "tests")]
pub(super) mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    macro_rules! case {
        ($name:literal) => {
            BASE64_STANDARD
                .decode(include_str!(concat!("../../../../tests/fixtures/cases/L01-aggregates/", $name)).trim())
                .unwrap()
        };
    }

    /// Packs records as the library does: key by key, with their explicit hash keys where they have one.
    pub(in crate::kinesis) fn packed(records: &[(&str, Option<u128>, &[u8])]) -> Vec<u8> {
        let mut aggregate = AggregatedRecord::default();
        for (key, explicit, data) in records {
            let index = |names: &mut Vec<String>, name: String| {
                let place = names.iter().position(|other| *other == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                });
                u64::try_from(place).unwrap()
            };
            aggregate.records.push(PackedRecord {
                partition_key: Some(index(&mut aggregate.partition_keys, (*key).to_owned())),
                explicit_hash_key: explicit.map(|key| index(&mut aggregate.explicit_hash_keys, key.to_string())),
                data: Some(data.to_vec()),
            });
        }
        sealed(&aggregate)
    }

    fn sealed(aggregate: &AggregatedRecord) -> Vec<u8> {
        let message = aggregate.encode_to_vec();
        [&MAGIC[..], &message, &Md5::digest(&message)].concat()
    }

    fn part(partition_key: &str, data: &[u8]) -> Part {
        Part { partition_key: partition_key.to_owned(), explicit_hash_key: None, data: data.to_vec() }
    }

    #[test]
    fn case_L01_three_records_in_one_are_three() {
        let expected =
            [part("fan-1", br#"{"n":1}"#), part("fan-2", br#"{"n":2}"#), part("fan-1", br#"{"n":3}"#)].to_vec();
        assert_eq!(open(&case!("L01-three-in-one.b64")), Some(expected));
    }

    #[test]
    fn case_L01_what_only_looks_like_an_aggregate_is_a_record() {
        let text = [&MAGIC[..], b"this is a user's own record that begins with the same four bytes"].concat();
        for data in [case!("L01-wrong-md5.b64"), MAGIC.to_vec(), text, Vec::new()] {
            assert_eq!(open(&data), None, "{data:?}");
        }
    }

    /// The MD5 is right, the message is not.
    #[test]
    fn what_is_incomplete_is_a_record() {
        let record = PackedRecord { partition_key: Some(0), explicit_hash_key: None, data: Some(b"d".to_vec()) };
        let aggregate = |record: &PackedRecord| AggregatedRecord {
            partition_keys: vec!["k".to_owned()],
            explicit_hash_keys: vec!["no number".to_owned()],
            records: vec![record.clone()],
        };
        assert_eq!(open(&sealed(&aggregate(&record))), Some(vec![part("k", b"d")]));
        for wrong in [
            PackedRecord { partition_key: Some(1), ..record.clone() },
            PackedRecord { partition_key: Some(u64::MAX), ..record.clone() },
            PackedRecord { partition_key: None, ..record.clone() },
            PackedRecord { explicit_hash_key: Some(0), ..record.clone() },
            PackedRecord { explicit_hash_key: Some(1), ..record.clone() },
            PackedRecord { data: None, ..record.clone() },
        ] {
            assert_eq!(open(&sealed(&aggregate(&wrong))), None, "{wrong:?}");
        }
        let empty = AggregatedRecord { records: Vec::new(), ..aggregate(&record) };
        assert_eq!(open(&sealed(&empty)), None);
        let no_message = [&MAGIC[..], b"\xff\xff", &Md5::digest(b"\xff\xff")].concat();
        assert_eq!(open(&no_message), None);
    }

    /// Unknown fields, such as the tags of a record, are skipped.
    #[test]
    fn unknown_fields_are_passed_over() {
        // partition_key_table "k"; a record with index 0, data "d" and a tag (4) {key "a"}.
        let message = b"\x0a\x01k\x1a\x0a\x08\x00\x1a\x01d\x22\x03\x0a\x01a";
        let data = [&MAGIC[..], message, &Md5::digest(message)].concat();
        assert_eq!(open(&data), Some(vec![part("k", b"d")]));
    }

    #[cfg(feature = "host")]
    #[test]
    fn a_record_with_a_key_of_another_shard_is_misplaced() {
        // In hexadecimal the hash of "fan-1" begins with 54, that of "fan-2" with 81.
        let (low, high) = (0..=u128::MAX / 2, u128::MAX / 2 + 1..=u128::MAX);
        let by_keys = packed(&[("fan-1", None, b"1"), ("fan-1", None, b"2")]);
        let by_hashes = packed(&[("fan-1", Some(u128::MAX / 2 + 1), b"1"), ("fan-2", Some(u128::MAX), b"2")]);
        let by_both = packed(&[("fan-2", None, b"1"), ("fan-2", Some(7), b"2")]);
        let is_opened = |data: &[u8], shard| !is_misplaced(&open(data).unwrap(), shard);
        assert_eq!((is_opened(&by_keys, &low), is_opened(&by_keys, &high)), (true, false));
        assert_eq!((is_opened(&by_hashes, &low), is_opened(&by_hashes, &high)), (false, true));
        assert!(!is_opened(&by_both, &low) && !is_opened(&by_both, &high), "the whole record");
        assert_eq!(open(b"not packed"), None, "Kinesis itself has put it there");
    }

    proptest! {
        /// Whatever bytes come, nothing is lost: they are a record, or parts of what was packed.
        #[test]
        fn what_was_packed_comes_out(records: Vec<(String, Option<u128>, Vec<u8>)>, other: Vec<u8>) {
            let given: Vec<_> = records.iter().map(|(key, hash, data)| (key.as_str(), *hash, data.as_slice())).collect();
            let opened = match records.is_empty() {
                true => None,
                false => {
                    let part = |(key, hash, data): &(String, Option<u128>, Vec<u8>)| {
                        Part { explicit_hash_key: *hash, ..part(key, data) }
                    };
                    Some(records.iter().map(part).collect())
                }
            };
            prop_assert_eq!(open(&packed(&given)), opened);
            prop_assert_eq!(open(&other), None);
            prop_assert_eq!(open(&[&MAGIC[..], &other].concat()), None);
        }
    }
}
