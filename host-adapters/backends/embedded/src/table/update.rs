//! A conditional update, applied to one item in memory.

use host_adapters_platform::limits::item::{check_size, parse_value};
use host_adapters_platform::limits::{invalid, path};
use host_adapters_platform::{Result, json};
use host_adapters_records::table::{Key, Predicate, Update};
use host_adapters_records::{Error, ErrorKind};
use serde_json::{Map, Value};

/// The item after the update, as text; `None` if it does not change.
pub(super) fn apply(update: &Update, old: Option<&str>) -> Result<Option<String>> {
    let before = old.map(parse_stored).transpose()?;
    let nothing = Map::new();
    for predicate in &update.condition {
        check(&update.key, predicate, before.as_ref().unwrap_or(&nothing))?;
    }
    let mut after = before.clone().unwrap_or_else(|| empty_item(&update.key));
    change(update, &mut after)?;
    let after = Value::Object(after);
    if before.is_some_and(|before| json::same(&Value::Object(before), &after)) {
        return Ok(None);
    }
    let text = after.to_string();
    check_size(&update.key, text.len())?;
    Ok(Some(text))
}

fn change(update: &Update, item: &mut Map<String, Value>) -> Result<()> {
    let mut paths: Vec<Vec<&str>> = Vec::with_capacity(update.set.len() + update.remove.len());
    let mut claim = |text| {
        let path = path::parse_changeable(text)?;
        if paths.iter().any(|other| path::overlap(other, &path)) {
            return Err(invalid(format!("`{text}` overlaps another path of the same update")));
        }
        paths.push(path.clone());
        Ok(path)
    };
    for (path, value) in &update.set {
        path::set(item, &claim(path)?, parse_value(path, value)?)?;
    }
    for path in &update.remove {
        path::remove(item, &claim(path)?)?;
    }
    Ok(())
}

fn check(key: &Key, predicate: &Predicate, item: &Map<String, Value>) -> Result<()> {
    let (holds, wanted) = match predicate {
        Predicate::Exists(path) => (path::get(item, &path::parse(path)?).is_some(), format!("`{path}` exists")),
        Predicate::NotExists(path) => {
            (path::get(item, &path::parse(path)?).is_none(), format!("`{path}` does not exist"))
        }
        Predicate::Equals((path, value)) => {
            let wanted = parse_value(path, value)?;
            let found = path::get(item, &path::parse(path)?);
            (found.is_some_and(|found| json::same(found, &wanted)), format!("`{path}` equals {value}"))
        }
    };
    if holds {
        return Ok(());
    }
    let message = format!("item {}/{} does not meet the condition: {wanted}", key.pk, key.sk);
    Err(Error::new(ErrorKind::ConditionFailed, message))
}

fn empty_item(key: &Key) -> Map<String, Value> {
    Map::from_iter([("pk".to_owned(), key.pk.clone().into()), ("sk".to_owned(), key.sk.clone().into())])
}

/// A put is checked to be JSON. This fails for an item that is nested too deeply or has a number out of range.
fn parse_stored(text: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text).map_err(|error| invalid(format!("the stored item cannot be updated: {error}")))
}
