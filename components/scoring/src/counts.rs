//! Verified, rejected and selected fans of a campaign, counted from the changes of items.
//!
//! | item | counts as |
//! |---|---|
//! | `SCORE#…` with `verification` | verified or rejected |
//! | `USER#…` with `verdict: true` | selected |
//!
//! Each change counts as the state in its new image, less the state in its old one. The sums of a batch are added to
//! `meta:counts` in one update, which also moves `position.<shard>` to the last record that is counted. A record at or
//! below that position counts nothing, so a batch that comes again, or a part of it, is not counted twice.
//!
//! For that the records of a shard must come one batch after the other, and none may be left out. The source of the worker
//! must be set so ([`REQUIRED_SETTINGS`], [`check_settings`]):
//!
//! - `parallelization_factor = 1`: above 1 the batches of a shard run side by side, and one of them moves the position past
//!   records of the others, which are then not counted, without a word.
//! - `maximum_retry_attempts = -1` and `maximum_record_age_secs = -1`: a record that cannot be counted holds up its shard.
//!   If it were given up, the position would pass it.
//!
//! A record may be given up all the same, by a permanent failure for one. When it is redriven, the position tells nothing
//! of it: what is below has been counted, or given up. Such a record is [`Outcome::Late`] and to be rejected, so that its
//! dead letter stays and somebody counts the campaign anew; see [`may_be_redriven`]. Within the first and the last record
//! of the latest update all are counted, so the position has both.
//!
//! Sequence numbers have more digits than a DynamoDB number (38), so positions are texts, with zeros before them.

use crate::fan;
use crate::table::{Change, Condition, Key};
use registration::entry;
use serde::{Deserialize, Serialize, Serializer, de};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The sort key of a campaign's counts.
pub const SORT_KEY: &str = "meta:counts";
/// The digits of a position: as many as DynamoDB Streams say a sequence number may have, and far more than they have.
const DIGITS: usize = 128;
/// Settings of the DynamoDB stream that feeds the worker, and the values without which counts are wrong.
pub const REQUIRED_SETTINGS: [(&str, i64); 3] =
    [("parallelization_factor", 1), ("maximum_retry_attempts", -1), ("maximum_record_age_secs", -1)];

/// Checks the settings of the source, by their names, with its defaults filled in.
///
/// # Errors
/// The settings that are wrong, with what they must be.
pub fn check_settings(value: impl Fn(&str) -> Option<i64>) -> Result<(), String> {
    let wrong = REQUIRED_SETTINGS.into_iter().filter(|(name, required)| value(name) != Some(*required));
    let wrong: Vec<_> = wrong.map(|(name, required)| format!("{name} = {required}")).collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("counts would be wrong without {}", wrong.join(", "))) }
}

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

    /// The text by which positions are ordered.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The records of a shard that the latest update counted. It is stored as the text `<last>/<first>`, which is less than the
/// text of a [`Position`] where `last` is, since all positions have the same length.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Counted {
    /// The last one: the position of the shard.
    pub last: Position,
    /// The first one.
    pub first: Position,
}

impl Counted {
    fn text(&self) -> String {
        format!("{}/{}", self.last.as_str(), self.first.as_str())
    }
}

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.text().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: de::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let read = || {
            let (last, first) = text.split_once('/')?;
            Some(Self { last: Position::new(last)?, first: Position::new(first)? })
        };
        read().ok_or_else(|| de::Error::custom(format!("`{text}` is not a position")))
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
    /// By shard the records that were counted last. An item of before the first ones has none.
    #[serde(rename = "position")]
    pub positions: Option<BTreeMap<String, Counted>>,
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

/// Whether the records of a call may be redriven ones. No event says so; but a redriven record is handed over alone, as a
/// first delivery (docs/delivery.md, 11.3), while a stream that repeats records after a crash hands over all of them. Where
/// it hands over a single one, and others of its shard were counted after it, the answer is wrong, and the record is rejected
/// although it may have been counted: better than one that is lost without a word. Over HTTP every delivery is the first.
pub fn may_be_redriven(records_of_call: usize, attempt: u32) -> bool {
    records_of_call == 1 && attempt == 1
}

/// What becomes of the records of one campaign and shard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// This update counts them. When its condition fails, another call has moved the position: read the item and ask again.
    Update(Change),
    /// All of them are counted already.
    Counted,
    /// It is not known whether they are counted. They are to be rejected, for this reason.
    Late(String),
}

/// What becomes of the records of one campaign and shard, which are `redriven` if they may be so ([`may_be_redriven`]).
///
/// `closed` are shards of which nothing comes any more: their positions are removed.
pub fn update(records: &[Record], counts: &Counts, closed: &BTreeSet<String>, redriven: bool) -> Outcome {
    let Some(Record { campaign_id, shard, .. }) = records.first() else { return Outcome::Counted };
    let positions = counts.positions.as_ref();
    let counted = positions.and_then(|positions| positions.get(shard));
    let is_late = |counted: &Counted| records.iter().any(|record| record.position < counted.first);
    if redriven && counted.is_some_and(is_late) {
        return Outcome::Late(format!(
            "late: records of its shard were counted after it, so it may be counted or not; count campaign {campaign_id} anew"
        ));
    }
    let is_new = |record: &&Record| counted.is_none_or(|counted| record.position > counted.last);
    let new: Vec<_> = records.iter().filter(is_new).collect();
    let places = || new.iter().map(|record| &record.position);
    let (Some(first), Some(last)) = (places().min(), places().max()) else { return Outcome::Counted };
    let sum = new.iter().fold(Totals::default(), |sum, record| sum.plus(record.change, 1));
    let mut change = Change::of(Counts::key(campaign_id));
    change.increment = sum.named().into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    change.increment.retain(|(_, count)| *count != 0);
    let counted = Counted { last: last.clone(), first: first.clone() }.text();
    let Some(positions) = positions else {
        let change = change.set("position", serde_json::json!({ shard.as_str(): counted }));
        return Outcome::Update(change.if_absent_or("position", Value::Null));
    };
    let path = |shard: &str| format!("position.{shard}");
    change.remove = positions.keys().filter(|it| closed.contains(*it) && *it != shard).map(|it| path(it)).collect();
    let first = Value::from(first.as_str()).to_string();
    change.condition.push(Condition::AbsentOrLessThan(path(shard), first));
    Outcome::Update(change.set(&path(shard), counted))
}

#[cfg(test)]
mod tests;
