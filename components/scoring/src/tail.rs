//! The last records of a file in each part of a stream: when they are saved, all are, or are being saved.
//!
//! A worker takes the records of a key slice of a shard in order. Kinesis puts a record into a shard by the MD5 of its
//! partition key, of which each shard has a range; so the last records of each of 32 equal ranges are kept, which are in up
//! to 32 equal shards. The worker's host decides into which key slice of its shard a record goes. So several keys of a
//! range are kept: those of a shard are spread over its slices.
//!
//! A hash of each row would cost more than its JSON. So the last rows of a batch are held back, whatever their ranges
//! ([`HeldBack`]). When the batch ends, these are hashed, from the last one on, until each range has its keys.

use crate::record::ScoreRecord;
use crate::rows::ValidRow;
use md5::{Digest, Md5};
use std::collections::VecDeque;

/// Equal ranges of the hash.
const RANGES: usize = 32;
/// Keys of a range.
pub const KEYS: usize = 6;
/// Rows that are held back: 32 for each range. Of so many keys some range has fewer than 6 in one batch of 10 million.
const ROWS: usize = 1_024;
/// The most bytes of a [`Tail`] as JSON: about 200 records.
const MAX_BYTES: usize = 60_000;

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

/// Whether a range has room for a record of a key that is before these.
fn has_room<'r>(mut later: impl ExactSizeIterator<Item = &'r ScoreRecord>, key: &str) -> bool {
    later.len() < KEYS && later.all(|record| partition_key(record) != key)
}

/// The last rows of a batch. Rows of one key that follow each other count as one: the last one is held.
#[derive(Debug, Default)]
pub struct HeldBack(VecDeque<ValidRow>);

impl HeldBack {
    /// Holds a row back. Returns the one in whose place it is, if any: that is to be put.
    pub fn push(&mut self, row: ValidRow) -> Option<ValidRow> {
        if let Some(last) = self.0.back_mut()
            && partition_key(&last.record) == partition_key(&row.record)
        {
            return Some(std::mem::replace(last, row));
        }
        self.0.push_back(row);
        if self.0.len() > ROWS { self.0.pop_front() } else { None }
    }

    /// Ends the batch. Returns the rows that are to be put now, in order, and those to be put when all others are.
    pub fn end(self) -> (Vec<ValidRow>, LastRows) {
        let (mut others, mut last) = (vec![], LastRows::default());
        let mut open = RANGES * KEYS;
        for row in self.0.into_iter().rev() {
            let range = if open > 0 { last.room(&row.record) } else { None };
            match range {
                Some(range) => {
                    range.push(row);
                    open -= 1;
                }
                None => others.push(row),
            }
        }
        others.reverse();
        (others, last)
    }
}

/// The last rows of a batch in each range, from the last one to the first: of the last keys the last row each.
#[derive(Debug, Default)]
pub struct LastRows([Vec<ValidRow>; RANGES]);

impl LastRows {
    /// The range of a record that is before all of them, if there is room.
    fn room(&mut self, record: &ScoreRecord) -> Option<&mut Vec<ValidRow>> {
        let key = partition_key(record);
        let range = self.0.get_mut(range(key))?;
        has_room(range.iter().map(|row| &row.record), key).then_some(range)
    }

    /// All of them. Those of a range are in order.
    pub fn rows(&self) -> Vec<&ValidRow> {
        self.0.iter().flat_map(|range| range.iter().rev()).collect()
    }
}

/// The last records of a file in each range, from the last one to the first: of the last keys the last record each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tail([Vec<ScoreRecord>; RANGES]);

impl Tail {
    /// What was stored ([`Self::to_json`]).
    pub fn new(records: Vec<ScoreRecord>) -> Self {
        let mut tail = Self::default();
        for record in records {
            if let Some(range) = tail.0.get_mut(range(partition_key(&record))) {
                add(range, record);
            }
        }
        tail
    }

    /// Notes the last rows of the next batch, without those of the lost lines.
    pub fn add(&mut self, last: LastRows, lost: &[u64]) {
        for (range, rows) in self.0.iter_mut().zip(last.0) {
            let before = std::mem::take(range);
            let records = rows.into_iter().filter(|row| !lost.contains(&row.line)).map(|row| row.record);
            records.chain(before).for_each(|record| add(range, record));
        }
    }

    /// All of them: first the last ones of all ranges, then those before them.
    pub fn records(&self) -> impl Iterator<Item = &ScoreRecord> {
        (0..KEYS).flat_map(move |index| self.0.iter().filter_map(move |range| range.get(index)))
    }

    /// The first ones of [`Self::records`] as JSON: as many as an item has room for. As text, because a `Value` rounds
    /// scores.
    pub fn to_json(&self) -> String {
        let mut text = "[".to_owned();
        // Records can always be serialised.
        for record in self.records().filter_map(|record| serde_json::to_string(record).ok()) {
            if text.len() + record.len() + 1 > MAX_BYTES {
                break;
            }
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&record);
        }
        text.push(']');
        text
    }
}

