//! The conditions of a filter.

use super::operator::Operator;
use super::unsupported;
use crate::Result;
use crate::limits::document::parse_path;
use crate::limits::invalid;
use serde_json::{Map, Value};

/// A filter, or a part of one.
#[derive(Debug)]
pub enum Condition {
    /// All of them hold.
    All(Vec<Condition>),
    /// At least one of them holds.
    Any(Vec<Condition>),
    /// The operator holds for what is found at the path.
    Field {
        /// Names from the document's root inwards.
        path: Vec<String>,
        /// The comparison.
        operator: Operator,
    },
}

impl Condition {
    /// Reads the members of a filter.
    pub fn parse(fields: Map<String, Value>) -> Result<Self> {
        let mut all = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            match name.as_str() {
                "$and" => all.push(Self::All(Self::parse_list("$and", value)?)),
                "$or" => all.push(Self::Any(Self::parse_list("$or", value)?)),
                _ if name.starts_with('$') => return Err(unsupported(&name, "$and, $or")),
                _ => all.extend(Self::parse_field(&name, value)?),
            }
        }
        Ok(Self::All(all))
    }

    fn parse_list(name: &str, value: Value) -> Result<Vec<Self>> {
        let Value::Array(filters) = value else { return Err(invalid(format!("`{name}` takes a list of filters"))) };
        if filters.is_empty() {
            return Err(invalid(format!("`{name}` takes a list of at least one filter")));
        }
        let parse = |filter| match filter {
            Value::Object(fields) => Self::parse(fields),
            _ => Err(invalid(format!("`{name}` takes a list of filters, which are JSON objects"))),
        };
        filters.into_iter().map(parse).collect()
    }

    fn parse_field(name: &str, value: Value) -> Result<Vec<Self>> {
        let path = parse_path(name)?;
        let field = |operator| Self::Field { path: path.clone(), operator };
        match value {
            Value::Object(operators) if operators.keys().any(|name| name.starts_with('$')) => {
                let parse = |(name, value): (String, Value)| Operator::parse(&name, value).map(field);
                operators.into_iter().map(parse).collect()
            }
            value => Operator::parse("$eq", value).map(|equals| vec![field(equals)]),
        }
    }

    /// Whether it finds this document.
    pub fn matches(&self, document: &Value) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.matches(document)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(document)),
            Self::Field { path, operator } => {
                let mut found = Vec::new();
                collect(document, path, &mut found);
                operator.matches(&found)
            }
        }
    }

    /// A string that the document's `field` must equal, if the filter requires that at its top level: a value for an
    /// index.
    pub fn required(&self, field: &str) -> Option<&str> {
        match self {
            Self::All(filters) => filters.iter().find_map(|filter| filter.required(field)),
            Self::Field { path, operator: Operator::Eq(Value::String(value)) } if *path == [field] => Some(value),
            _ => None,
        }
    }
}

/// All values at a path; through a list it leads into each element, and by number into one.
fn collect<'a>(value: &'a Value, path: &[String], found: &mut Vec<&'a Value>) {
    let Some((first, rest)) = path.split_first() else {
        found.push(value);
        return;
    };
    match value {
        Value::Object(fields) => {
            if let Some(inner) = fields.get(first) {
                collect(inner, rest, found);
            }
        }
        Value::Array(elements) => {
            if let Some(inner) = first.parse().ok().and_then(|index: usize| elements.get(index)) {
                collect(inner, rest, found);
            }
            for inner in elements.iter().filter(|element| element.is_object()) {
                collect(inner, path, found);
            }
        }
        _ => {}
    }
}
