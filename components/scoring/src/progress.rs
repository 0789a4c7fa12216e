//! How far a file has been read: the item `FILE#<bucket>/<key>` / `progress`.
//!
//! When all rows are done, the campaigns of the file are reported ([`Ending`]): the fans of a campaign are counted by their
//! items, and a message asks for a report once the campaign's counts have reached that.

use crate::counts::Totals;
use crate::fans::Fans;
use crate::file::{File, Sequencer};
use crate::record::Verification;
use crate::report::{Expected, Message, Source};
use crate::rows::Position;
use crate::table::{Change, Key};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use std::ops::Bound;

/// The sort key of a file's progress.
pub const SORT_KEY: &str = "progress";

/// How far a file has been read.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The version of the file.
    pub etag: String,
    /// The event of that version.
    pub sequencer: Sequencer,
    /// The rows before this are done.
    pub position: Position,
    /// How far the report is, once all rows are done.
    #[serde(default)]
    pub ending: Option<Ending>,
    /// Whether the whole file is done, the report included.
    #[serde(default)]
    pub is_done: bool,
}

/// How far the report of a file is. Its campaigns are reported in their order.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ending {
    /// When the last row was done, milliseconds since 1970.
    pub since_ms: u64,
    /// The campaigns up to this one are reported.
    pub reported: Option<String>,
    /// The items of the next campaign up to this sort key are counted.
    pub after: Option<String>,
    /// The fans in those items. Nobody is counted as selected, because scores do not say it.
    pub counted: Totals,
}

impl Ending {
    /// The campaign to count next; `None` if all are reported.
    pub fn campaign<'a>(&self, campaigns: &'a BTreeSet<String>) -> Option<&'a str> {
        let behind = self.reported.clone().map_or(Bound::Unbounded, Bound::Excluded);
        campaigns.range((behind, Bound::Unbounded)).next().map(String::as_str)
    }

    /// Counts score items, which are followed by those behind the sort key `next`, each fan once. One that is neither
    /// verified nor rejected is not counted by `counts` either.
    pub fn count(&mut self, items: &[String], next: Option<String>, fans: &mut Fans) {
        for (verification, more) in items.iter().filter_map(|item| fans.count(item)) {
            match verification {
                Verification::Verified => self.counted.verified += more,
                Verification::Rejected => self.counted.rejected += more,
            }
        }
        self.after = next;
    }

    /// The message about a campaign whose items are counted; continues to the next one.
    pub fn report(&mut self, campaign_id: &str, file: &File) -> Message {
        let Totals { verified, rejected, .. } = std::mem::take(&mut self.counted);
        self.reported = Some(campaign_id.to_owned());
        self.after = None;
        let expected = Expected { verified: Some(verified), rejected: Some(rejected), selected: None };
        message(campaign_id, file, expected, self.since_ms)
    }
}

/// The message about a campaign of a file whose last row was done at a time (milliseconds since 1970).
pub fn message(campaign_id: &str, file: &File, expected: Expected, ended_ms: u64) -> Message {
    Message {
        campaign_id: campaign_id.to_owned(),
        market_id: None,
        source: Source::Scoring,
        file: Some(file.name()),
        expected,
        ended_ms: Some(ended_ms),
        since_ms: None,
        seen: None,
    }
}

/// Where reading begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Begin {
    /// From here.
    At(Box<Progress>),
    /// Nowhere: the event came again, and all is done.
    Done,
    /// Nowhere: the file was replaced since, and another event says so.
    Replaced,
}

/// The key of a file's progress.
pub fn key(file: &File) -> Key {
    Key { pk: format!("FILE#{}", file.name()), sk: SORT_KEY.to_owned() }
}

/// Reads the item.
///
/// # Errors
/// When the item is not what its key says.
pub fn read(item: Option<&str>) -> Result<Option<Progress>, String> {
    let read = |item| serde_json::from_str(item).map_err(|problem| format!("malformed: {SORT_KEY}: {problem}"));
    item.map(read).transpose()
}

/// Where to begin for an event, from the stored progress. A replaced file starts again.
pub fn begin(file: &File, stored: Option<&Progress>) -> Begin {
    match stored {
        Some(stored) if stored.sequencer > file.sequencer => Begin::Replaced,
        Some(stored) if stored.is_version(file) && stored.is_done => Begin::Done,
        Some(stored) if stored.is_version(file) => Begin::At(Box::new(stored.clone())),
        Some(_) | None => Begin::At(Box::new(Progress {
            etag: file.etag.clone(),
            sequencer: file.sequencer.clone(),
            position: Position::BEGINNING,
            ending: None,
            is_done: false,
        })),
    }
}

impl Progress {
    /// Whether it is of this version. The same bytes stored again are a later file.
    pub fn is_version(&self, file: &File) -> bool {
        (&self.etag, &self.sequencer) == (&file.etag, &file.sequencer)
    }

