//! S3 → worker: objects that were created, as S3's notifications in a queue tell.

mod event;
#[cfg(feature = "host")]
mod host;
mod lambda;
mod notification;

#[cfg(feature = "host")]
pub use host::*;

use crate::lambda::{Open, Shape};

/// S3 calls a function directly, or through SNS; neither waits for an answer.
pub(crate) const LAMBDA: &[Shape] = &[
    Shape {
        field: Some("s3"),
        id: "/responseElements/x-amz-request-id",
        event: lambda::direct,
        fails_as_a_whole: true,
    },
    Shape { field: Some("Sns"), id: "/Sns/MessageId", event: lambda::sns, fails_as_a_whole: true },
];
/// A message of SQS or SNS holds the records of objects.
pub(crate) const OPENS: Option<Open> = Some(lambda::opened);
