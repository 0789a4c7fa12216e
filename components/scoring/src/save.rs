//! The writes after which a fan has one score item, with the right content.
//!
//! [`next`] returns the next step from the items that were read. After each step that writes, or whose condition
//! failed, the job's items are forgotten and read again (consistently), until the step is [`Step::Done`]. So every step
//! may be repeated, a job may be abandoned and restarted at any point, and several workers may save records of one fan
//! at the same time.
//!
//! Jobs of a batch may share one [`Read`]. A round takes the next step of each of them, in this order: first all writes, then
//! [`forget`] for each job that wrote, and only then the reads begin. A read that began before a write of its round may not
//! have seen what another worker wrote in between, and would hide it from the job that looks again after its write.
//!
//! - The content is written by compare-and-swap: a put succeeds while the item's `sequencer` and `score` are as they
//!   were read.
//! - A fan's item is written first, then the fan's other names are linked, and then items under these are looked for. A
//!   worker that creates an item under a weaker name reads the aliases again afterwards; one that links a name looks
//!   for an item under it afterwards. Whichever comes second moves the item to the stronger name.
//! - A globalUserId is linked to a member only when the member's item names it. The item names one, and never another,
//!   so of workers that would link two of them to one member one finds that the other was first.

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
        /// Whether the job is done when the update succeeds. Otherwise it continues.
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
/// When an item is not what its key says, or is another fan's: the rows of the job must be rejected.
pub fn next(job: &Job, read: &Read) -> Result<Step, String> {
    let campaign_id = job.record.campaign_id.as_str();
    let paths = match follow(job, read)? {
        Followed::Paths(paths) => paths,
        Followed::Unread(keys) => return Ok(Step::Read(keys)),
    };
    let fan = match whose(&paths, campaign_id, read)? {
        Whose::Fan(fan) => fan,
        Whose::Unread(key) => return Ok(Step::Read(vec![key])),
    };
    let key = fan.score_key(campaign_id);
    let held = paths.iter().filter(|path| path.last() == Some(fan)).flatten();
    let others: BTreeSet<Key> = held.map(|name| name.score_key(campaign_id)).filter(|other| *other != key).collect();
    let unread: Vec<Key> = others.iter().chain([&key]).filter(|key| !read.contains_key(key)).cloned().collect();
    if !unread.is_empty() {
        return Ok(Step::Read(unread));
    }
    let item = item(&key, read)?;
    if let Some(item) = &item {
        match owner(item, fan, job, read)? {
            Owner::Fan => {}
            Owner::Unread(key) => return Ok(Step::Read(vec![key])),
            Owner::Other => return Err(format!("{} is the score of another fan, whose other id is the same", key.sk)),
        }
    }
    let leftovers = leftovers(others, read)?;
    Ok(write(job, &Known { paths: &paths, fan, item, leftovers }))
}

/// The known names and items of a job's fan.
struct Known<'a> {
    /// For each name of the job the path to its root.
    paths: &'a [Vec<Name>],
    fan: &'a Name,
    /// The fan's item.
    item: Option<ScoreRecord>,
    /// The fan's items under other names.
    leftovers: Vec<(Key, ScoreRecord)>,
}

/// The next write of a job: first the fan's item, then the names that lead to it, then what is left under these.
fn write(job: &Job, known: &Known<'_>) -> Step {
    let Known { fan, leftovers, .. } = known;
    let links = links(job, known);
    let is_last = matches!(fan, Name::Member(_)) && leftovers.is_empty() && links.is_empty();
    match put(job, known) {
        Some(change) => Step::Put { change, is_last },
        None if !links.is_empty() => Step::Link(links),
        None if leftovers.is_empty() => Step::Done,
        None => Step::Remove(leftovers.iter().map(|(key, _)| key.clone()).collect()),
    }
}

/// The aliases that are missing. A globalUserId other than the one that the fan's item names, or is to name, has none.
fn links(job: &Job, known: &Known<'_>) -> Vec<Change> {
    let user = known.user(job);
    let is_fans = |name: &&Name| Attribute::GlobalUserId.of_name(name).is_none_or(|id| Some(id) == user);
    let names: BTreeSet<_> = known.roots().filter(is_fans).collect();
    names.into_iter().filter_map(|name| name.link(known.fan, &job.record.campaign_id)).collect()
}

