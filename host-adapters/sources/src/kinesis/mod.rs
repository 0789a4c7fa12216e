//! Kinesis data stream → worker: records in order under their partition keys.
//!
//! A record may hold several, packed by the Kinesis Producer Library (`aggregate.rs`), and its data may be a change of a
//! table, where the stream is one for DynamoDB: then its event is that of the source `dynamodb-stream`.

mod aggregate;
mod event;
#[cfg(feature = "host")]
mod host;
mod lambda;

#[cfg(feature = "host")]
pub use host::*;

use crate::lambda::{Open, Shape};

pub(crate) const LAMBDA: &[Shape] = &[Shape {
    field: Some("kinesis"),
    id: "/kinesis/sequenceNumber",
    event: lambda::event,
    fails_as_a_whole: false,
    is_description: true,
}];
/// A producer may have packed several records into one.
pub(crate) const OPENS: Option<Open> = Some(lambda::opened);
