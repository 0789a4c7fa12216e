//! Who a record is about.
//!
//! A fan has up to three kinds of name: memberId, globalUserId and e-mail address. The score item has the first of them
//! that is known as its key. A record that has a fan's weaker name and a stronger one *links* the weaker to the stronger,
//! by an alias item of the campaign:
//!
//! | item | sk | attributes |
//! |---|---|---|
//! | score | `SCORE#<memberId, else globalUserId, else email:<address>>` | a [`ScoreRecord`] |
//! | alias | `ALIAS#user:<globalUserId>`, `ALIAS#email:<address>` | `memberId` or `globalUserId`: the stronger name |
//!
//! An alias is written once and never changes, and leads to a name of a stronger kind, so following them ends after two
//! steps. A memberId has no alias: two memberIds are two fans. Two globalUserIds are, too: one leads to a memberId only
//! if that member's item names it, and an item names the first one. An address that two fans share is the first one's.
//!
//! A memberId and a globalUserId of the same text share a key. If they are two fans', the item is the first one's, and the
//! rows of the other one are rejected by name ([`crate::save::next`]).
//!
//! An alias that was read as absent says nothing for long: who writes under a weaker name reads it again, in a read that
//! begins after the write ([`crate::save`]).

use crate::record::ScoreRecord;
use crate::table::{Change, Key};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The beginning of the sort keys of score items.
pub const SCORE: &str = "SCORE#";

/// A name of a fan. The stronger ones come first.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Name {
    /// A memberId.
    Member(String),
    /// A globalUserId.
    User(String),
    /// An e-mail address, normalised.
    Email(String),
}

/// An alias item.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alias {
    member_id: Option<String>,
    global_user_id: Option<String>,
}

impl Name {
    /// All names that a record has.
    pub fn all_of(record: &ScoreRecord) -> BTreeSet<Self> {
        let member = record.member_id.clone().map(Self::Member);
        let user = record.global_user_id.clone().map(Self::User);
        [member, user, record.email.clone().map(Self::Email)].into_iter().flatten().collect()
    }

    /// The key of the score item that has this name.
    pub fn score_key(&self, campaign_id: &str) -> Key {
        Key::of_campaign(campaign_id, self.score_sk())
    }

    /// The sort key of that item.
    pub(crate) fn score_sk(&self) -> String {
        match self {
            Self::Member(id) | Self::User(id) => format!("{SCORE}{id}"),
            Self::Email(address) => format!("{SCORE}email:{address}"),
        }
    }

    /// The key of the alias item of this name; a memberId has none.
    pub fn alias_key(&self, campaign_id: &str) -> Option<Key> {
        let sk = match self {
            Self::Member(_) => return None,
            Self::User(id) => format!("ALIAS#user:{id}"),
            Self::Email(address) => format!("ALIAS#email:{address}"),
        };
        Some(Key::of_campaign(campaign_id, sk))
    }

    /// Whether it is of a stronger kind.
    pub fn is_stronger_than(&self, other: &Self) -> bool {
        self.strength() < other.strength()
    }

    /// 0 for the strongest kind.
    pub(crate) fn strength(&self) -> u8 {
        match self {
            Self::Member(_) => 0,
            Self::User(_) => 1,
            Self::Email(_) => 2,
        }
    }

    /// The stronger name that an alias item leads to.
    ///
    /// # Errors
    /// When the item is not an alias of this name.
    pub fn read_alias(&self, item: &str) -> Result<Self, String> {
        let alias: Alias = serde_json::from_str(item).map_err(|problem| format!("malformed: the alias' {problem}"))?;
        let target = alias.member_id.map(Self::Member).or(alias.global_user_id.map(Self::User));
        let target = target.filter(|target| target.is_stronger_than(self));
        target.ok_or_else(|| format!("malformed: the alias of {self:?} leads to no stronger name"))
    }

    /// Links the name to a stronger one, unless it is linked already; `None` if the other one is not stronger.
    pub fn link(&self, to: &Self, campaign_id: &str) -> Option<Change> {
        let change = Change::of(self.alias_key(campaign_id)?).if_absent("pk");
        match to {
            Self::Member(id) => Some(change.set("memberId", id.as_str())),
            Self::User(id) if to.is_stronger_than(self) => Some(change.set("globalUserId", id.as_str())),
            Self::User(_) | Self::Email(_) => None,
        }
    }
}

/// Records of a batch that are about one fan, as far as they themselves tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The record to save: the one that the others do not replace.
    pub record: ScoreRecord,
    /// The names that any of them has.
    pub names: BTreeSet<Name>,
    /// Their indices in the batch.
    pub indices: Vec<usize>,
}

