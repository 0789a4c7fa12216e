//! MongoDB's filters, as far as the workers need them: equality and operators on dotted paths, `$and`, `$or`. Anything
//! else is an error that names it; a filter never silently matches something else.

mod condition;
mod element;
mod operator;

use crate::Result;
use crate::limits::document::parse_object;
use crate::limits::invalid;
use condition::Condition;
pub use element::ElementFilter;
use host_adapters_records::Error;
use serde_json::{Map, Value};

/// A checked filter.
#[derive(Debug)]
pub struct Filter {
    source: Map<String, Value>,
    condition: Condition,
}

impl Filter {
    /// Reads a filter; [`host_adapters_records::ErrorKind::Invalid`] names what it does not know.
    pub fn parse(text: &str) -> Result<Self> {
        let source = parse_object("a filter", text)?;
        Ok(Self { condition: Condition::parse(source.clone())?, source })
    }

    /// As MongoDB reads it.
    pub fn source(&self) -> &Map<String, Value> {
        &self.source
    }

    /// Whether it finds this document.
    pub fn matches(&self, document: &Value) -> bool {
        self.condition.matches(document)
    }

    /// A string that the document's `field` must equal, if the filter requires that at its top level: a value for an
    /// index.
    pub fn required(&self, field: &str) -> Option<&str> {
        self.condition.required(field)
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
