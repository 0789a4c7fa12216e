//! What is to be reported of a file when it ends: the item `FILE#<bucket>/<key>` / `progress:report`.
//!
//! It may be large, and seldom changes, so the progress, which is stored with each batch, does not contain it. It is stored
//! before the progress, if it has changed, and read after it. So it has at least the campaigns of the rows that the progress
//! counts as done, of a replaced version too, and after a crash it may have more: these are reported without need.
//!
//! Each update succeeds only while the item is as it was read or written last, by its `revision`. So of two calls that read
//! a file, or two versions of it, one stops, and none undoes what the other has noted.

use crate::file::File;
use crate::progress::{self, Progress};
use crate::record::ScoreRecord;
use crate::table::{Change, Key};
use crate::tail::Tail;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::rc::Rc;

/// The sort key of the item.
pub const SORT_KEY: &str = "progress:report";
/// Most campaigns of a file that are reported when it ends.
const MAX_CAMPAIGNS: usize = 1_000;
/// Most bytes of their ids. An item has 400 KB, names included ("Quotas in Amazon DynamoDB"); the tail, the key and the rest
/// need less than 65 KB.
const MAX_CAMPAIGN_BYTES: usize = 300_000;

/// The campaigns of the rows that are done: the first 1,000, and as many as an item holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Campaigns {
    /// Their ids.
    pub ids: BTreeSet<String>,
    /// Whether the file has campaigns that are left out of these.
    pub has_more: bool,
}

impl Campaigns {
    /// Notes the campaign of a row, if there is room for it. What others hold of the campaigns stays as it is.
    pub fn add(self: &mut Rc<Self>, campaign_id: &str) {
        if self.ids.contains(campaign_id) || self.has_more {
            return;
        }
        // DynamoDB counts a byte for each element of a list.
        let bytes: usize = self.ids.iter().map(String::as_str).chain([campaign_id]).map(|id| id.len() + 1).sum();
        let has_room = self.ids.len() < MAX_CAMPAIGNS && bytes <= MAX_CAMPAIGN_BYTES;
        let campaigns = Rc::make_mut(self);
        if has_room {
            campaigns.ids.insert(campaign_id.to_owned());
        } else {
            campaigns.has_more = true;
        }
    }

    /// The warning at the end of a file with campaigns that are left out.
    pub fn warning(&self, file: &File) -> Option<String> {
        let known = self.ids.len();
        self.has_more.then(|| format!("{}: only the first {known} campaigns are reported", file.name()))
    }
}

/// The item as it was read or stored last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Due {
    /// `None` if there is no item.
    revision: Option<u64>,
    campaigns: Rc<Campaigns>,
    tail: Tail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    revision: u64,
    #[serde(default)]
    campaigns: BTreeSet<String>,
    #[serde(default)]
    has_more_campaigns: bool,
    #[serde(default)]
    tail: Vec<ScoreRecord>,
}

/// The key of a file's item.
pub fn key(file: &File) -> Key {
    Key { sk: SORT_KEY.to_owned(), ..progress::key(file) }
}

/// Reads the item, and the tail in it.
///
/// # Errors
/// When the item is not what its key says.
pub fn read(item: Option<&str>) -> Result<(Due, Tail), String> {
    let Some(item) = item else { return Ok(Default::default()) };
    let item: Item = serde_json::from_str(item).map_err(|problem| format!("malformed: {SORT_KEY}: {problem}"))?;
    let campaigns = Campaigns { ids: item.campaigns, has_more: item.has_more_campaigns };
    let tail = Tail::new(item.tail);
    let due = Due { revision: Some(item.revision), campaigns: Rc::new(campaigns), tail: tail.clone() };
    Ok((due, tail))
}

impl Due {
    /// The campaigns with which a call begins, where the stored progress is this one: of a version that was replaced those
    /// that are not reported yet.
    pub fn campaigns(&self, file: &File, stored: Option<&Progress>) -> Rc<Campaigns> {
        match stored {
            Some(stored) if stored.is_done => Rc::default(),
            Some(stored) if !stored.is_version(file) => {
                let reported = stored.ending.as_ref().and_then(|ending| ending.reported.as_ref());
                let is_open = |id: &&String| reported.is_none_or(|reported| *id > reported);
                let ids = self.campaigns.ids.iter().filter(is_open).cloned().collect();
                Rc::new(Campaigns { ids, has_more: self.campaigns.has_more })
            }
            Some(_) | None => self.campaigns.clone(),
        }
    }

