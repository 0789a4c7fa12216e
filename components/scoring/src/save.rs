//! What to write so that a fan has one score item, with the right content.
//!
//! [`next`] looks at what was read and says the next step; after each step that writes, or whose condition failed, what
//! was read of the job's keys is forgotten and read again (consistently), until the step is [`Step::Done`]. So every step
//! may be repeated, a job may be given up and begun anew at any point, and several workers may save records of one fan at
//! the same time.
//!
//! Jobs of a batch may share one [`Read`]. A round takes the next step of each of them, in this order: first all writes, then
//! [`forget`] for each job that wrote, and only then the reads begin. A read that began before a write of its round may not
//! have seen what another worker wrote in between, and would hide it from the job that looks again after its write.
//!
//! - The content is a compare-and-swap: a put holds while the item's `sequencer` and `score` are as they were read.
//! - Names are linked before items are read. A worker that makes an item under a weaker name looks at the aliases again
//!   afterwards; one that links a name looks for an item under it afterwards. Whichever comes second moves the item to the
//!   stronger name.

use crate::fan::{Job, Name};
use crate::record::ScoreRecord;
use crate::table::{Change, Key};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// Items as they were read, as JSON text; `None` for one that is absent.
pub type Read = HashMap<Key, Option<String>>;

/// The next step of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Read these items. The read must be consistent.
    Read(Vec<Key>),
    /// Write aliases; one that exists by now is not a fault.
    Link(Vec<Change>),
    /// Write the fan's item.
    Put {
        /// The update.
        change: Change,
        /// Whether the job is done when the update holds. Otherwise it goes on.
        is_last: bool,
    },
    /// Remove what was moved to another item.
    Remove(Vec<Key>),
    /// Nothing is left to do.
    Done,
}

/// The next step of a job, from what was read since its last write.
///
/// # Errors
/// When an item is not what its key says, or is another fan's: the rows of the job are to be rejected.
pub fn next(job: &Job, read: &Read) -> Result<Step, String> {
    let campaign_id = job.record.campaign_id.as_str();
    let paths = match follow(job, read)? {
        Followed::Paths(paths) => paths,
        Followed::Unread(keys) => return Ok(Step::Read(keys)),
    };
    let roots = || paths.iter().filter_map(|path| path.last());
    // Of the strongest kind, the one that the record's own strongest name leads to.
    let Some(fan) = roots().min_by_key(|root| root.strength()) else { return Err("has no name".to_owned()) };
    let links: BTreeSet<_> = roots().filter(|root| fan.is_stronger_than(root)).collect();
    if !links.is_empty() {
        return Ok(Step::Link(links.into_iter().filter_map(|root| root.link(fan, campaign_id)).collect()));
    }
    let held_by =
        |fan: &Name| paths.iter().filter(|path| path.last() == Some(fan)).flatten().cloned().collect::<BTreeSet<_>>();
    let key = fan.score_key(campaign_id);
    let others = held_by(fan).into_iter().map(|name| name.score_key(campaign_id)).filter(|other| *other != key);
    let others: BTreeSet<Key> = others.collect();
    let unread: Vec<Key> = others.iter().chain([&key]).filter(|key| !read.contains_key(key)).cloned().collect();
    if !unread.is_empty() {
        return Ok(Step::Read(unread));
    }
    let item = item(&key, read)?;
    if let Some(item) = &item {
        match owner(item, fan, campaign_id, read)? {
            Owner::Fan => {}
            Owner::Unread(key) => return Ok(Step::Read(vec![key])),
            Owner::Other => return Err(format!("{} is the score of another fan, whose other id is the same", key.sk)),
        }
    }
    let mut leftovers = Vec::new();
    for other in others {
        // An item with a memberId is that member's own, whose id happens to be another fan's globalUserId.
        let leftover = self::item(&other, read)?.filter(|record| record.member_id.is_none());
        leftovers.extend(leftover.map(|record| (other, record)));
    }
    let is_last = matches!(fan, Name::Member(_)) && leftovers.is_empty();
    match put(job, fan, key, item.as_ref(), leftovers.iter().map(|(_, record)| record)) {
        Some(change) => Ok(Step::Put { change, is_last }),
        None if leftovers.is_empty() => Ok(Step::Done),
        None => Ok(Step::Remove(leftovers.into_iter().map(|(key, _)| key).collect())),
    }
}

/// The keys that a job reads: those to forget after a write.
pub fn forget(job: &Job, read: &mut Read) {
    let campaign_id = &job.record.campaign_id;
    let Ok(Followed::Paths(paths)) = follow(job, read) else {
        return read.retain(|key, _| key.campaign_id() != Some(campaign_id));
    };
    for name in paths.iter().flatten() {
        read.remove(&name.score_key(campaign_id));
        let same = same_id(name).and_then(|user| user.alias_key(campaign_id));
        [name.alias_key(campaign_id), same].into_iter().flatten().for_each(|key| _ = read.remove(&key));
    }
}

/// Whose item has a fan's key.
enum Owner {
    Fan,
    Other,
    /// This alias says it.
    Unread(Key),
}

