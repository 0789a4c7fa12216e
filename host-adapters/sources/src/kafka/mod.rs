//! Topic of the event log → worker: records in order under their keys, read by a group.

mod event;
#[cfg(feature = "host")]
mod host;
mod lambda;

#[cfg(feature = "host")]
pub use host::*;

use crate::lambda::{Open, Shape};

/// The id is the event's own business: Lambda names a record by its partition and its offset.
pub(crate) const LAMBDA: &[Shape] = &[Shape {
    field: Some("offset"),
    id: "/offset",
    event: lambda::event,
    fails_as_a_whole: false,
    is_description: true,
}];
/// A record holds no other events.
pub(crate) const OPENS: Option<Open> = None;
