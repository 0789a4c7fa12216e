//! Verified, rejected and selected fans of a campaign, counted from the changes of items.
//!
//! | item | counts as |
//! |---|---|
//! | `SCORE#…` with `verification` | verified or rejected |
//! | `USER#…` with `verdict: true` | selected |
//!
//! Each change counts as the state in its new image minus the state in its old one. The sums of a batch are added to
//! `meta:counts` in one update, which also moves `position.<shard>` to the last record that is counted. A record at or
//! below that position counts nothing, so a batch that is delivered again, whole or in part, is not counted twice.
//!
//! Therefore the records of a shard must come one batch after the other, and none may be left out: the source of the
//! worker has `strict_order = true` in spin.toml, which requires settings such that
//!
//! - no batches of a shard run in parallel: one of them would move the position past records of the others, which would
//!   then silently not be counted;
//! - a record that cannot be counted blocks its shard: if it were given up, the position would pass it.
//!
//! A record that cannot be read is still given up. When it is redriven, the position does not show whether it was
//! counted, because records below the position were counted or given up. Such a record is [`Outcome::Late`] and must be
//! rejected, so that its dead letter stays and an operator recounts the campaign. Between the first and the last record
//! of the latest update all are counted, so the position has both.
//!
//! The position of a shard that is settled to its end is replaced by a mark that it is closed, so that a host that was
//! suspended with records of it does not count them again. Positions older than [`KEPT_MS`] are removed.
//!
//! Sequence numbers have more digits than a DynamoDB number (38), so positions are texts, with zeros before them.

use crate::fan;
use crate::table::{Change, Condition, Key};
use host_adapters_json::lenient::whole_or_zero;
use registration::entry;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer, de};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The sort key of a campaign's counts.
pub const SORT_KEY: &str = "meta:counts";
/// The digits of a position: as many as DynamoDB Streams say a sequence number may have, and far more than they have.
const DIGITS: usize = 128;
/// How long a position is kept after the time of its last record, milliseconds: twice as long as DynamoDB keeps a
/// change, so that none can be delivered again.
pub const KEPT_MS: u64 = 2 * 24 * 3600 * 1000;
/// The position of a closed shard. It is greater than any other position.
const CLOSED: &str = "closed";

/// How many fans are in each state, or by how many that changes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Totals {
    /// Fans that scoring found eligible.
    #[serde(deserialize_with = "whole_or_zero")]
    pub verified: i64,
    /// Fans that it did not.
    #[serde(deserialize_with = "whole_or_zero")]
    pub rejected: i64,
    /// Fans that a selection chose.
    #[serde(deserialize_with = "whole_or_zero")]
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

    /// The text that orders positions.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the counts have of a shard. It is stored as the text `<last>/<first>/<time>`, which is less than the text of a
/// [`Position`] where `last` is, since all positions have the same length; or as `closed/<time>`, which is never less.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The records that the latest update counted; `None` of a shard that is settled to its end.
    pub counted: Option<Counted>,
    /// When its last record was made, or the one by which it became known that it is closed, milliseconds since 1970 (UTC).
    pub time_ms: u64,
}

/// The first and the last record of an update, between which all records are counted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Counted {
    /// The last one: the position of the shard.
    pub last: Position,
    /// The first one.
    pub first: Position,
}

impl Place {
    fn text(&self) -> String {
        match &self.counted {
            Some(Counted { last, first }) => format!("{}/{}/{}", last.as_str(), first.as_str(), self.time_ms),
            None => format!("{CLOSED}/{}", self.time_ms),
        }
    }

    fn of_text(text: &str) -> Option<Self> {
        let (place, time_ms) = text.rsplit_once('/')?;
        let counted = match place.split_once('/') {
            Some((last, first)) => Some(Counted { last: Position::new(last)?, first: Position::new(first)? }),
            None if place == CLOSED => None,
            None => return None,
        };
        Some(Self { counted, time_ms: time_ms.parse().ok()? })
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.text().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: de::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::of_text(&text).ok_or_else(|| de::Error::custom(format!("`{text}` is not a position")))
    }
}

/// Where a record comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The shard.
    pub shard: &'a str,
    /// Its number in the shard.
    pub sequence_number: &'a str,
    /// When it was made, milliseconds since 1970 (UTC).
    pub time_ms: u64,
    /// Whether it was a dead letter.
    pub redriven: bool,
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
    /// When it was made, milliseconds since 1970 (UTC).
    pub time_ms: u64,
    /// Whether it was a dead letter.
    pub redriven: bool,
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
    pub fn read(payload: &str, origin: &Origin<'_>) -> Result<Option<Self>, String> {
        let payload: Payload = serde_json::from_str(payload).map_err(|problem| format!("malformed: {problem}"))?;
        let Keys { pk, sk } = payload.keys;
        let key = Key { pk, sk };
        let state = |image: Option<Image>| image.map_or_else(Totals::default, |image| image.state(&key.sk));
        let change = state(payload.new_image).plus(state(payload.old_image), -1);
        let Some(campaign_id) = key.campaign_id().filter(|_| change != Totals::default()) else { return Ok(None) };
        let Origin { shard, sequence_number, time_ms, redriven } = *origin;
        let position = Position::new(sequence_number);
        let position = position.ok_or_else(|| format!("malformed: `{sequence_number}` is not a sequence number"))?;
        let (campaign_id, shard) = (campaign_id.to_owned(), shard.to_owned());
        Ok(Some(Self { campaign_id, shard, position, time_ms, redriven, change }))
    }
}

