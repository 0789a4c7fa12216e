//! Dotted paths into an item: `date.updated`. A path through an absent member, or through a value that is not an
//! object, is refused for a change, as in DynamoDB, and counts as absent for a condition.

use super::invalid;
use crate::Result;
use serde_json::{Map, Value};

/// The segments of a path that an update may change: it is not empty and not a part of the key.
pub fn parse_changeable(path: &str) -> Result<Vec<&str>> {
    let segments = parse(path)?;
    match segments.as_slice() {
        ["pk" | "sk", ..] => Err(invalid(format!("`{path}` is part of the key and cannot be updated"))),
        _ => Ok(segments),
    }
}

/// The segments of a path.
pub fn parse(path: &str) -> Result<Vec<&str>> {
    let segments: Vec<_> = path.split('.').collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return Err(invalid(format!("`{path}` is not a path; write names with dots between: `date.updated`")));
    }
    Ok(segments)
}

/// The value at a path.
pub fn get<'a>(item: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(item.get(*first)?, |value, segment| value.as_object()?.get(*segment))
}

/// Puts a value at a path.
pub fn set(item: &mut Map<String, Value>, path: &[&str], value: Value) -> Result<()> {
    let (parent, name) = parent_of(item, path)?;
    parent.insert(name.to_owned(), value);
    Ok(())
}

/// Removes the value at a path, if it exists.
pub fn remove(item: &mut Map<String, Value>, path: &[&str]) -> Result<()> {
    let (parent, name) = parent_of(item, path)?;
    parent.remove(name);
    Ok(())
}

/// Whether a change at one path would also change the value at the other.
pub fn overlap(a: &[&str], b: &[&str]) -> bool {
    a.iter().zip(b).all(|(a, b)| a == b)
}

fn parent_of<'a, 'p>(
    item: &'a mut Map<String, Value>,
    path: &[&'p str],
) -> Result<(&'a mut Map<String, Value>, &'p str)> {
    let unusable = || invalid(format!("the path `{}` leads through something that is not an object", path.join(".")));
    let (name, parents) = path.split_last().ok_or_else(unusable)?;
    let mut object = item;
    for segment in parents {
        object = object.get_mut(*segment).and_then(Value::as_object_mut).ok_or_else(unusable)?;
    }
    Ok((object, name))
}
