//! Where a page ends. As a token it is a JSON object, opaque to workers: `{"sort": ["+date.open", "-n"], "key": [...],
//! "id": ...}`: the sort that it belongs to (`+` ascending, `-` descending), the values of its paths in the last
//! document, and the backend's id of that document.

use super::{Sort, SortKey};
use crate::Result;
use crate::limits::invalid;
use host_adapters_records::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The place of a document in the order of a sort.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The values of the sort's paths.
    pub key: SortKey,
    /// What tells documents with equal keys apart.
    pub id: Value,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Token {
    sort: Vec<String>,
    key: SortKey,
    id: Value,
}

/// The error for a place that this backend never returned: its id or a value of its key is not one of the backend's.
pub fn foreign_place() -> Error {
    invalid("`after` is not a place in these documents; pass `next` of the page before")
}

impl Place {
    /// Reads a token of the same sort.
    pub(super) fn parse(token: &str, sort: &Sort) -> Result<Self> {
        let token: Token = serde_json::from_str(token).map_err(|_| foreign_place())?;
        if token.sort != sort.words() || token.key.len() != token.sort.len() {
            return Err(invalid("`after` belongs to another sort; pass `next` of the page before, of the same query"));
        }
        Ok(Self { key: token.key, id: token.id })
    }

    /// As a token.
    pub fn token(self, sort: &Sort) -> String {
        let Self { key, id } = self;
        serde_json::json!({"sort": sort.words(), "key": key, "id": id}).to_string()
    }
}
