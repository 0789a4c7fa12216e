//! A page of the documents that a filter finds, as MongoDB sorts and projects them; shared by the backends.
//!
//! Documents are in the order of the sort's paths; those that are equal there are in the order of an id that the
//! backend assigns. A page ends with a [`Place`]: the sort key and the id of its last document. The next page begins
//! after that place, so it neither skips nor repeats a document that did not change meanwhile.

mod page;
mod place;
mod projection;
mod sort;
mod sort_key;

pub use page::PageBuilder;
pub use place::{Place, foreign_place};
pub use projection::Projection;
pub use sort::{Sort, SortKey, order};

use crate::Result;
use crate::filter::Filter;
use crate::limits::document::MAX_LIMIT;
use crate::limits::invalid;
use host_adapters_records::documents::FindQuery;

/// A checked query.
#[derive(Debug)]
pub struct Query {
    /// Which documents.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// What of each.
    pub projection: Projection,
    /// The maximum number.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<Place>,
}

impl Query {
    /// Checks all parts of a query; fails with [`host_adapters_records::ErrorKind::Invalid`] and the fault.
    pub fn parse(query: &FindQuery) -> Result<Self> {
        if !(1..=MAX_LIMIT).contains(&query.limit) {
            return Err(invalid(format!("a limit of {}; it is 1 to {MAX_LIMIT}", query.limit)));
        }
        let sort = Sort::parse(&query.sort)?;
        Ok(Self {
            filter: Filter::parse(&query.filter)?,
            projection: Projection::parse(&query.projection)?,
            limit: query.limit as usize,
            after: query.after.as_deref().map(|token| Place::parse(token, &sort)).transpose()?,
            sort,
        })
    }

    /// Whether a document at this place belongs to this page or a later one.
    pub fn is_after(&self, place: &Place) -> bool {
        self.after.as_ref().is_none_or(|after| self.sort.order(place, after).is_gt())
    }
}