/// Adds a record that is before all of a range, if there is room.
fn add(range: &mut Vec<ScoreRecord>, record: ScoreRecord) {
    if has_room(range.iter(), partition_key(&record)) {
        range.push(record);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::score::Score;
    use crate::testing::record;
    use std::collections::{BTreeMap, BTreeSet};

    fn row(line: u64, member: u64) -> ValidRow {
        ValidRow { line, record: record(&format!("m{member}"), "1", 1) }
    }

    fn last(rows: impl IntoIterator<Item = ValidRow>) -> LastRows {
        let mut held = HeldBack::default();
        rows.into_iter().for_each(|row| drop(held.push(row)));
        held.end().1
    }

    #[test]
    fn a_range_is_the_first_bits_of_the_md5() {
        // The digests of RFC 1321: 90…, d4….
        assert_eq!((range("abc"), range("")), (0x90 >> 3, 0xd4 >> 3));
    }

    #[test]
    fn the_last_keys_of_each_range_are_put_last_and_all_others_in_order() {
        let mut held = HeldBack::default();
        let mut put: Vec<_> = (0..5_000).filter_map(|line| held.push(row(line, line % 4_000))).collect();
        assert_eq!(put.len(), 5_000 - ROWS, "no more rows than these are in memory");
        let (others, last) = held.end();
        put.extend(others);
        assert!(put.is_sorted_by_key(|row| row.line));
        let last = last.rows();
        assert_eq!(last.len(), RANGES * KEYS);
        let first_line = last.iter().map(|row| row.line).min().unwrap();
        assert!(first_line > 4_500, "{first_line}");
        let keys: BTreeSet<_> = last.iter().map(|row| partition_key(&row.record)).collect();
        assert_eq!(keys.len(), last.len());
        let mut ranges = BTreeMap::<usize, Vec<u64>>::new();
        for row in &last {
            ranges.entry(range(partition_key(&row.record))).or_default().push(row.line);
        }
        assert!(ranges.values().all(|lines| lines.is_sorted()));
        for row in &put {
            let held = &ranges[&range(partition_key(&row.record))];
            assert!(held.iter().all(|line| *line > row.line), "the last ones of a range");
        }
        assert_eq!(put.len() + last.len(), 5_000);
    }

    /// As in a file that is sorted by fan, or that names few.
    #[test]
    fn of_a_fan_with_many_rows_the_last_one_is_put_last() {
        let mut held = HeldBack::default();
        let put: Vec<_> =
            (0..6_000).filter_map(|line| held.push(row(line, line / 2_000))).map(|row| row.line).collect();
        let (others, last) = held.end();
        assert_eq!((put.len(), others), (5_997, vec![]));
        let lines: BTreeSet<_> = last.rows().into_iter().map(|row| row.line).collect();
        assert_eq!(lines, BTreeSet::from([1_999, 3_999, 5_999]));

        let mut held = HeldBack::default();
        let put = (0..20).filter_map(|line| held.push(row(line, line % 2))).count();
        let (others, last) = held.end();
        let lines: BTreeSet<_> = last.rows().into_iter().map(|row| row.line).collect();
        assert_eq!((put, others.len(), lines), (0, 18, BTreeSet::from([18, 19])));
    }

    #[test]
    fn the_last_record_of_each_range_comes_before_all_others() {
        let mut tail = Tail::default();
        tail.add(last((0..5_000).map(|member| row(member, member))), &[]);
        let records: Vec<_> = tail.records().collect();
        assert_eq!(records.len(), RANGES * KEYS);
        let ranges: BTreeSet<_> = records[..RANGES].iter().map(|record| range(partition_key(record))).collect();
        assert_eq!(ranges.len(), RANGES);
        let very_last = row(0, 4_999).record;
        assert_eq!(records[..RANGES].iter().filter(|record| ***record == very_last).count(), 1);
    }

    #[test]
    fn the_last_records_are_kept_across_batches_without_those_that_are_lost() {
        let mut tail = Tail::default();
        tail.add(last((0..1_000).map(|member| row(member, member))), &[]);
        let before = tail.clone();
        assert_eq!(before.records().count(), RANGES * KEYS);
        tail.add(last([row(1_000, 2_000), row(1_001, 3_000)]), &[1_001]);
        let new = row(0, 2_000).record;
        assert!(tail.records().take(RANGES).any(|record| *record == new));
        let kept = tail.records().filter(|record| before.records().any(|it| it == *record)).count();
        assert_eq!(kept, RANGES * KEYS - 1);
        assert!(tail.records().all(|record| *record != row(0, 3_000).record), "it is in no stream");
        let mut again = tail.clone();
        again.add(last([row(1_002, 2_000)]), &[]);
        assert_eq!(again, tail, "a key counts once");
    }

    #[test]
    fn as_many_records_are_stored_as_an_item_has_room_for() {
        let mut tail = Tail::default();
        assert_eq!(tail.to_json(), "[]");
        let digits = "12345678901234567890.123456789012345678";
        let score = Score::parse(digits).unwrap();
        let exact = ValidRow { line: 1, record: ScoreRecord { score, ..record("m1", "1", 1) } };
        tail.add(last([row(0, 0), exact]), &[]);
        let text = tail.to_json();
        assert!(text.contains(digits), "no digit is lost: {text}");
        assert_eq!(Tail::new(serde_json::from_str(&text).unwrap()), tail);
        let long = |line| {
            let ValidRow { line, record } = row(line, line);
            ValidRow { line, record: ScoreRecord { event_id: Some("x".repeat(1_000)), ..record } }
        };
        tail.add(last((0..1_000).map(long)), &[]);
        let text = tail.to_json();
        assert!((58_000..60_100).contains(&text.len()), "{}", text.len());
        let stored: Vec<ScoreRecord> = serde_json::from_str(&text).unwrap();
        assert!(stored.len() > RANGES && stored.iter().eq(tail.records().take(stored.len())));
    }
}