    /// The update that stores these campaigns, and a tail if there is one, with what the item is then; `None` if it is so
    /// already. The tail takes up to 60 KB, so a call stores it at its end: what stood there before is saved by the time
    /// that another call reads on after a crash.
    pub fn store(&self, file: &File, campaigns: &Rc<Campaigns>, tail: Option<&Tail>) -> Option<(Change, Self)> {
        let tail = tail.filter(|tail| **tail != self.tail);
        let has_new = *campaigns != self.campaigns;
        if tail.is_none() && !has_new {
            return None;
        }
        let revision = self.revision.unwrap_or_default() + 1;
        let mut change = Change::of(key(file)).set("revision", revision);
        if has_new {
            change = change.set("campaigns", json!(campaigns.ids)).set("hasMoreCampaigns", campaigns.has_more);
        }
        change.set.extend(tail.map(|tail| ("tail".to_owned(), tail.to_json())));
        let change = match self.revision {
            Some(revision) => change.if_equals("revision", revision),
            None => change.if_absent("pk"),
        };
        let tail = tail.unwrap_or(&self.tail).clone();
        Some((change, Self { revision: Some(revision), campaigns: campaigns.clone(), tail }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::progress::{Begin, Ending, begin};
    use crate::testing::{Table, file, record};

    fn campaigns<'a>(ids: impl IntoIterator<Item = &'a str>) -> Rc<Campaigns> {
        let mut campaigns = Rc::<Campaigns>::default();
        ids.into_iter().for_each(|id| campaigns.add(id));
        campaigns
    }

    fn stored(table: &Table) -> (Due, Tail) {
        read(table.get(&key(&file("1"))).as_deref()).unwrap()
    }

    fn tail() -> Tail {
        Tail::new(vec![record("m1", "1", 1), record("m2", "1", 2)])
    }

    #[test]
    fn only_what_has_changed_is_stored() {
        let (mut table, file) = (Table::default(), file("1"));
        let (due, none) = stored(&table);
        assert_eq!(due.store(&file, &campaigns([]), Some(&none)), None);
        let (change, due) = due.store(&file, &campaigns(["a"]), None).unwrap();
        table.apply(&change).unwrap();
        assert_eq!(stored(&table), (due.clone(), Tail::default()));
        assert_eq!(due.store(&file, &campaigns(["a"]), None), None);
        let (change, due) = due.store(&file, &campaigns(["a"]), Some(&tail())).unwrap();
        assert!(change.set.iter().all(|(path, _)| path != "campaigns"), "{change:?}");
        table.apply(&change).unwrap();
        assert_eq!(stored(&table), (due.clone(), tail()));
        assert_eq!(due.store(&file, &campaigns(["a"]), Some(&tail())), None);
        // The tail stays.
        let (change, due) = due.store(&file, &campaigns(["a", "b"]), None).unwrap();
        table.apply(&change).unwrap();
        assert_eq!(stored(&table), (due, tail()));
    }

    #[test]
    fn of_two_calls_none_undoes_what_the_other_has_noted() {
        let (mut table, file) = (Table::default(), file("1"));
        let (due, _) = stored(&table);
        let (one, stored_one) = due.store(&file, &campaigns(["a"]), None).unwrap();
        let (two, _) = due.store(&file, &campaigns(["b"]), None).unwrap();
        table.apply(&one).unwrap();
        table.apply(&two).unwrap_err();
        let (three, _) = stored_one.store(&file, &campaigns(["a", "c"]), None).unwrap();
        let (four, _) = stored_one.store(&file, &campaigns(["a"]), Some(&tail())).unwrap();
        table.apply(&three).unwrap();
        table.apply(&four).unwrap_err();
        assert_eq!(stored(&table).0.campaigns, campaigns(["a", "c"]));
    }

    #[test]
    fn what_one_holds_of_the_campaigns_stays_while_others_are_added() {
        let mut all = campaigns(["a"]);
        let held = all.clone();
        all.add("b");
        assert_eq!((held, all), (campaigns(["a"]), campaigns(["a", "b"])));
    }

    /// Ids have up to 128 characters, of up to 4 bytes each.
    #[test]
    fn campaigns_that_an_item_does_not_hold_are_left_out_with_a_warning() {
        let file = file("1");
        for (id, expected) in [("c", 1_000), ("\u{10348}", 598)] {
            let mut campaigns = Rc::<Campaigns>::default();
            let id = |index: usize| format!("{index:04}{}", id.repeat(124));
            (0..expected).for_each(|index| campaigns.add(&id(index)));
            campaigns.add(&id(0));
            assert_eq!((campaigns.ids.len(), campaigns.warning(&file)), (expected, None));
            campaigns.add(&id(expected));
            let warning = format!("scoringBucket/scrubbed/1.csv: only the first {expected} campaigns are reported");
            assert_eq!(campaigns.warning(&file).as_deref(), Some(warning.as_str()));
            // It is known still when the file is read on.
            let mut table = Table::default();
            let (change, due) = Due::default().store(&file, &campaigns, Some(&tail())).unwrap();
            table.apply(&change).unwrap();
            assert!(table.get(&key(&file)).unwrap().len() < 380_000);
            assert_eq!(stored(&table), (due, tail()));
        }
    }

    #[test]
    fn a_file_that_is_replaced_before_its_report_leaves_its_campaigns_to_the_next_version() {
        let (old, new) = (file("1"), File { key: file("1").key, ..file("2") });
        let Begin::At(before) = begin(&old, None) else { panic!() };
        let before = *before;
        let due = Due { campaigns: campaigns(["a", "b", "c"]), ..Due::default() };
        assert_eq!(due.campaigns(&new, None), due.campaigns, "the progress was never stored");
        assert_eq!(due.campaigns(&new, Some(&before)), due.campaigns);
        let ending = Some(Ending { reported: Some("a".to_owned()), ..Ending::default() });
        let before = Progress { ending, ..before };
        assert_eq!(due.campaigns(&new, Some(&before)), campaigns(["b", "c"]));
        assert_eq!(due.campaigns(&old, Some(&before)), due.campaigns);
        let done = Progress { is_done: true, ..before };
        assert_eq!(due.campaigns(&new, Some(&done)), campaigns([]));
    }
}
