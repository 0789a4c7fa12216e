//! Records that the Kinesis Producer Library packs into one: four bytes of magic, a Protocol Buffers message, and its MD5.
//! The format is described in AWS's page "KPL aggregation format"; what cannot be opened is a record of its own.

use md5::{Digest, Md5};
use prost::Message;
use std::ops::RangeInclusive;

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
const DIGEST_BYTES: usize = 16;

/// A record that was packed into another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Part {
    pub(super) partition_key: String,
    pub(super) data: Vec<u8>,
}

/// What a record is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Opened {
    /// A record as its producer made it.
    Whole,
    /// These are packed into it, in order.
    Parts(Vec<Part>),
    /// A key of it belongs to another shard. The record was under way while the shard was split: its producer sees where it
    /// came to and puts what is in it again. The Kinesis Client Library leaves the whole record out, too.
    Misplaced,
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

/// Opens a record of a shard that takes these hash keys, as far as they are known.
pub(super) fn open(data: &[u8], hash_keys: Option<&RangeInclusive<u128>>) -> Opened {
    match message(data).and_then(parts) {
        // A message with nothing in it would be lost.
        None => Opened::Whole,
        Some(parts) if parts.is_empty() => Opened::Whole,
        Some(parts) => {
            let is_ours = |(part, explicit): &(Part, Option<u128>)| {
                hash_keys.is_none_or(|ours| ours.contains(&explicit.unwrap_or_else(|| hash_key(&part.partition_key))))
            };
            match parts.iter().all(is_ours) {
                true => Opened::Parts(parts.into_iter().map(|(part, _)| part).collect()),
                false => Opened::Misplaced,
            }
        }
    }
}

/// The message in a record, if there is one and its MD5 is right.
fn message(data: &[u8]) -> Option<AggregatedRecord> {
    let (message, digest) = data.strip_prefix(&MAGIC)?.split_last_chunk::<DIGEST_BYTES>()?;
    let is_right = Md5::digest(message)[..] == *digest;
    if is_right { AggregatedRecord::decode(message).ok() } else { None }
}

/// The records of a message with their explicit hash keys; `None` if one of them is incomplete.
fn parts(message: AggregatedRecord) -> Option<Vec<(Part, Option<u128>)>> {
    let AggregatedRecord { partition_keys, explicit_hash_keys, records } = message;
    let named = |names: &[String], index: u64| names.get(usize::try_from(index).ok()?).cloned();
    let part = |record: PackedRecord| {
        let partition_key = named(&partition_keys, record.partition_key?)?;
        let explicit = match record.explicit_hash_key {
            Some(index) => Some(named(&explicit_hash_keys, index)?.parse().ok()?),
            None => None,
        };
        Some((Part { partition_key, data: record.data? }, explicit))
    };
    records.into_iter().map(part).collect()
}

/// The hash by which Kinesis finds the shard of a partition key.
fn hash_key(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key).into())
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
        Part { partition_key: partition_key.to_owned(), data: data.to_vec() }
    }

    #[test]
    fn case_L01_three_records_in_one_are_three() {
        let expected =
            [part("fan-1", br#"{"n":1}"#), part("fan-2", br#"{"n":2}"#), part("fan-1", br#"{"n":3}"#)].to_vec();
        assert_eq!(open(&case!("L01-three-in-one.b64"), None), Opened::Parts(expected));
    }

    #[test]
    fn case_L01_what_only_looks_like_an_aggregate_is_a_record() {
        let text = [&MAGIC[..], b"this is a user's own record that begins with the same four bytes"].concat();
        for data in [case!("L01-wrong-md5.b64"), MAGIC.to_vec(), text, Vec::new()] {
            assert_eq!(open(&data, None), Opened::Whole, "{data:?}");
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
        assert_eq!(open(&sealed(&aggregate(&record)), None), Opened::Parts(vec![part("k", b"d")]));
        for wrong in [
            PackedRecord { partition_key: Some(1), ..record.clone() },
            PackedRecord { partition_key: Some(u64::MAX), ..record.clone() },
            PackedRecord { partition_key: None, ..record.clone() },
            PackedRecord { explicit_hash_key: Some(0), ..record.clone() },
            PackedRecord { explicit_hash_key: Some(1), ..record.clone() },
            PackedRecord { data: None, ..record.clone() },
        ] {
            assert_eq!(open(&sealed(&aggregate(&wrong)), None), Opened::Whole, "{wrong:?}");
        }
        let empty = AggregatedRecord { records: Vec::new(), ..aggregate(&record) };
        assert_eq!(open(&sealed(&empty), None), Opened::Whole);
        let no_message = [&MAGIC[..], b"\xff\xff", &Md5::digest(b"\xff\xff")].concat();
        assert_eq!(open(&no_message, None), Opened::Whole);
    }

    /// Fields that this version does not know, as the tags of a record, are passed over.
    #[test]
    fn unknown_fields_are_passed_over() {
        // partition_key_table "k"; a record with index 0, data "d" and a tag (4) {key "a"}.
        let message = b"\x0a\x01k\x1a\x0a\x08\x00\x1a\x01d\x22\x03\x0a\x01a";
        let data = [&MAGIC[..], message, &Md5::digest(message)].concat();
        assert_eq!(open(&data, None), Opened::Parts(vec![part("k", b"d")]));
    }

    #[test]
    fn a_record_with_a_key_of_another_shard_is_misplaced() {
        // In hexadecimal the hash of "fan-1" begins with 54, that of "fan-2" with 81.
        let (low, high) = (0..=u128::MAX / 2, u128::MAX / 2 + 1..=u128::MAX);
        let by_keys = packed(&[("fan-1", None, b"1"), ("fan-1", None, b"2")]);
        let by_hashes = packed(&[("fan-1", Some(u128::MAX / 2 + 1), b"1"), ("fan-2", Some(u128::MAX), b"2")]);
        let by_both = packed(&[("fan-2", None, b"1"), ("fan-2", Some(7), b"2")]);
        let is_opened = |data: &[u8], shard| matches!(open(data, Some(shard)), Opened::Parts(_));
        assert_eq!((is_opened(&by_keys, &low), is_opened(&by_keys, &high)), (true, false));
        assert_eq!((is_opened(&by_hashes, &low), is_opened(&by_hashes, &high)), (false, true));
        assert_eq!(open(&by_both, Some(&low)), Opened::Misplaced, "the whole record");
        assert_eq!(open(&by_both, Some(&high)), Opened::Misplaced, "the whole record");
        assert_eq!(open(b"not packed", Some(&low)), Opened::Whole, "Kinesis itself has put it there");
    }

    proptest! {
        /// Whatever bytes come, nothing is lost: they are a record, or parts of what was packed.
        #[test]
        fn what_was_packed_comes_out(records: Vec<(String, Option<u128>, Vec<u8>)>, other: Vec<u8>) {
            let given: Vec<_> = records.iter().map(|(key, hash, data)| (key.as_str(), *hash, data.as_slice())).collect();
            let opened = match records.is_empty() {
                true => Opened::Whole,
                false => Opened::Parts(records.iter().map(|(key, _, data)| part(key, data)).collect()),
            };
            prop_assert_eq!(open(&packed(&given), None), opened);
            prop_assert_eq!(open(&other, None), Opened::Whole);
            prop_assert_eq!(open(&[&MAGIC[..], &other].concat(), None), Opened::Whole);
        }
    }
}
