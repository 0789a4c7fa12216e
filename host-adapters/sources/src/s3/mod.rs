//! S3 → worker: created objects, from S3's notifications in a queue.

mod event;
#[cfg(feature = "host")]
mod host;
pub(crate) mod lambda;
mod notification;

#[cfg(feature = "host")]
pub use host::*;

use crate::lambda::Shape;

/// S3 invokes a function directly, or through SNS. [`lambda::opened`] reads the messages of SQS.
pub(crate) const LAMBDA: &[Shape] = &[
    Shape { field: Some("s3"), id: "/responseElements/x-amz-request-id", event: lambda::direct },
    Shape { field: Some("Sns"), id: "/Sns/MessageId", event: lambda::sns },
];
