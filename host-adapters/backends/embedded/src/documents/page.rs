//! A page of documents in the order of a sort; the row number is the id that tells equal ones apart.

use super::rows;
use host_adapters_platform::Result;
use host_adapters_platform::find::{Place, Query};
use host_adapters_platform::limits::invalid;
use host_adapters_records::documents::DocumentPage;
use rusqlite::Connection;
use std::ops::ControlFlow;

/// A document with its place; the text is already projected.
type Found = (Place, String);

/// The row behind which a page without a sort begins; 0 where all rows are to be looked at.
pub(super) fn row_after(query: &Query) -> Result<i64> {
    let Some(after) = &query.after else { return Ok(0) };
    let row = after.id.as_i64().ok_or_else(|| invalid("`after` is not a place in these documents"))?;
    Ok(if query.sort.is_empty() { row } else { 0 })
}

pub(super) fn read(conn: &Connection, collection: i64, query: Query, after: i64) -> rusqlite::Result<DocumentPage> {
    // One more tells whether there is a next page.
    let enough = query.limit + 1;
    let mut found: Vec<Found> = Vec::new();
    rows::each(conn, collection, &query.filter, after, |id, text, document| {
        let place = Place { key: query.sort.key(&document), id: id.into() };
        if query.is_after(&place) {
            let whole = query.projection.keeps_all();
            found.push((place, if whole { text.to_owned() } else { query.projection.apply(document).to_string() }));
        }
        if found.len() >= enough && query.sort.is_empty() {
            return ControlFlow::Break(());
        }
        // Sorted now and then, so that no more is kept than some pages.
        if found.len() >= 4 * enough {
            keep_first(&query, &mut found, enough);
        }
        ControlFlow::Continue(())
    })?;
    keep_first(&query, &mut found, enough);
    Ok(page(&query, found))
}

fn keep_first(query: &Query, found: &mut Vec<Found>, count: usize) {
    found.sort_by(|(a, _), (b, _)| query.sort.order(a, b));
    found.truncate(count);
}

fn page(query: &Query, mut found: Vec<Found>) -> DocumentPage {
    let more = found.len() > query.limit;
    found.truncate(query.limit);
    let last = found.last().filter(|_| more).map(|(place, _)| place.clone().token(&query.sort));
    DocumentPage { items: found.into_iter().map(|(_, text)| text).collect(), next: last }
}
