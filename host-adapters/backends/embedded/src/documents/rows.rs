//! The documents that a filter finds, oldest first. `id` and `slug` have an index each; any other filter looks at the
//! whole collection.

use host_adapters_platform::filter::Filter;
use rusqlite::{Connection, OptionalExtension, Params};
use serde_json::Value;
use std::ops::ControlFlow;

/// Receives a document's row number, its text and its value.
pub(super) trait Visit: FnMut(i64, &str, Value) -> ControlFlow<()> {}

impl<F: FnMut(i64, &str, Value) -> ControlFlow<()>> Visit for F {}

/// Selects documents by an index: the text itself, and every list, whose JSON begins with `[`, because the text may be in
/// it. The filter sorts out the others.
macro_rules! indexed {
    ($path:literal) => {
        concat!(
            "SELECT id, document FROM documents WHERE collection = ?1 AND id > ?2 AND document ->> '",
            $path,
            "' = ?3 UNION ALL SELECT id, document FROM documents WHERE collection = ?1 AND id > ?2 AND document ->> '",
            $path,
            r"' >= '[' AND document ->> '",
            $path,
            r"' < '\' AND document ->> '",
            $path,
            "' <> ?3 ORDER BY id"
        )
    };
}
/// Visits each document behind the row `after` that the filter finds, until the visitor breaks off.
pub(super) fn each(
    conn: &Connection,
    collection: i64,
    filter: &Filter,
    after: i64,
    visit: impl Visit,
) -> rusqlite::Result<()> {
    let all = "SELECT id, document FROM documents WHERE collection = ?1 AND id > ?2 ORDER BY id";
    let (by_id, by_slug) = (indexed!("$.id"), indexed!("$.slug"));
    match (usable(filter.required("id")), usable(filter.required("slug"))) {
        (Some(id), _) => matching(conn, by_id, (collection, after, id), filter, visit),
        (None, Some(slug)) => matching(conn, by_slug, (collection, after, slug), filter, visit),
        (None, None) => matching(conn, all, (collection, after), filter, visit),
    }
}

/// A document by its row number, with its value.
pub(super) fn get(conn: &Connection, id: i64) -> rusqlite::Result<Option<(String, Value)>> {
    let mut select = conn.prepare_cached("SELECT document FROM documents WHERE id = ?1")?;
    let text: Option<String> = select.query_row([id], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok().map(|document| (text, document))))
}

/// What SQLite's JSON functions read as we do: they end a text at a NUL.
fn usable(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.contains('\0'))
}

fn matching(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    filter: &Filter,
    mut visit: impl Visit,
) -> rusqlite::Result<()> {
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query(params)?;
    while let Some(row) = rows.next()? {
        let text = row.get_ref(1)?.as_str()?;
        // Only what parsed is ever stored.
        let Ok(document) = serde_json::from_str(text) else { continue };
        if filter.matches(&document) && visit(row.get(0)?, text, document).is_break() {
            return Ok(());
        }
    }
    Ok(())
}
