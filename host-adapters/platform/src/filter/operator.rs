//! One operator of a filter, on the values that its path leads to.

use super::unsupported;
use crate::Result;
use crate::limits::document::check_value;
use crate::limits::invalid;
use host_adapters_json::{order_values, same_values};
use serde_json::Value;
use std::cmp::Ordering;

const KNOWN: &str = "$eq, $ne, $in, $exists, $gt, $gte, $lt, $lte, $regex";

#[derive(Debug)]
pub enum Operator {
    Eq(Value),
    Ne(Value),
    In(Vec<Value>),
    Exists(bool),
    Gt(Value),
    Gte(Value),
    Lt(Value),
    Lte(Value),
    /// `$regex` with nothing but a beginning.
    Prefix(String),
}

impl Operator {
    pub fn parse(name: &str, value: Value) -> Result<Self> {
        if !KNOWN.split(", ").any(|known| known == name) {
            return Err(unsupported(name, KNOWN));
        }
        check_value(&value, 0)?;
        if ["$gt", "$gte", "$lt", "$lte"].contains(&name) && order_values(&value, &value).is_none() {
            return Err(invalid(format!("`{name}` takes a number, a string or a boolean")));
        }
        Ok(match (name, value) {
            ("$eq", value) => Self::Eq(value),
            ("$ne", value) => Self::Ne(value),
            ("$in", Value::Array(values)) => Self::In(values),
            ("$in", _) => return Err(invalid("`$in` takes a list")),
            ("$exists", Value::Bool(exists)) => Self::Exists(exists),
            ("$exists", _) => return Err(invalid("`$exists` takes true or false")),
            ("$gt", value) => Self::Gt(value),
            ("$gte", value) => Self::Gte(value),
            ("$lt", value) => Self::Lt(value),
            ("$lte", value) => Self::Lte(value),
            ("$regex", value) => Self::Prefix(parse_prefix(&value)?),
            _ => return Err(unsupported(name, KNOWN)),
        })
    }

    pub fn matches(&self, found: &[&Value]) -> bool {
        let ordered = |value: &Value, accept: fn(Ordering) -> bool| {
            candidates(found).any(|found| order_values(found, value).is_some_and(accept))
        };
        match self {
            Self::Eq(value) => equals(found, value),
            Self::Ne(value) => !equals(found, value),
            Self::In(values) => values.iter().any(|value| equals(found, value)),
            Self::Exists(exists) => found.is_empty() != *exists,
            Self::Gt(value) => ordered(value, Ordering::is_gt),
            Self::Gte(value) => ordered(value, Ordering::is_ge),
            Self::Lt(value) => ordered(value, Ordering::is_lt),
            Self::Lte(value) => ordered(value, Ordering::is_le),
            Self::Prefix(prefix) => {
                candidates(found).filter_map(Value::as_str).any(|found| found.starts_with(prefix.as_str()))
            }
        }
    }
}

/// The beginning that a pattern `^…` asks for: plain characters, and punctuation behind a backslash. MongoDB gets the
/// pattern as it is, and uses an index for it.
fn parse_prefix(pattern: &Value) -> Result<String> {
    let plain = |char: char| !r".^$*+?()[]{}|\".contains(char) && char != '\0';
    let refused =
        || invalid("`$regex` takes a beginning: `^` and plain characters, others behind a backslash: `^\\+1`");
    let mut chars = pattern.as_str().and_then(|text| text.strip_prefix('^')).ok_or_else(refused)?.chars();
    let mut prefix = String::new();
    while let Some(char) = chars.next() {
        let escaped = if char == '\\' {
            chars.next().filter(char::is_ascii_punctuation)
        } else {
            Some(char).filter(|it| plain(*it))
        };
        prefix.push(escaped.ok_or_else(refused)?);
    }
    Ok(prefix)
}

/// Null equals a missing value, and a list equals each of its elements, as in MongoDB.
fn equals(found: &[&Value], value: &Value) -> bool {
    (value.is_null() && found.is_empty()) || candidates(found).any(|found| same_values(found, value))
}

fn candidates<'a>(found: &'a [&'a Value]) -> impl Iterator<Item = &'a Value> {
    let elements = found.iter().filter_map(|value| value.as_array()).flatten();
    found.iter().copied().chain(elements)
}
