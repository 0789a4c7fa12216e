//! An update, applied to one document in memory.

use super::{Change, Operator, Update};
use crate::Result;
use crate::filter::ElementFilter;
use crate::limits::invalid;
use serde_json::map::{Entry, VacantEntry};
use serde_json::{Map, Number, Value};

/// How many nulls MongoDB fills a list up with at most, to set an element behind its end.
const MAX_PADDING: usize = 1_500_000;

impl Update {
    /// Changes a document; answers whether it is another one now. It is not to be used after an error.
    pub fn apply(&self, document: &mut Value) -> Result<bool> {
        self.0.iter().try_fold(false, |changed, change| Ok(change.apply(document)? || changed))
    }
}

impl Change {
    fn apply(&self, document: &mut Value) -> Result<bool> {
        match &self.operator {
            Operator::Set(value) => Ok(set(make(document, &self.path)?, value.clone())),
            Operator::Inc(by) => self.increase(make(document, &self.path)?, by),
            Operator::Unset => Ok(unset(document, &self.path)),
            Operator::Pull(condition) => match find(document, &self.path) {
                Some(found) => self.pull(found, condition),
                None => Ok(false),
            },
        }
    }

    fn increase(&self, place: Place<'_>, by: &Number) -> Result<bool> {
        let sum = match &place {
            Place::There(Value::Number(number)) => self.sum(number, by)?,
            Place::There(other) => {
                let (field, type_name) = (self.path.join("."), type_name(other));
                return Err(invalid(format!("cannot apply `$inc` to `{field}`, whose type is {type_name}")));
            }
            _ => by.clone(),
        };
        Ok(set(place, Value::Number(sum)))
    }

    /// Integers stay integers.
    fn sum(&self, number: &Number, by: &Number) -> Result<Number> {
        let sum = match (number.as_i64(), by.as_i64()) {
            (Some(a), Some(b)) => a.checked_add(b).map(Number::from),
            _ => number.as_f64().zip(by.as_f64()).and_then(|(a, b)| Number::from_f64(a + b)),
        };
        sum.ok_or_else(|| invalid(format!("`$inc` of `{}` by {by} exceeds what a number holds", self.path.join("."))))
    }

    fn pull(&self, from: &mut Value, condition: &ElementFilter) -> Result<bool> {
        let Value::Array(elements) = from else {
            let (field, type_name) = (self.path.join("."), type_name(from));
            return Err(invalid(format!("cannot apply `$pull` to `{field}`, which is not a list but {type_name}")));
        };
        let before = elements.len();
        elements.retain(|element| !condition.matches(element));
        Ok(elements.len() != before)
    }
}

/// Where a value is, or is to be.
enum Place<'a> {
    There(&'a mut Value),
    Member(VacantEntry<'a>),
    /// At or behind the end of a list.
    Element(&'a mut Vec<Value>, usize),
}

/// 5 and 5.0 are different values here, as they are in MongoDB.
fn set(place: Place<'_>, value: Value) -> bool {
    match place {
        Place::There(old) if *old == value => return false,
        Place::There(old) => *old = value,
        Place::Member(entry) => drop(entry.insert(value)),
        Place::Element(elements, index) => {
            elements.resize(index, Value::Null);
            elements.push(value);
        }
    }
    true
}

/// The place at a path; parents that are missing are made, as objects.
fn make<'a>(document: &'a mut Value, path: &[String]) -> Result<Place<'a>> {
    let Some((last, parents)) = path.split_last() else { return Ok(Place::There(document)) };
    let mut value = document;
    for segment in parents {
        value = match enter(value, segment)? {
            Place::There(inner) => inner,
            Place::Member(entry) => entry.insert(Value::Object(Map::new())),
            Place::Element(elements, index) => {
                elements.resize(index + 1, Value::Null);
                let made = elements.last_mut().ok_or_else(|| not_viable(segment, "a list"))?;
                *made = Value::Object(Map::new());
                made
            }
        };
    }
    enter(value, last)
}

fn enter<'a>(value: &'a mut Value, segment: &str) -> Result<Place<'a>> {
    let type_name = type_name(value);
    match value {
        Value::Object(fields) => Ok(match fields.entry(segment) {
            Entry::Occupied(entry) => Place::There(entry.into_mut()),
            Entry::Vacant(entry) => Place::Member(entry),
        }),
        Value::Array(elements) => {
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
        _ => Err(not_viable(segment, type_name)),
    }
}

/// What is at a path, if it leads to something.
fn find<'a>(document: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(document, |value, segment| match value {
        Value::Object(fields) => fields.get_mut(segment),
        Value::Array(elements) => elements.get_mut(position(segment)?),
        _ => None,
    })
}

/// An element of a list becomes null, so that those behind it keep their places.
fn unset(document: &mut Value, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    match find(document, parents) {
        Some(Value::Object(fields)) => fields.remove(last).is_some(),
        Some(Value::Array(elements)) => match position(last).and_then(|index| elements.get_mut(index)) {
            Some(element) => !std::mem::take(element).is_null(),
            None => false,
        },
        _ => false,
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