impl Job {
    /// The record with all names that the job has: those that the record itself lacks are taken from the others.
    pub fn named(&self) -> ScoreRecord {
        let mut record = self.record.clone();
        for name in &self.names {
            let (slot, text) = match name {
                Name::Member(id) => (&mut record.member_id, id),
                Name::User(id) => (&mut record.global_user_id, id),
                Name::Email(address) => (&mut record.email, address),
            };
            slot.get_or_insert_with(|| text.clone());
        }
        record
    }
}

/// Takes the highest score of each fan of a batch. Records are grouped by their strongest name; of equal ones the first is
/// taken, as it would be if they were written one after the other.
pub fn jobs(batch: impl IntoIterator<Item = (usize, ScoreRecord)>) -> Vec<Job> {
    let mut jobs: BTreeMap<(String, Option<Name>), Job> = BTreeMap::new();
    for (index, record) in batch {
        let names = Name::all_of(&record);
        match jobs.entry((record.campaign_id.clone(), names.first().cloned())) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(Job { record, names, indices: vec![index] });
            }
            std::collections::btree_map::Entry::Occupied(mut job) => {
                let job = job.get_mut();
                job.names.extend(names);
                job.indices.push(index);
                if record.replaces(&job.record) {
                    job.record = record;
                }
            }
        }
    }
    jobs.into_values().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::record;

    #[test]
    fn a_score_item_is_named_by_member_id_else_global_user_id_else_email() {
        for (names, expected) in [("m1 g1 e1", "SCORE#m1"), ("g1 e1", "SCORE#g1"), ("e1", "SCORE#email:e1@example.com")]
        {
            let names = Name::all_of(&record(names, "1", 1));
            assert_eq!(names.first().unwrap().score_key("c"), Key::of_campaign("c", expected));
        }
    }

    #[test]
    fn a_name_is_linked_once_and_to_stronger_ones_only() {
        let [member, user, email] = [Name::Member("m".into()), Name::User("g".into()), Name::Email("e@x.org".into())];
        let link = email.link(&user, "c").unwrap();
        assert_eq!(link.key, Key::of_campaign("c", "ALIAS#email:e@x.org"));
        assert_eq!(link, Change::of(link.key.clone()).set("globalUserId", "g").if_absent("pk"));
        assert_eq!(user.link(&member, "c").unwrap().set, [("memberId".to_owned(), "\"m\"".to_owned())]);
        assert_eq!(email.read_alias(r#"{"pk":"p","sk":"s","globalUserId":"g"}"#), Ok(user.clone()));
        for (name, to) in [(&member, &member), (&user, &user), (&user, &email), (&email, &email), (&member, &user)] {
            assert_eq!(name.link(to, "c"), None, "{name:?} {to:?}");
        }
        for item in ["{}", r#"{"globalUserId":"g"}"#, "[]"] {
            assert!(user.read_alias(item).unwrap_err().starts_with("malformed: the alias"), "{item}");
        }
    }

    #[test]
    fn req_005_within_a_batch_the_highest_score_is_taken_before_writing() {
        let batch = ["m1 e1", "m1", "m1 g1", "g2 e2", "g2", "e1", "m2 e1"].map(|names| names.to_owned());
        let scores = [5, 9, 9, 1, 2, 7, 3];
        let batch = batch.iter().zip(scores).map(|(names, score)| record(names, "1", score)).enumerate();
        let jobs = jobs(batch);
        let told: Vec<_> = jobs
            .iter()
            .map(|job| (job.names.len(), job.record.score.as_json().get(), job.indices.as_slice()))
            .collect();
        // Of the two nines the first one; the fan's other names are kept.
        assert_eq!(told, [(3, "9", [0, 1, 2].as_slice()), (2, "3", &[6]), (2, "2", &[3, 4]), (1, "7", &[5])]);
        assert_eq!((jobs[0].record.global_user_id.as_deref(), jobs[0].record.email.as_deref()), (None, None));
        assert_eq!(jobs[0].named(), ScoreRecord { score: jobs[0].record.score.clone(), ..record("m1 g1 e1", "1", 9) });
    }

    #[test]
    fn a_batch_keeps_campaigns_apart() {
        let other = ScoreRecord { campaign_id: "d".to_owned(), ..record("m1", "1", 2) };
        assert_eq!(jobs([(0, record("m1", "1", 1)), (1, other)]).len(), 2);
    }
}
