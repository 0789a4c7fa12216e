//! Dotted paths into an item: `date.updated`. A path through an absent member, or through a value that is not an
//! object, is refused for a change, as in DynamoDB, and counts as absent for a condition.

use super::{invalid, number::check_attributes};
use crate::Result;
use crate::node::Node;
use host_adapters_json::{self as json, Decimal};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The paths of one update. None may be equal to, or a prefix of, another one.
#[derive(Debug, Default)]
pub struct Changeable<'a>(Vec<Vec<&'a str>>);

impl<'a> Changeable<'a> {
    /// The segments of the update's next path.
    ///
    /// # Errors
    /// When it is not a path, or a part of the key, or overlaps an earlier one.
    pub fn parse(&mut self, path: &'a str) -> Result<Vec<&'a str>> {
        let segments = parse_changeable(path)?;
        let overlap = |other: &Vec<&str>| other.iter().zip(&segments).all(|(a, b)| a == b);
        if self.0.iter().any(overlap) {
            return Err(invalid(format!("`{path}` overlaps another path of the same update")));
        }
        self.0.push(segments.clone());
        Ok(segments)
    }
}

/// The segments of a path that an update may change: it is not empty and not a part of the key.
fn parse_changeable(path: &str) -> Result<Vec<&str>> {
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

/// The value at a path, if there is one.
///
/// # Errors
/// When the stored value cannot be read.
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

/// Adds to the number at a path, or puts one there. Returns whether it has changed.
///
/// # Errors
/// When something else is there, the sum is not a number that DynamoDB has, or the path leads through something that is not
/// an object.
pub fn add(item: &mut Node<'_>, path: &[&str], by: i64) -> Result<bool> {
    let (parent, name) = parent_of(item, path)?;
    let old = parent.get(name).map(Node::text).transpose()?;
    let shown = path.join(".");
    let number = Decimal::parse(old.as_deref().unwrap_or("0"));
    let number = number.ok_or_else(|| invalid(format!("`{shown}` is not a number, so nothing can be added to it")))?;
    let too_long = || invalid(format!("`{shown}`: the sum with {by} has more than 38 significant digits"));
    let sum = number.checked_add(by).ok_or_else(too_long)?;
    if old.is_some() && sum == number {
        return Ok(false);
    }
    let sum = sum.to_string();
    check_attributes(&shown, &sum)?;
    let sum = RawValue::from_string(sum).map_err(|error| invalid(format!("`{shown}`: {error}")))?;
    parent.insert(name.to_owned(), Node::Number(sum));
    Ok(true)
}

/// Removes the value at a path. Returns whether there was one.
///
/// # Errors
/// When the path leads through something that is not an object.
pub fn remove(item: &mut Node<'_>, path: &[&str]) -> Result<bool> {
    let (parent, name) = parent_of(item, path)?;
    Ok(parent.remove(name).is_some())
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