/// The counts of a campaign, as its item holds them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct Counts {
    /// The counts.
    #[serde(flatten)]
    pub totals: Totals,
    /// By shard what was counted last. An item of before the first counts has none.
    #[serde(rename = "position")]
    pub positions: Option<BTreeMap<String, Place>>,
    /// The counts that are null. They are 0, but no table adds to them.
    #[serde(skip)]
    nulls: BTreeSet<&'static str>,
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
        let read = item.map_or_else(|| Ok(Self::default()), Self::of_text);
        read.map_err(|problem| format!("malformed: {SORT_KEY}: {problem}"))
    }

    fn of_text(item: &str) -> serde_json::Result<Self> {
        let counts: Self = serde_json::from_str(item)?;
        let members: BTreeMap<String, Option<IgnoredAny>> = serde_json::from_str(item)?;
        let names = Totals::default().named().map(|(name, _)| name);
        let nulls = names.into_iter().filter(|name| members.get(*name).is_some_and(Option::is_none)).collect();
        Ok(Self { nulls, ..counts })
    }

    /// Adds to the counts. One that is null is set, as long as it is null; when another shard sets it first, the condition
    /// fails.
    fn add(&self, mut change: Change, sum: Totals) -> Change {
        for (name, count) in sum.named().into_iter().filter(|(_, count)| *count != 0) {
            if self.nulls.contains(name) {
                change = change.set(name, count).if_absent_or(name, Value::Null);
            } else {
                change.increment.push((name.to_owned(), count));
            }
        }
        change
    }
}

/// The records that one update is for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Group {
    /// Their indices in the batch.
    pub indices: Vec<usize>,
    /// The records.
    pub records: Vec<Record>,
}

/// By campaign and shard.
pub type Groups = BTreeMap<(String, String), Group>;

/// The records of a batch, each with its index, by the update that they are for.
pub fn by_update(records: impl IntoIterator<Item = (usize, Record)>) -> Groups {
    let mut updates = Groups::new();
    for (index, record) in records {
        let group = updates.entry((record.campaign_id.clone(), record.shard.clone())).or_default();
        group.indices.push(index);
        group.records.push(record);
    }
    updates
}

/// What a batch contains about a shard in addition to the records that count.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Beside {
    /// The parents of the shard. They have no more records, because records of this shard arrive.
    pub closed: BTreeSet<String>,
    /// Records that cannot be read. They become dead letters.
    pub unreadable: BTreeSet<Position>,
}

/// The outcome of the records of one campaign and shard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// This update counts them. When its condition fails, another call has moved the position: read the item and ask again.
    Update(Change),
    /// All of them are counted already.
    Counted,
    /// It is unknown whether they are counted. They must be rejected, for this reason.
    Late(String),
}

/// The outcome of the records of one campaign and shard.
pub fn update(records: &[Record], counts: &Counts, beside: &Beside) -> Outcome {
    let Some(Record { campaign_id, shard, .. }) = records.first() else { return Outcome::Counted };
    let positions = counts.positions.as_ref();
    let place = positions.and_then(|positions| positions.get(shard));
    let counted = place.and_then(|place| place.counted.as_ref());
    let is_known = |record: &Record| counted.is_some_and(|counted| record.position >= counted.first);
    if positions.is_some() && records.iter().any(|record| record.redriven && !is_known(record)) {
        return Outcome::Late(format!(
            "late: records of its shard were counted after it, so it may be counted or not; recount campaign {campaign_id}"
        ));
    }
    if place.is_some() && counted.is_none() {
        // Another host has settled the shard to its end.
        return Outcome::Counted;
    }
    let is_new = |record: &&Record| counted.is_none_or(|counted| record.position > counted.last);
    let new: Vec<_> = records.iter().filter(is_new).collect();
    let places = || new.iter().map(|record| &record.position);
    let (Some(first), Some(last)) = (places().min(), places().max()) else { return Outcome::Counted };
    let time_ms = new.iter().map(|record| record.time_ms).max().unwrap_or_default();
    let sum = new.iter().fold(Totals::default(), |sum, record| sum.plus(record.change, 1));
    let mut change = counts.add(Change::of(Counts::key(campaign_id)), sum);
    // Records that cannot be read are not among those that are counted.
    let gap = beside.unreadable.range(..last.clone()).next_back();
    let known = places().filter(|place| gap.is_none_or(|gap| *place > gap)).min().unwrap_or(last);
    let counted = Some(Counted { last: last.clone(), first: known.clone() });
    let now = Place { counted, time_ms }.text();
    let Some(positions) = positions else {
        let change = change.set("position", serde_json::json!({ shard.as_str(): now }));
        return Outcome::Update(change.if_absent_or("position", Value::Null));
    };
    let path = |shard: &str| format!("position.{shard}");
    for (other, place) in positions.iter().filter(|(other, _)| *other != shard) {
        if place.time_ms.saturating_add(KEPT_MS) < time_ms {
            change.remove.push(path(other));
        } else if beside.closed.contains(other) && place.counted.is_some() {
            change = change.set(&path(other), Place { counted: None, time_ms }.text());
        }
    }
    let first = Value::from(first.as_str()).to_string();
    change.condition.push(Condition::AbsentOrLessThan(path(shard), first));
    Outcome::Update(change.set(&path(shard), now))
}

#[cfg(test)]
mod tests;
