//! Documents, paths and pages within MongoDB's limits and ours.

use super::invalid;
use super::number::check_numbers;
use crate::Result;
use serde_json::{Map, Value};

/// MongoDB's largest document. We count the JSON text.
const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// MongoDB nests objects and lists no deeper.
const MAX_NESTING: usize = 100;
/// The longest path, ours.
const MAX_PATH_BYTES: usize = 1024;
/// The most documents of one page, ours.
pub const MAX_LIMIT: u32 = 1_000;
/// The most bytes of the documents of one page, as DynamoDB has it; a page of one document may be longer.
pub const MAX_PAGE_BYTES: usize = 1024 * 1024;
/// MongoDB sorts by 32 paths at most, of which the id is one.
pub const MAX_SORT_PATHS: usize = 31;

/// A checked document.
#[derive(Debug)]
pub struct Document {
    /// As given.
    pub text: String,
    /// Its members.
    pub fields: Map<String, Value>,
}

impl Document {
    /// Checks a whole document before it is stored.
    pub fn parse(text: String) -> Result<Self> {
        let fields = parse_object("a document", &text)?;
        if let Some(name) = fields.keys().find(|name| name.starts_with('$')) {
            return Err(invalid(format!("a document's field cannot be named `{name}`; pass the whole document")));
        }
        if fields.contains_key("_id") {
            return Err(invalid(NOT_YOURS));
        }
        check_fields(&fields, 1)?;
        Ok(Self { text, fields })
    }
}

/// Reads a JSON object whose numbers are kept to the last digit.
pub fn parse_object(what: &str, text: &str) -> Result<Map<String, Value>> {
    check_size(what, text.len())?;
    let fields = serde_json::from_str(text).map_err(|error| invalid(format!("{what} is a JSON object: {error}")))?;
    check_numbers(text)?;
    Ok(fields)
}

/// Checks the size of a JSON text.
pub fn check_size(what: &str, bytes: usize) -> Result<()> {
    if bytes > MAX_DOCUMENT_BYTES {
        return Err(invalid(format!("{what} of {bytes} bytes; the most is {MAX_DOCUMENT_BYTES}")));
    }
    Ok(())
}

/// Checks a value that is to be stored, or compared with a stored one, below `depth` levels.
pub fn check_value(value: &Value, depth: usize) -> Result<()> {
    match value {
        Value::Array(_) | Value::Object(_) if depth >= MAX_NESTING => {
            Err(invalid(format!("objects and lists are nested in each other by more than {MAX_NESTING} levels")))
        }
        Value::Array(values) => values.iter().try_for_each(|value| check_value(value, depth + 1)),
        Value::Object(fields) => check_fields(fields, depth + 1),
        _ => Ok(()),
    }
}

fn check_fields(fields: &Map<String, Value>, depth: usize) -> Result<()> {
    fields.iter().try_for_each(|(name, value)| {
        if name.starts_with('$') || name.contains('\0') {
            return Err(invalid(format!("a field cannot be named `{}`", name.escape_default())));
        }
        check_value(value, depth)
    })
}

const NOT_YOURS: &str = "`_id` is MongoDB's own; documents have an `id`";

/// The segments of a dotted path into a document.
pub fn parse_path(path: &str) -> Result<Vec<String>> {
    if path.len() > MAX_PATH_BYTES {
        return Err(invalid(format!("a path of {} bytes; the most is {MAX_PATH_BYTES}", path.len())));
    }
    let segments: Vec<_> = path.split('.').map(str::to_owned).collect();
    if segments.len() > MAX_NESTING {
        return Err(invalid(format!("a path of {} names; the most is {MAX_NESTING}", segments.len())));
    }
    if segments.iter().any(|segment| segment.is_empty() || segment.contains('\0')) {
        let path = path.escape_default();
        return Err(invalid(format!("`{path}` is not a path; write names with dots between: `date.updated`")));
    }
    if segments.iter().any(|segment| segment.starts_with('$')) {
        return Err(invalid(format!("`{path}`: names and positions beginning with `$` are not supported here")));
    }
    if segments.first().is_some_and(|first| first == "_id") {
        return Err(invalid(NOT_YOURS));
    }
    Ok(segments)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
    }

    #[test]
    fn takes_documents_within_the_limits() {
        for text in ["{}".to_owned(), r#"{"id": "a", "n": [1, 1.5], "by": {"_id": 1, "": 2}}"#.to_owned(), nested(100)]
        {
            assert_eq!(Document::parse(text.clone()).unwrap().text, text);
        }
    }

    #[test]
    fn refuses_documents_beyond() {
        for (text, word) in [
            ("[]".to_owned(), "JSON object"),
            (r#"{"$set": {"a": 1}}"#.to_owned(), "`$set`"),
            (r#"{"a": [{"$oid": "1"}]}"#.to_owned(), "`$oid`"),
            (r#"{"a": {"b\u0000c": 1}}"#.to_owned(), r"`b\u{0}c`"),
            (r#"{"_id": 1}"#.to_owned(), "`_id`"),
            (r#"{"a": {"n": 12345678901234567890}}"#.to_owned(), "`n`"),
            (nested(101), "100 levels"),
            (format!(r#"{{"a": "{}"}}"#, "x".repeat(MAX_DOCUMENT_BYTES)), "bytes"),
        ] {
            let error = Document::parse(text).unwrap_err();
            assert!(error.message.contains(word), "{word}: {error}");
        }
    }

    #[test]
    fn checks_paths() {
        assert_eq!(parse_path("a.0.b").unwrap(), ["a", "0", "b"]);
        assert_eq!(parse_path(&vec!["a"; 100].join(".")).unwrap().len(), 100);
        let (deep, long) = (vec!["a"; 101].join("."), "a".repeat(MAX_PATH_BYTES + 1));
        for path in ["", ".", "a..b", "a.", "a\0", "$a", "a.$", "a.$[x].b", "_id", "_id.x", &deep, &long] {
            assert!(parse_path(path).is_err(), "{path}");
        }
    }
}
