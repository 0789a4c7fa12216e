//! Reading items: by key, and by the beginning of the sort key.

use super::{Table, rows};
use host_adapters_platform::Result;
use host_adapters_platform::limits::invalid;
use host_adapters_platform::limits::item::{check_key, check_pk};
use host_adapters_records::table::{Key, Page, Query};
use rusqlite::{Connection, params};

/// The number of bytes after which a page ends, as in DynamoDB.
const PAGE_BYTES: usize = 1024 * 1024;

/// Checks the keys of a read; one wrong key fails the whole read.
pub(super) fn check_keys(keys: &[Key]) -> Result<()> {
    keys.iter().try_for_each(check_key)
}

/// The items in the order of the keys.
pub(super) fn get_all(conn: &Connection, table: &Table, keys: &[Key]) -> rusqlite::Result<Vec<Option<String>>> {
    keys.iter().map(|key| rows::get(conn, table.id, key)).collect()
}

/// Checks the arguments of a query.
pub(super) fn check_query(query: &Query) -> Result<()> {
    check_pk(&query.pk)?;
    match query.limit {
        0 => Err(invalid("a query's `limit` must be at least 1")),
        _ => Ok(()),
    }
}

/// A page of a query. Rows are in the order of their keys, so the first that does not begin with the prefix ends the
/// page.
pub(super) fn page(conn: &Connection, table: &Table, query: &Query) -> rusqlite::Result<Page> {
    // SQLite compares text by its bytes, as DynamoDB does. Every sort key is greater than an empty string.
    let after = query.after.as_deref().unwrap_or("");
    let sql = "SELECT sk, item FROM items WHERE tab = ?1 AND pk = ?2 AND sk >= ?3 AND sk > ?4 ORDER BY sk";
    let mut select = conn.prepare_cached(sql)?;
    let mut found = select.query(params![table.id, query.pk, query.prefix, after])?;
    let (mut page, mut bytes, mut last) = (Page { items: Vec::new(), next: None }, 0, None);
    while let Some(row) = found.next()? {
        let sk = row.get_ref(0)?.as_str()?;
        if !sk.starts_with(&query.prefix) {
            break;
        }
        if page.items.len() >= query.limit as usize || bytes >= PAGE_BYTES {
            page.next = last;
            break;
        }
        let item: String = row.get(1)?;
        bytes += item.len();
        last = Some(sk.to_owned());
        page.items.push(item);
    }
    Ok(page)
}
