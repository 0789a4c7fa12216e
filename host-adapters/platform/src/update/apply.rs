//! An update, applied to one document in memory.

use super::{Change, Operator, Update};
use crate::Result;
use crate::filter::ElementFilter;
use crate::limits::invalid;
use crate::node::Node;
use serde_json::{Number, Value};
use std::collections::BTreeMap;
use std::collections::btree_map::{Entry, VacantEntry};

/// How many nulls MongoDB fills a list up with at most, to set an element behind its end.
const MAX_PADDING: usize = 1_500_000;

impl Update {
    /// The text of a document after the update; `None` if the document does not change.
    pub fn apply(&self, document: &str) -> Result<Option<String>> {
        let mut node = Node::parse(document)?;
        let mut changed = false;
        for change in &self.changes {
            changed |= change.apply(&mut node)?;
        }
        changed.then(|| node.text()).transpose()
    }
}

impl Change {
    /// Returns whether the document has changed.
    fn apply(&self, document: &mut Node<'_>) -> Result<bool> {
        match &self.operator {
            Operator::Set(value) => set(make(document, &self.path)?, value.clone()),
            Operator::Inc(by) => self.increase(make(document, &self.path)?, by),
            Operator::Unset => unset(document, &self.path),
            Operator::Pull(condition) => match find(document, &self.path)? {
                Some(found) => self.pull(found, condition),
                None => Ok(false),
            },
        }
    }

    fn increase(&self, place: Place<'_, '_>, by: &Number) -> Result<bool> {
        let sum = match &place {
            Place::There(node) => match node.value()? {
                Value::Number(number) => self.sum(&number, by)?,
                other => {
                    let (field, type_name) = (self.path.join("."), type_name(&other));
                    return Err(invalid(format!("cannot apply `$inc` to `{field}`, whose type is {type_name}")));
                }
            },
            _ => by.clone(),
        };
        set(place, Value::Number(sum))
    }

    /// Integers stay integers.
    fn sum(&self, number: &Number, by: &Number) -> Result<Number> {
        let sum = match (number.as_i64(), by.as_i64()) {
            (Some(a), Some(b)) => a.checked_add(b).map(Number::from),
            _ => number.as_f64().zip(by.as_f64()).and_then(|(a, b)| Number::from_f64(a + b)),
        };
        sum.ok_or_else(|| invalid(format!("`$inc` of `{}` by {by} exceeds what a number holds", self.path.join("."))))
    }

    fn pull(&self, from: &mut Node<'_>, condition: &ElementFilter) -> Result<bool> {
        from.open()?;
        let Node::List(elements) = from else {
            let (field, type_name) = (self.path.join("."), type_name(&from.value()?));
            return Err(invalid(format!("cannot apply `$pull` to `{field}`, which is not a list but {type_name}")));
        };
        let before = elements.len();
        for element in std::mem::take(elements) {
            if !condition.matches(&element.value()?) {
                elements.push(element);
            }
        }
        Ok(elements.len() != before)
    }
}

/// Where a value is, or is to be.
enum Place<'n, 'a> {
    There(&'n mut Node<'a>),
    Member(VacantEntry<'n, String, Node<'a>>),
    /// At or behind the end of a list.
    Element(&'n mut Vec<Node<'a>>, usize),
}

/// 5 and 5.0 are different values here, as they are in MongoDB.
fn set(place: Place<'_, '_>, value: Value) -> Result<bool> {
    match place {
        Place::There(old) if old.value()? == value => return Ok(false),
        Place::There(old) => *old = Node::New(value),
        Place::Member(entry) => drop(entry.insert(Node::New(value))),
        Place::Element(elements, index) => fill_up(elements, index, Node::New(value)),
    }
    Ok(true)
}

fn fill_up<'a>(elements: &mut Vec<Node<'a>>, index: usize, last: Node<'a>) {
    elements.resize_with(index, || Node::New(Value::Null));
    elements.push(last);
}

/// The place at a path; parents that are missing are made, as objects.
fn make<'n, 'a>(document: &'n mut Node<'a>, path: &[String]) -> Result<Place<'n, 'a>> {
    let Some((last, parents)) = path.split_last() else { return Ok(Place::There(document)) };
    let mut node = document;
    for segment in parents {
        let made = Node::Object(BTreeMap::new());
        node = match enter(node, segment)? {
            Place::There(inner) => inner,
            Place::Member(entry) => entry.insert(made),
            Place::Element(elements, index) => {
                fill_up(elements, index, made);
                elements.last_mut().ok_or_else(|| not_viable(segment, "a list"))?
            }
        };
    }
    enter(node, last)
}

fn enter<'n, 'a>(node: &'n mut Node<'a>, segment: &str) -> Result<Place<'n, 'a>> {
    node.open()?;
    match node {
        Node::Object(fields) => Ok(match fields.entry(segment.to_owned()) {
            Entry::Occupied(entry) => Place::There(entry.into_mut()),
            Entry::Vacant(entry) => Place::Member(entry),
        }),
        Node::List(elements) => {
            let index = position(segment).ok_or_else(|| not_viable(segment, "a list"))?;
            if index > elements.len() + MAX_PADDING {
                return Err(invalid(format!(
                    "the index {index} is more than {MAX_PADDING} behind the end of the list"
                )));
            }
            if index >= elements.len() {
                return Ok(Place::Element(elements, index));
            }
            elements.get_mut(index).map(Place::There).ok_or_else(|| not_viable(segment, "a list"))
        }
        other => Err(not_viable(segment, type_name(&other.value()?))),
    }
}

/// The value at a path, if there is one.
fn find<'n, 'a>(document: &'n mut Node<'a>, path: &[String]) -> Result<Option<&'n mut Node<'a>>> {
    let mut node = document;
    for segment in path {
        node.open()?;
        let inner = match node {
            Node::Object(fields) => fields.get_mut(segment),
            Node::List(elements) => position(segment).and_then(|index| elements.get_mut(index)),
            _ => None,
        };
        match inner {
            Some(inner) => node = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

/// An element of a list becomes null, so that those behind it keep their places.
fn unset(document: &mut Node<'_>, path: &[String]) -> Result<bool> {
    let Some((last, parents)) = path.split_last() else { return Ok(false) };
    let Some(parent) = find(document, parents)? else { return Ok(false) };
    parent.open()?;
    match parent {
        Node::Object(fields) => Ok(fields.remove(last).is_some()),
        Node::List(elements) => match position(last).and_then(|index| elements.get_mut(index)) {
            Some(element) => set(Place::There(element), Value::Null),
            None => Ok(false),
        },
        _ => Ok(false),
    }
}

/// A position in a list is written without leading zeros.
fn position(segment: &str) -> Option<usize> {
    let digits = segment.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (segment == "0" || !segment.starts_with('0'))).then(|| segment.parse().ok()).flatten()
}

fn not_viable(segment: &str, type_name: &str) -> host_adapters_records::Error {
    invalid(format!("cannot create the field `{segment}` in {type_name}"))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
