//! S3 → worker: created objects, from S3's notifications in a queue.

mod event;
#[cfg(feature = "host")]
mod host;
mod lambda;
mod notification;

#[cfg(feature = "host")]
pub use host::*;

use crate::lambda::{Open, Shape};

/// S3 invokes a function directly, or through SNS; both ignore the response.
pub(crate) const LAMBDA: &[Shape] = &[
    Shape {
        field: Some("s3"),
        id: "/responseElements/x-amz-request-id",
        event: lambda::direct,
        fails_as_a_whole: true,
        is_description: true,
    },
    Shape {
        field: Some("Sns"),
        id: "/Sns/MessageId",
        event: lambda::sns,
        fails_as_a_whole: true,
        is_description: true,
    },
];
/// A message of SQS or SNS holds the records of objects.
pub(crate) const OPENS: Option<Open> = Some(lambda::opened);
