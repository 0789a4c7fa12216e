//! Shared by tests: records, files, and a table in memory that checks conditions as the platform does.

use crate::file::{File, Sequencer};
use crate::record::{ScoreRecord, Verification};
use crate::score::Score;
use crate::table::{Change, Condition, Key};
use host_adapters_json::lenient::whole;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A file with this sequencer.
pub fn file(sequencer: &str) -> File {
    File {
        bucket: "scoringBucket".to_owned(),
        key: format!("scrubbed/{sequencer}.csv"),
        etag: "etag".to_owned(),
        sequencer: Sequencer::new(sequencer),
    }
}

/// A record of campaign `c` that has the names in a list such as `m1 g1 e1`.
#[allow(clippy::unwrap_used, reason = "a number is a score")]
pub fn record(names: &str, sequencer: &str, score: i32) -> ScoreRecord {
    let named = |kind| names.split(' ').find(|name| name.starts_with(kind)).map(str::to_owned);
    ScoreRecord {
        campaign_id: "c".to_owned(),
        member_id: named('m'),
        global_user_id: named('g'),
        email: named('e').map(|name| format!("{name}@example.com")),
        market_id: None,
        event_id: None,
        rank: None,
        score: Score::parse(&score.to_string()).unwrap(),
        verification: if score > 0 { Verification::Verified } else { Verification::Rejected },
        selected: None,
        file: file(sequencer).name().into(),
        sequencer: Sequencer::new(sequencer),
    }
}

/// A table of items.
#[derive(Debug, Default)]
pub struct Table {
    /// The items.
    pub items: BTreeMap<Key, Map<String, Value>>,
}

impl Table {
    /// An item as JSON text.
    pub fn get(&self, key: &Key) -> Option<String> {
        self.items.get(key).map(|item| serde_json::to_string(item).unwrap_or_default())
    }

    /// Applies a change.
    ///
    /// # Errors
    /// When a condition does not hold, when a path leads through something that is not an object, or when a number is to be
    /// added to what is not one, such as null.
    pub fn apply(&mut self, change: &Change) -> Result<(), String> {
        let mut item = self.items.get(&change.key).cloned().unwrap_or_default();
        if let Some(unmet) = change.condition.iter().find(|condition| !holds(condition, &item)) {
            return Err(format!("{unmet:?}"));
        }
        item.insert("pk".to_owned(), change.key.pk.as_str().into());
        item.insert("sk".to_owned(), change.key.sk.as_str().into());
        for (path, value) in &change.set {
            let value = serde_json::from_str(value).map_err(|error| error.to_string())?;
            let (parent, name) = parent(&mut item, path)?;
            parent.insert(name.to_owned(), value);
        }
        for (path, by) in &change.increment {
            let (parent, name) = parent(&mut item, path)?;
            let read = |old: &Value| old.as_number().and_then(whole::<i64>);
            let old = parent.get(name).map_or(Some(0), read);
            let old = old.ok_or_else(|| format!("`{path}` is not a number, so nothing can be added to it"))?;
            parent.insert(name.to_owned(), (old + by).into());
        }
        for path in &change.remove {
            let (parent, name) = parent(&mut item, path)?;
            parent.remove(name);
        }
        self.items.insert(change.key.clone(), item);
        Ok(())
    }
}

fn parent<'i, 'p>(
    item: &'i mut Map<String, Value>,
    path: &'p str,
) -> Result<(&'i mut Map<String, Value>, &'p str), String> {
    let Some((outer, name)) = path.split_once('.') else { return Ok((item, path)) };
    let inner = item.get_mut(outer).and_then(Value::as_object_mut);
    inner.map(|inner| (inner, name)).ok_or_else(|| format!("nothing is at {outer}"))
}

fn holds(condition: &Condition, item: &Map<String, Value>) -> bool {
    let at = |path: &str| match path.split_once('.') {
        Some((outer, name)) => item.get(outer).and_then(|inner| inner.get(name)),
        None => item.get(path),
    };
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    match condition {
        Condition::NotExists(path) => at(path).is_none(),
        Condition::Equals(path, value) => at(path).is_some_and(|found| Some(found) == read(value).as_ref()),
        Condition::AbsentOrEquals(path, value) => {
            at(path).is_none_or(|it| it.is_null() || Some(it) == read(value).as_ref())
        }
        Condition::AbsentOrLessThan(path, value) => match (at(path), read(value)) {
            (None | Some(Value::Null), _) => true,
            (Some(Value::String(found)), Some(Value::String(value))) => *found < value,
            (Some(Value::Number(found)), Some(Value::Number(value))) => found.as_f64() < value.as_f64(),
            _ => false,
        },
    }
}
