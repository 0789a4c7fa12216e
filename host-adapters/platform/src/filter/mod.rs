//! MongoDB's filters, as far as the workers need them: equality and operators on dotted paths, `$and`, `$or`. Anything
//! else is an error that names it; a filter never silently matches something else.

mod element;
mod operator;

use crate::Result;
use crate::limits::invalid;
pub use element::ElementFilter;
use host_adapters_records::Error;
use operator::Operator;
use serde_json::{Map, Value};

/// A parsed filter.
#[derive(Debug)]
pub enum Filter {
    /// All of them hold.
    All(Vec<Filter>),
    /// At least one of them holds.
    Any(Vec<Filter>),
    /// The operator holds for what is found at the path.
    Field {
        /// Names from the document's root inwards.
        path: Vec<String>,
        /// The comparison.
        operator: Operator,
    },
}

impl Filter {
    /// Reads a filter; [`host_adapters_records::ErrorKind::Invalid`] names what it does not know.
    pub fn parse(text: &str) -> Result<Self> {
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Self::parse_fields(fields),
            Ok(_) => Err(invalid("a filter is a JSON object")),
            Err(error) => Err(invalid(format!("a filter is a JSON object: {error}"))),
        }
    }

    fn parse_fields(fields: Map<String, Value>) -> Result<Self> {
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
            Value::Object(fields) => Self::parse_fields(fields),
            _ => Err(invalid(format!("`{name}` takes a list of filters, which are JSON objects"))),
        };
        filters.into_iter().map(parse).collect()
    }

    fn parse_field(name: &str, value: Value) -> Result<Vec<Self>> {
        let path: Vec<_> = name.split('.').map(str::to_owned).collect();
        let field = |operator| Self::Field { path: path.clone(), operator };
        match value {
            Value::Object(operators) if operators.keys().any(|name| name.starts_with('$')) => {
                let parse = |(name, value): (String, Value)| Operator::parse(&name, value).map(field);
                operators.into_iter().map(parse).collect()
            }
            value => Ok(vec![field(Operator::Eq(value))]),
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

/// The error for an operator that this project does not know.
pub fn unsupported(name: &str, known: &str) -> Error {
    invalid(format!("the operator `{name}` is not supported here; supported: {known}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finds(filter: Value) -> bool {
        let document = json!({
            "id": "c1", "n": 5, "at": "2024-01-15T10:00:00Z", "gone": null, "tags": ["a", "b"],
            "date": {"open": "2024-01-01"}, "gates": [{"type": "invite"}, {"type": "idv", "level": 2}],
        });
        Filter::parse(&filter.to_string()).unwrap().matches(&document)
    }

    #[test]
    fn matches_as_mongo_does() {
        for (filter, expected) in [
            (json!({}), true),
            (json!({"id": "c1"}), true),
            (json!({"id": "c1", "n": 6}), false),
            (json!({"n": 5.0}), true),
            (json!({"date": {"open": "2024-01-01"}}), true),
            (json!({"date.open": {"$lte": "2024-01-01"}}), true),
            (json!({"date.open": {"$gt": "2024-01-01"}}), false),
            (json!({"n": {"$gt": 4, "$lt": 6}}), true),
            (json!({"n": {"$gt": "4"}}), false),
            (json!({"tags": "b"}), true),
            (json!({"tags": ["a", "b"]}), true),
            (json!({"tags": ["b", "a"]}), false),
            (json!({"tags.1": "b"}), true),
            (json!({"tags": {"$ne": "b"}}), false),
            (json!({"gates.type": "idv"}), true),
            (json!({"gates.level": {"$gte": 2}}), true),
            (json!({"gates.1.level": 2}), true),
            (json!({"id": {"$in": ["x", "c1"]}}), true),
            (json!({"id": {"$in": []}}), false),
            (json!({"gone": null}), true),
            (json!({"missing": null}), true),
            (json!({"id": null}), false),
            (json!({"missing": {"$ne": 1}}), true),
            (json!({"missing": {"$exists": false}}), true),
            (json!({"gone": {"$exists": true}}), true),
            (json!({"missing": {"$lt": 1}}), false),
            (json!({"id": {"$regex": "^c1"}}), true),
            (json!({"id": {"$regex": "^1"}}), false),
            (json!({"tags": {"$regex": "^b"}}), true),
            (json!({"n": {"$regex": "^5"}}), false),
            (json!({"date.open": {"$regex": "^2024\\-01"}}), true),
            (json!({"$or": [{"n": 1}, {"id": "c1"}]}), true),
            (json!({"$and": [{"n": 5}, {"id": "c2"}]}), false),
        ] {
            assert_eq!(finds(filter.clone()), expected, "{filter}");
        }
    }

    #[test]
    fn names_what_it_does_not_support() {
        for (filter, word) in [
            (json!({"id": {"$regex": "c"}}), "`$regex`"),
            (json!({"id": {"$regex": "^c", "$options": "i"}}), "`$options`"),
            (json!({"id": {"$regex": "^c.*"}}), "`$regex`"),
            (json!({"id": {"$regex": "^\\d"}}), "`$regex`"),
            (json!({"$where": "true"}), "`$where`"),
            (json!({"$or": {}}), "`$or`"),
            (json!({"$and": []}), "`$and`"),
            (json!({"n": {"$in": 5}}), "`$in`"),
            (json!({"n": {"$exists": 1}}), "`$exists`"),
            (json!({"n": {"$gt": 1, "x": 2}}), "`x`"),
            (json!([]), "JSON object"),
        ] {
            let error = Filter::parse(&filter.to_string()).unwrap_err();
            assert!(error.message.contains(word), "{filter}: {error}");
        }
    }

    #[test]
    fn finds_what_an_index_can_use() {
        let required = |filter: Value| Filter::parse(&filter.to_string()).unwrap().required("slug").map(str::to_owned);
        assert_eq!(required(json!({"slug": "s", "n": 1})), Some("s".to_owned()));
        assert_eq!(required(json!({"$and": [{"slug": "s"}]})), Some("s".to_owned()));
        assert_eq!(required(json!({"$or": [{"slug": "s"}, {"n": 1}]})), None);
        assert_eq!(required(json!({"slug": {"$ne": "s"}})), None);
    }
}