impl<'a> Known<'a> {
    fn roots(&self) -> impl Iterator<Item = &'a Name> {
        self.paths.iter().filter_map(|path| path.last())
    }

    /// The globalUserId that the fan's item names, or is to name: the job's own, else one that has the job's address.
    fn user<'s>(&'s self, job: &'s Job) -> Option<&'s str> {
        let named = self.item.as_ref().and_then(|item| item.global_user_id.as_deref());
        named.or_else(|| job.names.iter().chain(self.roots()).find_map(|name| Attribute::GlobalUserId.of_name(name)))
    }

    /// Whether the job's own name leads to the fan. Until it does, another worker may link it to another fan, whose the
    /// record is then.
    fn is_own(&self) -> bool {
        self.roots().next() == Some(self.fan)
    }

    /// The records that the fan's item is to hold the best of, beside what it has: the job's, and the leftovers.
    fn records<'s>(&'s self, job: &'s Job) -> impl Iterator<Item = &'s ScoreRecord> + Clone {
        let own = (self.is_own() || self.item.is_none()).then_some(&job.record);
        own.into_iter().chain(self.leftovers.iter().map(|(_, record)| record))
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

/// Whose score the job has.
enum Whose<'a> {
    Fan(&'a Name),
    /// This item says it.
    Unread(Key),
}

/// The fan whom the job's strongest name leads to. If that is a globalUserId, and the address is a member's, they are
/// one fan, unless the member's item names another globalUserId.
fn whose<'a>(paths: &'a [Vec<Name>], campaign_id: &str, read: &Read) -> Result<Whose<'a>, String> {
    let mut roots = paths.iter().filter_map(|path| path.last());
    let Some(first) = roots.next() else { return Err("has no name".to_owned()) };
    let Name::User(id) = first else { return Ok(Whose::Fan(first)) };
    for member in roots.filter(|root| root.is_stronger_than(first)) {
        let key = member.score_key(campaign_id);
        if !read.contains_key(&key) {
            return Ok(Whose::Unread(key));
        }
        if item(&key, read)?.and_then(|item| item.global_user_id).is_none_or(|user| user == *id) {
            return Ok(Whose::Fan(member));
        }
    }
    Ok(Whose::Fan(first))
}

/// The fan's items under other names.
fn leftovers(keys: BTreeSet<Key>, read: &Read) -> Result<Vec<(Key, ScoreRecord)>, String> {
    let mut leftovers = Vec::new();
    for key in keys {
        // An item with a memberId is that member's own, whose id happens to be another fan's globalUserId.
        let leftover = item(&key, read)?.filter(|record| record.member_id.is_none());
        leftovers.extend(leftover.map(|record| (key, record)));
    }
    Ok(leftovers)
}

/// Whose item has a fan's key.
enum Owner {
    Fan,
    Other,
    /// This alias says it.
    Unread(Key),
}

/// Whose item has a fan's key: a memberId and a globalUserId may be the same text, and share it. An item without the name
/// that it has by its key is another fan's, unless that fan is known to be the same, or the job says so.
fn owner(item: &ScoreRecord, fan: &Name, job: &Job, read: &Read) -> Result<Owner, String> {
    match fan {
        Name::User(id) if item.member_id.is_some() && item.global_user_id.as_ref() != Some(id) => Ok(Owner::Other),
        Name::Member(id) if item.member_id.is_none() && item.global_user_id.as_ref() == Some(id) => {
            let user = Name::User(id.clone());
            let Some(key) = user.alias_key(&job.record.campaign_id) else { return Ok(Owner::Fan) };
            match read.get(&key) {
                None => Ok(Owner::Unread(key)),
                Some(None) if job.names.contains(&user) => Ok(Owner::Fan),
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
    /// For each name the path to its root, both included.
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
    if unread.is_empty() {
        return Ok(Followed::Paths(paths));
    }
    // A member's item is needed in any case.
    let member = job.names.first().filter(|name| matches!(name, Name::Member(_)));
    let item = member.map(|name| name.score_key(&job.record.campaign_id));
    unread.extend(item.filter(|key| !read.contains_key(key)));
    Ok(Followed::Unread(unread))
}

fn item(key: &Key, read: &Read) -> Result<Option<ScoreRecord>, String> {
    let Some(Some(text)) = read.get(key) else { return Ok(None) };
    let item = serde_json::from_str(text);
    item.map(Some).map_err(|problem| format!("malformed: item {}/{}: {problem}", key.pk, key.sk))
}

/// The update of a fan's item; `None` if it holds all that it should.
fn put(job: &Job, known: &Known<'_>) -> Option<Change> {
    let (item, records) = (known.item.as_ref(), known.records(job));
    let mut change = Change::of(known.fan.score_key(&job.record.campaign_id));
    for attribute in [Attribute::MemberId, Attribute::GlobalUserId, Attribute::Email] {
        if item.is_some_and(|item| attribute.of(item).is_some()) {
            continue;
        }
        let named = match attribute {
            Attribute::GlobalUserId => known.user(job),
            _ => [known.fan].into_iter().chain(&job.names).find_map(|name| attribute.of_name(name)),
        };
        let Some(value) = named.or_else(|| records.clone().find_map(|record| attribute.of(record))) else { continue };
        change = change.set(attribute.path(), value);
        if item.is_some() {
            change = change.if_absent(attribute.path());
        }
    }
    let best = records.reduce(|best, other| if other.replaces(best) { other } else { best });
    match (item, best) {
        (None, best) => Some(content(change.if_absent("pk"), best?, None)),
        (Some(held), Some(best)) if best.replaces(held) => Some(content(as_read(change, held), best, Some(held))),
        (Some(held), _) if !change.set.is_empty() => Some(as_read(change, held)),
        (Some(_), _) => None,
    }
}

/// Succeeds only while the content is the one that was read.
fn as_read(mut change: Change, held: &ScoreRecord) -> Change {
    change = change.if_equals("sequencer", held.sequencer.as_str());
    let score = held.score.as_json().get().to_owned();
    change.condition.push(crate::table::Condition::Equals("score".to_owned(), score));
    change
}

/// Sets the record's attributes of the score. Attributes that it does not have are removed.
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
