//! A conditional update, applied to one item in memory.

use host_adapters_json::{self as json, Decimal};
use host_adapters_platform::Result;
use host_adapters_platform::limits::item::{check_size, parse_ordered, parse_value};
use host_adapters_platform::limits::path;
use host_adapters_platform::node::Node;
use host_adapters_records::table::{Key, Predicate, Update};
use host_adapters_records::{Error, ErrorKind};
use serde_json::Value;

/// The item after the update, as text; `None` if it does not change. What the update does not name keeps its text.
pub(super) fn apply(update: &Update, old: Option<&str>) -> Result<Option<String>> {
    let mut item = Node::parse(old.unwrap_or("{}"))?;
    for predicate in &update.condition {
        check(&update.key, predicate, &mut item)?;
    }
    if old.is_none() {
        add_key(&update.key, &mut item)?;
    }
    let changed = change(update, &mut item)?;
    if old.is_some() && !changed {
        return Ok(None);
    }
    let text = item.text()?;
    check_size(&update.key, &text)?;
    Ok(Some(text))
}

/// Returns whether the item has changed.
fn change<'a>(update: &'a Update, item: &mut Node<'a>) -> Result<bool> {
    let mut paths = path::Changeable::default();
    let mut changed = false;
    for (path, value) in &update.set {
        changed |= path::set(item, &paths.parse(path)?, parse_value(path, value)?)?;
    }
    for (path, by) in &update.increment {
        changed |= path::add(item, &paths.parse(path)?, *by)?;
    }
    for path in &update.remove {
        changed |= path::remove(item, &paths.parse(path)?)?;
    }
    Ok(changed)
}

fn check(key: &Key, predicate: &Predicate, item: &mut Node<'_>) -> Result<()> {
    let (holds, wanted) = match predicate {
        Predicate::Exists(path) => (path::get(item, &path::parse(path)?)?.is_some(), format!("`{path}` exists")),
        Predicate::NotExists(path) => {
            (path::get(item, &path::parse(path)?)?.is_none(), format!("`{path}` does not exist"))
        }
        Predicate::Equals((path, value)) => {
            (equals(item, path, value)? == Some(true), format!("`{path}` equals {value}"))
        }
        Predicate::AbsentOrEquals((path, value)) => {
            let holds = equals(item, path, value)? != Some(false) || equals(item, path, "null")? == Some(true);
            (holds, format!("`{path}` is absent or equals {value}"))
        }
        Predicate::AbsentOrLessThan((path, value)) => {
            (is_absent_or_less(item, path, value)?, format!("`{path}` is absent or less than {value}"))
        }
    };
    if holds {
        return Ok(());
    }
    let message = format!("item {}/{} does not meet the condition: {wanted}", key.pk, key.sk);
    Err(Error::new(ErrorKind::ConditionFailed, message))
}

/// Whether the item has this value at the path; `None` if it has none there.
fn equals(item: &mut Node<'_>, path: &str, value: &str) -> Result<Option<bool>> {
    let wanted = parse_value(path, value)?;
    let found = path::get(item, &path::parse(path)?)?.map(Node::text).transpose()?;
    Ok(found.map(|found| json::same(&found, wanted.get())))
}

/// Whether the item has nothing at the path, or null, or what is less than this value and of its type.
fn is_absent_or_less(item: &mut Node<'_>, path: &str, value: &str) -> Result<bool> {
    let wanted = parse_ordered(path, value)?;
    let found = path::get(item, &path::parse(path)?)?.map(Node::text).transpose()?;
    let text = |json: &str| serde_json::from_str::<String>(json).ok();
    let Some(found) = found.filter(|found| found != "null") else { return Ok(true) };
    let numbers = Decimal::parse(&found).zip(Decimal::parse(wanted.get()));
    let texts = || text(&found).zip(text(wanted.get()));
    Ok(numbers.is_some_and(|(a, b)| a < b) || texts().is_some_and(|(a, b)| a < b))
}

/// Gives a new item its key.
fn add_key(key: &Key, item: &mut Node<'_>) -> Result<()> {
    item.open()?;
    if let Node::Object(fields) = item {
        for (name, value) in [("pk", &key.pk), ("sk", &key.sk)] {
            fields.insert(name.to_owned(), Node::New(Value::from(value.as_str())));
        }
    }
    Ok(())
}
