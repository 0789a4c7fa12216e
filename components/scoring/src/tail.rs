//! The last records of a file in each part of a stream: when they are saved, all are, or are being saved.
//!
//! A worker takes the records of a key slice of a shard in order. Kinesis puts a record into a shard by the MD5 of its
//! partition key, of which each shard has a range; so the last records of each of 32 equal ranges are kept, which are in up
//! to 32 equal shards. The worker's host decides into which key slice of its shard a record goes. So several keys of a
//! range are kept: those of a shard are spread over its slices.

use crate::record::ScoreRecord;
use crate::rows::ValidRow;
use md5::{Digest, Md5};
use std::collections::VecDeque;

/// Equal ranges of the hash.
const RANGES: usize = 32;
/// Keys of a range.
pub const KEYS: usize = 6;

/// The partition key of a record: its fan's strongest name. Records of one fan, as far as they themselves tell, have one
/// key.
pub fn partition_key(record: &ScoreRecord) -> &str {
    let names = [&record.member_id, &record.global_user_id, &record.email];
    names.into_iter().find_map(Option::as_deref).unwrap_or_default()
}

/// The range that a key is in.
fn range(partition_key: &str) -> usize {
    let [first, ..]: [u8; 16] = Md5::digest(partition_key).into();
    usize::from(first) * RANGES / 256
}

/// Rows that are held back, to be put when all others are. Of a key the last one is held, of a range the last keys.
#[derive(Debug)]
pub struct HeldBack(Vec<VecDeque<ValidRow>>);

impl Default for HeldBack {
    fn default() -> Self {
        Self(vec![VecDeque::new(); RANGES])
    }
}

impl HeldBack {
    /// Holds a row back. Returns the one in whose place it is, if any: that is to be put.
    pub fn push(&mut self, row: ValidRow) -> Option<ValidRow> {
        let key = partition_key(&row.record);
        let Some(range) = self.0.get_mut(range(key)) else { return Some(row) };
        let same = range.iter().position(|held| partition_key(&held.record) == key);
        let replaced = match same {
            Some(index) => range.remove(index),
            None if range.len() == KEYS => range.pop_front(),
            None => None,
        };
        range.push_back(row);
        replaced
    }

    /// Takes all of them. Those of a range are in order.
    pub fn take(&mut self) -> Vec<ValidRow> {
        self.0.iter_mut().flat_map(std::mem::take).collect()
    }
}

/// The last records of each range, of records from the last one to the first: first the last ones of all ranges, then
/// those before them.
pub fn last(records: impl IntoIterator<Item = ScoreRecord>) -> impl Iterator<Item = ScoreRecord> {
    let mut ranges = vec![VecDeque::new(); RANGES];
    for record in records {
        let key = partition_key(&record);
        let Some(range) = ranges.get_mut(range(key)) else { continue };
        if range.len() < KEYS && range.iter().all(|later| partition_key(later) != key) {
            range.push_back(record);
        }
    }
    (0..KEYS).flat_map(move |_| ranges.iter_mut().filter_map(VecDeque::pop_front).collect::<Vec<_>>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::record;
    use std::collections::{BTreeMap, BTreeSet};

    fn row(line: u64, member: u64) -> ValidRow {
        ValidRow { line, record: record(&format!("m{member}"), "1", 1) }
    }

    #[test]
    fn a_range_is_the_first_bits_of_the_md5() {
        // The digests of RFC 1321: 90…, d4….
        assert_eq!((range("abc"), range("")), (0x90 >> 3, 0xd4 >> 3));
    }

    #[test]
    fn the_last_keys_of_each_range_are_held_back_and_all_others_are_returned_in_order() {
        let mut held = HeldBack::default();
        let put: Vec<_> = (0..5_000).filter_map(|line| held.push(row(line, line % 4_000))).collect();
        let last = held.take();
        assert_eq!(last.len(), RANGES * KEYS);
        let first_line = last.iter().map(|row| row.line).min().unwrap();
        assert!(first_line > 4_500, "{first_line}");
        let keys: BTreeSet<_> = last.iter().map(|row| partition_key(&row.record)).collect();
        assert_eq!(keys.len(), last.len());
        let mut lines = BTreeMap::<String, Vec<u64>>::new();
        for row in put.into_iter().chain(last) {
            lines.entry(row.record.member_id.unwrap()).or_default().push(row.line);
        }
        assert_eq!(lines.values().map(Vec::len).sum::<usize>(), 5_000);
        assert!(lines.values().all(|lines| lines.is_sorted()));
        assert_eq!(held.take(), []);
    }

    #[test]
    fn of_a_fan_with_many_rows_the_last_one_is_held_back() {
        let mut held = HeldBack::default();
        let put: Vec<_> = (0..20).filter_map(|line| held.push(row(line, 1))).map(|row| row.line).collect();
        assert_eq!((put, held.take()), ((0..19).collect(), vec![row(19, 1)]));
    }

    #[test]
    fn the_last_record_of_each_range_comes_before_all_others() {
        let records: Vec<_> = (0..5_000).map(|member| row(0, member).record).collect();
        let last: Vec<_> = last(records.iter().rev().cloned()).collect();
        assert_eq!(last.len(), RANGES * KEYS);
        let ranges: BTreeSet<_> = last[..RANGES].iter().map(|record| range(partition_key(record))).collect();
        assert_eq!(ranges.len(), RANGES);
        assert_eq!(last[..RANGES].iter().filter(|record| **record == records[4_999]).count(), 1);
    }
}
