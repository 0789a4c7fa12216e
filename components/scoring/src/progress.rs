//! How far a file has been read: the item `FILE#<bucket>/<key>` / `progress`.

use crate::file::{File, Sequencer};
use crate::rows::Position;
use crate::table::{Change, Key};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;

/// The sort key of a file's progress.
pub const SORT_KEY: &str = "progress";
/// Most campaigns of a file that are reported when it ends.
const MAX_CAMPAIGNS: usize = 1_000;
/// Most bytes of their ids. An item has 400 KB, names included ("Quotas in Amazon DynamoDB"); the header of a file, the key
/// and the rest need less than 20 KB.
const MAX_CAMPAIGN_BYTES: usize = 300_000;

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
    /// The campaigns of the rows that are done, to be reported at the end: the first 1,000, and as many as an item holds.
    #[serde(default)]
    pub campaigns: BTreeSet<String>,
    /// Whether the file has campaigns that are left out of these.
    #[serde(default)]
    pub has_more_campaigns: bool,
    /// Whether the whole file is done, the report included.
    #[serde(default)]
    pub is_done: bool,
}

/// Where reading begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Begin {
    /// From here.
    At(Progress),
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

/// Where to begin for an event, by the progress that is stored. A file that was replaced starts anew.
pub fn begin(file: &File, stored: Option<&Progress>) -> Begin {
    match stored {
        Some(stored) if stored.sequencer > file.sequencer => Begin::Replaced,
        Some(stored) if stored.is_version(file) && stored.is_done => Begin::Done,
        Some(stored) if stored.is_version(file) => Begin::At(stored.clone()),
        Some(_) | None => Begin::At(Progress {
            etag: file.etag.clone(),
            sequencer: file.sequencer.clone(),
            position: Position::BEGINNING,
            campaigns: BTreeSet::new(),
            has_more_campaigns: false,
            is_done: false,
        }),
    }
}

impl Progress {
    /// Whether it is of this version. The same bytes stored again are a later file.
    fn is_version(&self, file: &File) -> bool {
        (&self.etag, &self.sequencer) == (&file.etag, &file.sequencer)
    }

    /// Notes the campaign of a row that is done, if there is room for it.
    pub fn add_campaign(&mut self, campaign_id: &str) {
        if self.campaigns.contains(campaign_id) || self.has_more_campaigns {
            return;
        }
        // DynamoDB counts a byte for each element of a list.
        let bytes: usize = self.campaigns.iter().map(String::as_str).chain([campaign_id]).map(|id| id.len() + 1).sum();
        if self.campaigns.len() < MAX_CAMPAIGNS && bytes <= MAX_CAMPAIGN_BYTES {
            self.campaigns.insert(campaign_id.to_owned());
        } else {
            self.has_more_campaigns = true;
        }
    }

    /// What is to be said, at the end, of a file with campaigns that are left out.
    pub fn warning(&self, file: &File) -> Option<String> {
        let known = self.campaigns.len();
        self.has_more_campaigns.then(|| format!("{}: only the first {known} campaigns are reported", file.name()))
    }

    /// The update that stores it, on condition that what is stored is as it was read or written last. If that fails, another
    /// call reads the file, or another version of it: this one stops.
    pub fn store(&self, file: &File, stored: Option<&Self>) -> Change {
        let change = Change::of(key(file))
            .set("etag", self.etag.as_str())
            .set("sequencer", self.sequencer.as_str())
            .set("position", json!(self.position))
            .set("campaigns", json!(self.campaigns))
            .set("hasMoreCampaigns", self.has_more_campaigns)
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
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::csv::Place;
    use crate::rows::Counts;
    use crate::testing::{Table, file};

    fn at(begin: Begin) -> Progress {
        let Begin::At(progress) = begin else { panic!("{begin:?}") };
        progress
    }

    fn stored(table: &Table) -> Option<Progress> {
        read(table.get(&key(&file("1"))).as_deref()).unwrap()
    }

    fn advance(progress: &Progress, offset: u64) -> Progress {
        let place = Place { offset, line: 3, ..Place::BEGINNING };
        let position = Position { place, counts: Counts { rows: 2, invalid: 1 }, ..progress.position.clone() };
        let mut progress = Progress { position, ..progress.clone() };
        progress.add_campaign("c");
        progress
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

    /// Ids have up to 128 characters, of up to 4 bytes each.
    #[test]
    fn campaigns_that_an_item_does_not_hold_are_left_out_with_a_warning() {
        let (mut table, file) = (Table::default(), file("1"));
        for (id, expected) in [("c", 1_000), ("\u{10348}", 598)] {
            let mut progress = at(begin(&file, None));
            let id = |index: usize| format!("{index:04}{}", id.repeat(124));
            (0..expected).for_each(|index| progress.add_campaign(&id(index)));
            progress.add_campaign(&id(0));
            assert_eq!((progress.campaigns.len(), progress.warning(&file)), (expected, None));
            assert!(json!(progress).to_string().len() < 380_000);
            progress.add_campaign(&id(expected));
            let warning = format!("scoringBucket/scrubbed/1.csv: only the first {expected} campaigns are reported");
            assert_eq!(progress.warning(&file).as_deref(), Some(warning.as_str()));
            // It is known still when the file is read on.
            table.items.clear();
            table.apply(&progress.store(&file, None)).unwrap();
            assert_eq!(stored(&table).unwrap(), progress);
        }
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
    fn a_replaced_file_starts_anew_and_its_older_event_is_left_out() {
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
