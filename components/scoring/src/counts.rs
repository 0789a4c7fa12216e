//! Verified, rejected and selected fans of a campaign, counted from the changes of items.
//!
//! | item | counts as |
//! |---|---|
//! | `SCORE#…` with `verification` | verified or rejected |
//! | `USER#…` with `verdict: true` | selected |
//!
//! Each change counts as the state in its new image, less the state in its old one. The sums of a batch are added to
//! `meta:counts` in one update, which also moves `position.<shard>` to the last record that is counted. A record at or
//! below that position has been counted, so a batch that comes again, or a part of it, counts nothing twice. For that the
//! batches of a shard must come one after the other.
//!
//! Sequence numbers have more digits than a DynamoDB number (38), so positions are texts, with zeros before them.

use crate::fan;
use crate::table::{Change, Condition, Key};
use registration::entry;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The sort key of a campaign's counts.
pub const SORT_KEY: &str = "meta:counts";
/// The digits of a position: as many as DynamoDB Streams say a sequence number may have, and far more than they have.
const DIGITS: usize = 128;

/// How many fans are in each state, or by how many that changes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Totals {
    /// Fans that scoring found eligible.
    pub verified: i64,
    /// Fans that it did not.
    pub rejected: i64,
    /// Fans that a selection chose.
    pub selected: i64,
}

impl Totals {
    /// The counts by their names.
    pub fn named(self) -> [(&'static str, i64); 3] {
        [("verified", self.verified), ("rejected", self.rejected), ("selected", self.selected)]
    }

    fn plus(self, other: Self, sign: i64) -> Self {
        Self {
            verified: self.verified + sign * other.verified,
            rejected: self.rejected + sign * other.rejected,
            selected: self.selected + sign * other.selected,
        }
    }
}

/// A place in a shard. The order is that of the numbers.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Position(String);

impl Position {
    /// The position of a sequence number; `None` if it is not a number of at most 128 digits.
    pub fn new(sequence_number: &str) -> Option<Self> {
        let digits = sequence_number.trim_start_matches('0');
        let is_number = !sequence_number.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && digits.len() <= DIGITS).then(|| Self(format!("{digits:0>DIGITS$}")))
    }

    /// The text that is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A change of an item that may count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// The campaign.
    pub campaign_id: String,
    /// The shard from which it comes.
    pub shard: String,
    /// Its place in the shard.
    pub position: Position,
    /// By how much the counts change.
    pub change: Totals,
}

/// The payload of a change (`wit/events.wit`), as far as it counts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    keys: Keys,
    old_image: Option<Image>,
    new_image: Option<Image>,
}

#[derive(Deserialize)]
struct Keys {
    pk: String,
    sk: String,
}

#[derive(Deserialize)]
struct Image {
    verification: Option<Value>,
    verdict: Option<Value>,
}

impl Image {
    fn state(&self, sk: &str) -> Totals {
        let counts = |is: bool| i64::from(is);
        let mut state = Totals::default();
        if sk.starts_with(fan::SCORE) {
            let is = |word: &str| self.verification.as_ref().is_some_and(|it| it == word);
            state.verified = counts(is("verified"));
            state.rejected = counts(is("rejected"));
        }
        if sk.starts_with(entry::SORT_KEY_PREFIX) {
            // Other systems write the word.
            state.selected = counts(self.verdict.as_ref().is_some_and(|it| *it == true || *it == "WINNER"));
        }
        state
    }
}

impl Record {
    /// Reads a change; `None` for one that counts nothing.
    ///
    /// # Errors
    /// When the payload is not a change, or the sequence number is not one.
    pub fn read(payload: &str, shard: &str, sequence_number: &str) -> Result<Option<Self>, String> {
        let payload: Payload = serde_json::from_str(payload).map_err(|problem| format!("malformed: {problem}"))?;
        let Keys { pk, sk } = payload.keys;
        let key = Key { pk, sk };
        let state = |image: Option<Image>| image.map_or_else(Totals::default, |image| image.state(&key.sk));
        let change = state(payload.new_image).plus(state(payload.old_image), -1);
        let Some(campaign_id) = key.campaign_id().filter(|_| change != Totals::default()) else { return Ok(None) };
        let position = Position::new(sequence_number);
        let position = position.ok_or_else(|| format!("malformed: `{sequence_number}` is not a sequence number"))?;
        Ok(Some(Self { campaign_id: campaign_id.to_owned(), shard: shard.to_owned(), position, change }))
    }
}

/// The counts of a campaign, as its item holds them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct Counts {
    /// The counts.
    #[serde(flatten)]
    pub totals: Totals,
    /// By shard the last record that is counted. An item of before the first one has none.
    #[serde(rename = "position")]
    pub positions: Option<BTreeMap<String, Position>>,
}

impl Counts {
    /// The key of a campaign's counts.
    pub fn key(campaign_id: &str) -> Key {
        Key::of_campaign(campaign_id, SORT_KEY)
    }

    /// Reads the item; an absent one counts nothing.
    ///
    /// # Errors
    /// When the item is not what its key says.
    pub fn read(item: Option<&str>) -> Result<Self, String> {
        let read = |item| serde_json::from_str(item).map_err(|problem| format!("malformed: {SORT_KEY}: {problem}"));
        item.map_or_else(|| Ok(Self::default()), read)
    }
}

/// The records of a batch, each list with the campaign and the shard that its update is for.
pub fn by_update(records: impl IntoIterator<Item = Record>) -> BTreeMap<(String, String), Vec<Record>> {
    let mut updates: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in records {
        updates.entry((record.campaign_id.clone(), record.shard.clone())).or_default().push(record);
    }
    updates
}

/// The update that counts the records of one campaign and shard; `None` if all of them are counted already. When its
/// condition fails, another call has moved the position: read the item and ask again.
///
/// `closed` are shards of which nothing comes any more: their positions are removed.
pub fn update(records: &[Record], counts: &Counts, closed: &BTreeSet<String>) -> Option<Change> {
    let Record { campaign_id, shard, .. } = records.first()?;
    let positions = counts.positions.as_ref();
    let position = positions.and_then(|positions| positions.get(shard));
    let is_new = |record: &&Record| position.is_none_or(|position| record.position > *position);
    let new: Vec<_> = records.iter().filter(is_new).collect();
    let first = new.iter().map(|record| &record.position).min()?;
    let last = new.iter().map(|record| &record.position).max()?;
    let sum = new.iter().fold(Totals::default(), |sum, record| sum.plus(record.change, 1));
    let mut change = Change::of(Counts::key(campaign_id));
    change.increment = sum.named().into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    change.increment.retain(|(_, count)| *count != 0);
    let Some(positions) = positions else {
        let position = serde_json::json!({ shard.as_str(): last });
        return Some(change.set("position", position).if_absent("position"));
    };
    let path = |shard: &str| format!("position.{shard}");
    change.remove = positions.keys().filter(|it| closed.contains(*it) && *it != shard).map(|it| path(it)).collect();
    let first = Value::from(first.as_str()).to_string();
    change.condition.push(Condition::AbsentOrLessThan(path(shard), first));
    Some(change.set(&path(shard), last.as_str()))
}

#[cfg(test)]
mod tests;
