//! DynamoDB stream → worker: the changes of a table's items, in order.

mod attribute_value;
mod event;
#[cfg(feature = "host")]
mod host;
mod lambda;

#[cfg(feature = "host")]
pub use host::*;

#[cfg(feature = "host")]
pub(crate) use event::ordering_key_of;
pub(crate) use lambda::{ChangeInRecord, change_in, milliseconds, object};

use crate::lambda::{Open, Shape};

pub(crate) const LAMBDA: &[Shape] = &[Shape {
    field: Some("dynamodb"),
    id: "/dynamodb/SequenceNumber",
    event: lambda::dynamodb,
    fails_as_a_whole: false,
    is_description: false,
}];
pub(crate) const OPENS: Option<Open> = None;
