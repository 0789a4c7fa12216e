//! Documents within MongoDB's limits.

use super::invalid;
use crate::Result;
use serde_json::{Map, Value};

/// MongoDB's largest document.
const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

/// Checks a whole document before it is stored; answers its fields.
pub fn check_document(text: &str) -> Result<Map<String, Value>> {
    check_size(text.len())?;
    let fields: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| invalid(format!("a document is a JSON object: {error}")))?;
    match fields.keys().find(|name| name.starts_with('$')) {
        Some(name) => Err(invalid(format!("a document's field cannot be named `{name}`; pass the whole document"))),
        None => Ok(fields),
    }
}

/// Checks the size of a document's JSON text.
pub fn check_size(bytes: usize) -> Result<()> {
    if bytes > MAX_DOCUMENT_BYTES {
        return Err(invalid(format!("a document of {bytes} bytes; the most is {MAX_DOCUMENT_BYTES}")));
    }
    Ok(())
}