/// Whose item has a fan's key: a memberId and a globalUserId may be the same text, and share it. An item without the name
/// that it has by its key is another fan's, unless that fan is known to be the same.
fn owner(item: &ScoreRecord, fan: &Name, campaign_id: &str, read: &Read) -> Result<Owner, String> {
    match fan {
        Name::User(id) if item.member_id.is_some() && item.global_user_id.as_ref() != Some(id) => Ok(Owner::Other),
        Name::Member(id) if item.member_id.is_none() && item.global_user_id.as_ref() == Some(id) => {
            let Some((key, user)) = same_id(fan).and_then(|user| Some((user.alias_key(campaign_id)?, user))) else {
                return Ok(Owner::Fan);
            };
            match read.get(&key) {
                None => Ok(Owner::Unread(key)),
                Some(Some(alias)) if user.read_alias(alias)? == *fan => Ok(Owner::Fan),
                Some(_) => Ok(Owner::Other),
            }
        }
        _ => Ok(Owner::Fan),
    }
}

/// The globalUserId with the text of a memberId.
fn same_id(name: &Name) -> Option<Name> {
    match name {
        Name::Member(id) => Some(Name::User(id.clone())),
        Name::User(_) | Name::Email(_) => None,
    }
}

enum Followed {
    /// Of each name the way to its root, both included.
    Paths(Vec<Vec<Name>>),
    Unread(Vec<Key>),
}

/// Follows the aliases of a job's names.
fn follow(job: &Job, read: &Read) -> Result<Followed, String> {
    let (mut paths, mut unread) = (Vec::new(), Vec::new());
    for name in &job.names {
        let mut path = vec![name.clone()];
        while let Some((last, key)) =
            path.last().and_then(|name| Some((name, name.alias_key(&job.record.campaign_id)?)))
        {
            match read.get(&key) {
                None => unread.push(key),
                Some(None) => {}
                Some(Some(item)) => {
                    path.push(last.read_alias(item)?);
                    continue;
                }
            }
            break;
        }
        paths.push(path);
    }
    Ok(if unread.is_empty() { Followed::Paths(paths) } else { Followed::Unread(unread) })
}

fn item(key: &Key, read: &Read) -> Result<Option<ScoreRecord>, String> {
    let Some(Some(text)) = read.get(key) else { return Ok(None) };
    let item = serde_json::from_str(text);
    item.map(Some).map_err(|problem| format!("malformed: item {}/{}: {problem}", key.pk, key.sk))
}

/// The update of a fan's item; `None` if it holds all that it should. `leftovers` are the fan's items under other names.
fn put<'a>(
    job: &'a Job,
    fan: &Name,
    key: Key,
    item: Option<&'a ScoreRecord>,
    leftovers: impl Iterator<Item = &'a ScoreRecord> + Clone,
) -> Option<Change> {
    let best = leftovers.clone().fold(&job.record, |best, other| if other.replaces(best) { other } else { best });
    let mut change = Change::of(key);
    for attribute in [Attribute::MemberId, Attribute::GlobalUserId, Attribute::Email] {
        if item.is_some_and(|item| attribute.of(item).is_some()) {
            continue;
        }
        let named = [fan].into_iter().chain(&job.names).find_map(|name| attribute.of_name(name));
        let Some(value) = named.or_else(|| leftovers.clone().find_map(|record| attribute.of(record))) else { continue };
        change = change.set(attribute.path(), value);
        if item.is_some() {
            change = change.if_absent(attribute.path());
        }
    }
    match item {
        None => Some(content(change.if_absent("pk"), best, None)),
        Some(held) if best.replaces(held) => Some(content(as_read(change, held), best, Some(held))),
        Some(held) if !change.set.is_empty() => Some(as_read(change, held)),
        Some(_) => None,
    }
}

/// Holds only while the content is the one that was read.
fn as_read(mut change: Change, held: &ScoreRecord) -> Change {
    change = change.if_equals("sequencer", held.sequencer.as_str());
    let score = held.score.as_json().get().to_owned();
    change.condition.push(crate::table::Condition::Equals("score".to_owned(), score));
    change
}

/// Sets what the record says of the score. What it does not say any more is removed.
fn content(mut change: Change, record: &ScoreRecord, held: Option<&ScoreRecord>) -> Change {
    change = change.set("campaignId", record.campaign_id.as_str());
    change.set.push(("score".to_owned(), record.score.as_json().get().to_owned()));
    change = change.set("verification", json!(record.verification));
    change = change.set("file", record.file.as_str()).set("sequencer", record.sequencer.as_str());
    type Optional = fn(&ScoreRecord) -> Option<Value>;
    let optional: [(&str, Optional); 4] = [
        ("marketId", |record| record.market_id.as_deref().map(Value::from)),
        ("eventId", |record| record.event_id.as_deref().map(Value::from)),
        ("rank", |record| record.rank.map(Value::from)),
        ("selected", |record| record.selected.map(Value::from)),
    ];
    for (path, of) in optional {
        match of(record) {
            Some(value) => change = change.set(path, value),
            None if held.and_then(of).is_some() => change.remove.push(path.to_owned()),
            None => {}
        }
    }
    change
}

/// The attributes of an item that name its fan. They stay when the content is replaced.
#[derive(Clone, Copy)]
enum Attribute {
    MemberId,
    GlobalUserId,
    Email,
}

impl Attribute {
    fn path(self) -> &'static str {
        match self {
            Self::MemberId => "memberId",
            Self::GlobalUserId => "globalUserId",
            Self::Email => "email",
        }
    }

    fn of(self, record: &ScoreRecord) -> Option<&str> {
        match self {
            Self::MemberId => record.member_id.as_deref(),
            Self::GlobalUserId => record.global_user_id.as_deref(),
            Self::Email => record.email.as_deref(),
        }
    }

    fn of_name(self, name: &Name) -> Option<&str> {
        match (self, name) {
            (Self::MemberId, Name::Member(text))
            | (Self::GlobalUserId, Name::User(text))
            | (Self::Email, Name::Email(text)) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
