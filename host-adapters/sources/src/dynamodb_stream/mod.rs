//! DynamoDB stream → worker: the changes of a table's items, in order.

mod attribute_value;
mod event;
#[cfg(feature = "host")]
mod host;
mod lambda;

#[cfg(feature = "host")]
pub use host::*;

use crate::lambda::Shape;

/// Changes arrive by the table's own stream, or as the data of a Kinesis stream for DynamoDB.
pub(crate) const LAMBDA: &[Shape] = &[
    Shape { field: Some("dynamodb"), id: "/dynamodb/SequenceNumber", event: lambda::dynamodb },
    Shape { field: Some("kinesis"), id: "/kinesis/sequenceNumber", event: lambda::kinesis },
];