    /// The update that stores it, on condition that what is stored is as it was read or written last. If that fails, another
    /// call reads the file, or another version of it: this one stops.
    pub fn store(&self, file: &File, stored: Option<&Self>) -> Change {
        let change = Change::of(key(file))
            .set("etag", self.etag.as_str())
            .set("sequencer", self.sequencer.as_str())
            .set("position", json!(self.position))
            .set("ending", json!(self.ending))
            .set("isDone", self.is_done);
        let Some(stored) = stored else { return change.if_absent("pk") };
        let place = stored.position.place;
        change
            .if_equals("etag", stored.etag.as_str())
            .if_equals("sequencer", stored.sequencer.as_str())
            .if_equals("position.place", json!(place))
            .if_equals("isDone", stored.is_done)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::csv::Place;
    use crate::rows::Counts;
    use crate::testing::{Table, file};

    fn at(begin: Begin) -> Progress {
        let Begin::At(progress) = begin else { panic!("{begin:?}") };
        *progress
    }

    fn stored(table: &Table) -> Option<Progress> {
        read(table.get(&key(&file("1"))).as_deref()).unwrap()
    }

    fn advance(progress: &Progress, offset: u64) -> Progress {
        let place = Place { offset, line: 3, ..Place::BEGINNING };
        let position = Position { place, counts: Counts { rows: 2, invalid: 1 }, ..progress.position.clone() };
        Progress { position, ..progress.clone() }
    }

    #[test]
    fn a_file_is_read_on_where_it_stood() {
        let (mut table, file) = (Table::default(), file("1"));
        let begun = at(begin(&file, None));
        assert_eq!(begun.position, Position::BEGINNING);
        let further = advance(&begun, 50);
        table.apply(&further.store(&file, None)).unwrap();
        assert_eq!(at(begin(&file, stored(&table).as_ref())), further);
    }

    #[test]
    fn campaigns_are_counted_and_reported_one_after_the_other() {
        let campaigns = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        let item = |fan, word| json!({"sk": format!("SCORE#{fan}"), "memberId": fan, "verification": word}).to_string();
        let mut fans = Fans::default();
        let mut ending = Ending { since_ms: 5, ..Ending::default() };
        assert_eq!(ending.campaign(&campaigns), Some("a"));
        let page = [item("m1", "verified"), item("m2", "rejected"), "{}".to_owned()];
        ending.count(&page, Some("SCORE#m".to_owned()), &mut fans);
        let stored: Ending = serde_json::from_value(json!(ending)).unwrap();
        assert_eq!((stored.after.as_deref(), &stored), (Some("SCORE#m"), &ending));
        ending.count(&[item("m3", "verified")], None, &mut fans);
        let message = ending.report("a", &file("1"));
        let expected = Expected { verified: Some(2), rejected: Some(1), selected: None };
        assert_eq!((message.expected, message.file.as_deref()), (expected, Some("scoringBucket/scrubbed/1.csv")));
        assert_eq!(message.ended_ms, Some(5));
        assert_eq!(ending, Ending { since_ms: 5, reported: Some("a".to_owned()), ..Ending::default() });
        assert_eq!(ending.campaign(&campaigns), Some("b"));
        assert_eq!(ending.report("b", &file("1")).expected.verified, Some(0));
        assert_eq!(ending.campaign(&campaigns), None);
    }

    #[test]
    fn of_two_calls_that_read_a_file_one_goes_on() {
        let (mut table, file) = (Table::default(), file("1"));
        let begun = at(begin(&file, None));
        let (one, two) = (advance(&begun, 50), advance(&begun, 70));
        table.apply(&one.store(&file, None)).unwrap();
        table.apply(&two.store(&file, None)).unwrap_err();
        table.apply(&advance(&one, 90).store(&file, Some(&one))).unwrap();
        table.apply(&two.store(&file, Some(&one))).unwrap_err();
        assert_eq!(stored(&table).unwrap().position.place.offset, 90);
    }

    #[test]
    fn a_replaced_file_starts_again_and_its_older_event_is_left_out() {
        let old = file("1");
        let new = File { etag: "other".to_owned(), ..file("2") };
        let new = File { key: old.key.clone(), ..new };
        let mut table = Table::default();
        let half = advance(&at(begin(&old, None)), 50);
        table.apply(&half.store(&old, None)).unwrap();
        let begun = at(begin(&new, Some(&half)));
        assert_eq!((begun.position.clone(), begun.etag.as_str()), (Position::BEGINNING, "other"));
        table.apply(&begun.store(&new, Some(&half))).unwrap();
        // The call that still reads the old version stops, and its event leads nowhere.
        table.apply(&advance(&half, 70).store(&old, Some(&half))).unwrap_err();
        assert_eq!(begin(&old, stored(&table).as_ref()), Begin::Replaced);
    }

    #[test]
    fn the_same_event_again_does_nothing_and_the_same_bytes_again_are_a_later_file() {
        let done = Progress { is_done: true, ..at(begin(&file("1"), None)) };
        assert_eq!(begin(&file("1"), Some(&done)), Begin::Done);
        assert_eq!(at(begin(&file("2"), Some(&done))).position, Position::BEGINNING);
    }
}
