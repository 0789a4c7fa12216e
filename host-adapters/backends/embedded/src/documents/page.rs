//! A page of documents in the order of a sort; the row number is the id that tells equal ones apart.

use super::rows;
use host_adapters_platform::Result;
use host_adapters_platform::find::{PageBuilder, Place, Query, foreign_place};
use host_adapters_records::documents::DocumentPage;
use rusqlite::Connection;
use serde_json::Value;
use std::ops::ControlFlow;

/// The row behind which a page without a sort begins; 0 where all rows are to be looked at.
pub(super) fn row_after(query: &Query) -> Result<i64> {
    let Some(after) = &query.after else { return Ok(0) };
    let row = after.id.as_i64().ok_or_else(foreign_place)?;
    Ok(if query.sort.is_empty() { row } else { 0 })
}

pub(super) fn read(
    conn: &Connection,
    collection: i64,
    query: &Query,
    after: i64,
) -> rusqlite::Result<Result<DocumentPage>> {
    if query.sort.is_empty() { by_row(conn, collection, query, after).map(Ok) } else { sorted(conn, collection, query) }
}

fn by_row(conn: &Connection, collection: i64, query: &Query, after: i64) -> rusqlite::Result<DocumentPage> {
    let mut page = PageBuilder::new(query);
    rows::each(conn, collection, &query.filter, after, |id, text, document| {
        page.add(Place { key: Vec::new(), id: id.into() }, projected(query, text, document))
    })?;
    Ok(page.build())
}

/// Finds the places of the documents first, and then reads those that the page has room for.
fn sorted(conn: &Connection, collection: i64, query: &Query) -> rusqlite::Result<Result<DocumentPage>> {
    let places = match places(conn, collection, query)? {
        Ok(places) => places,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut page = PageBuilder::new(query);
    for place in places {
        let Some((text, document)) = place.id.as_i64().map(|id| rows::get(conn, id)).transpose()?.flatten() else {
            continue;
        };
        if page.add(place, projected(query, &text, document)).is_break() {
            break;
        }
    }
    Ok(Ok(page.build()))
}

/// The first places of a page; one more than it can have, which tells whether there is a next page.
fn places(conn: &Connection, collection: i64, query: &Query) -> rusqlite::Result<Result<Vec<Place>>> {
    let enough = query.limit + 1;
    let (mut found, mut refused) = (Vec::new(), None);
    rows::each(conn, collection, &query.filter, 0, |id, _, document| {
        match query.sort.key(&document) {
            Ok(key) => found.push(Place { key, id: id.into() }),
            Err(error) => {
                refused = Some(error);
                return ControlFlow::Break(());
            }
        }
        if found.last().is_some_and(|place| !query.is_after(place)) {
            found.pop();
        }
        // Sorted at intervals, so that only a few pages are kept.
        if found.len() >= 4 * enough {
            keep_first(query, &mut found, enough);
        }
        ControlFlow::Continue(())
    })?;
    keep_first(query, &mut found, enough);
    Ok(refused.map_or(Ok(found), Err))
}

fn keep_first(query: &Query, found: &mut Vec<Place>, count: usize) {
    found.sort_by(|a, b| query.sort.order(a, b));
    found.truncate(count);
}

fn projected(query: &Query, text: &str, document: Value) -> String {
    if query.projection.keeps_all() { text.to_owned() } else { query.projection.apply(document).to_string() }
}
