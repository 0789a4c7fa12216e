//! Dotted paths into an item: `date.updated`. A path through an absent member, or through a value that is not an
//! object, is refused for a change, as in DynamoDB, and counts as absent for a condition.

use super::invalid;
use crate::Result;
use crate::node::Node;
use host_adapters_json as json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

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

/// What is at a path, if anything is.
///
/// # Errors
/// When what is stored cannot be read.
pub fn get<'n, 'a>(item: &'n mut Node<'a>, path: &[&str]) -> Result<Option<&'n Node<'a>>> {
    let mut node = item;
    for segment in path {
        node.open()?;
        let Node::Object(fields) = node else { return Ok(None) };
        match fields.get_mut(*segment) {
            Some(inner) => node = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

/// Puts a value at a path. Returns whether another one, or none, was there.
///
/// # Errors
/// When the path leads through something that is not an object.
pub fn set<'a>(item: &mut Node<'a>, path: &[&str], value: &'a RawValue) -> Result<bool> {
    let (parent, name) = parent_of(item, path)?;
    let same = match parent.get(name) {
        Some(old) => json::same(&old.text()?, value.get()),
        None => false,
    };
    if !same {
        parent.insert(name.to_owned(), Node::Stored(value));
    }
    Ok(!same)
}

/// Removes what is at a path. Returns whether something was.
///
/// # Errors
/// When the path leads through something that is not an object.
pub fn remove(item: &mut Node<'_>, path: &[&str]) -> Result<bool> {
    let (parent, name) = parent_of(item, path)?;
    Ok(parent.remove(name).is_some())
}

/// Whether a change at one path would also change the value at the other.
pub fn overlap(a: &[&str], b: &[&str]) -> bool {
    a.iter().zip(b).all(|(a, b)| a == b)
}

fn parent_of<'n, 'a, 'p>(
    item: &'n mut Node<'a>,
    path: &[&'p str],
) -> Result<(&'n mut BTreeMap<String, Node<'a>>, &'p str)> {
    let unusable = || invalid(format!("the path `{}` leads through something that is not an object", path.join(".")));
    let (name, parents) = path.split_last().ok_or_else(unusable)?;
    let mut node = item;
    for segment in parents {
        node.open()?;
        let Node::Object(fields) = node else { return Err(unusable()) };
        node = fields.get_mut(*segment).ok_or_else(unusable)?;
    }
    node.open()?;
    match node {
        Node::Object(fields) => Ok((fields, name)),
        _ => Err(unusable()),
    }
}
