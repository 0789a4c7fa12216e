//! A page that is being filled.

use super::{Place, Query};
use crate::limits::document::MAX_PAGE_BYTES;
use host_adapters_records::documents::DocumentPage;
use std::ops::ControlFlow;

/// The documents of a page so far. It takes them in the order of the query's sort.
#[derive(Debug)]
pub struct PageBuilder<'a> {
    query: &'a Query,
    items: Vec<String>,
    bytes: usize,
    last: Option<Place>,
    is_full: bool,
}

impl<'a> PageBuilder<'a> {
    /// An empty page of a query.
    pub fn new(query: &'a Query) -> Self {
        Self { query, items: Vec::new(), bytes: 0, last: None, is_full: false }
    }

    /// Adds a document, already projected; breaks where it belongs to the next page, by the query's limit or by
    /// [`MAX_PAGE_BYTES`].
    pub fn add(&mut self, place: Place, document: String) -> ControlFlow<()> {
        let too_long = !self.items.is_empty() && self.bytes + document.len() > MAX_PAGE_BYTES;
        if too_long || self.items.len() >= self.query.limit {
            self.is_full = true;
            return ControlFlow::Break(());
        }
        self.bytes += document.len();
        self.items.push(document);
        self.last = Some(place);
        ControlFlow::Continue(())
    }

    /// Whether a document was found that belongs to the next page.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// The page.
    pub fn build(self) -> DocumentPage {
        let next = self.last.filter(|_| self.is_full).map(|place| place.token(&self.query.sort));
        DocumentPage { items: self.items, next }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use host_adapters_records::documents::FindQuery;
    use serde_json::json;

    /// How many of the documents of these sizes a page takes, and whether there is another page.
    fn taken(limit: u32, sizes: &[usize]) -> (usize, bool) {
        let query = FindQuery { filter: "{}".to_owned(), sort: vec![], projection: vec![], limit, after: None };
        let query = Query::parse(&query).unwrap();
        let mut page = PageBuilder::new(&query);
        for (id, size) in sizes.iter().enumerate() {
            if page.add(Place { key: vec![], id: json!(id) }, "x".repeat(*size)).is_break() {
                break;
            }
        }
        let page = page.build();
        (page.items.len(), page.next.is_some())
    }

    #[test]
    fn ends_by_its_limit_or_by_its_bytes() {
        let half = MAX_PAGE_BYTES / 2;
        for (limit, sizes, expected) in [
            (2, &[][..], (0, false)),
            (2, &[1, 1], (2, false)),
            (2, &[1, 1, 1], (2, true)),
            (9, &[half, half], (2, false)),
            (9, &[half, half, 1], (2, true)),
            (9, &[half, half + 1], (1, true)),
            (9, &[3 * MAX_PAGE_BYTES], (1, false)),
            (9, &[3 * MAX_PAGE_BYTES, 1], (1, true)),
        ] {
            assert_eq!(taken(limit, sizes), expected, "{limit} {sizes:?}");
        }
    }
}
