//! S3 → worker: objects that were created, as S3's notifications in a queue tell.

mod event;
#[cfg(feature = "host")]
mod host;
pub(crate) mod lambda;
mod notification;

#[cfg(feature = "host")]
pub use host::*;

use crate::lambda::Shape;

/// S3 calls a function directly, or through SNS. What a message of SQS holds, [`lambda::opened`] tells.
pub(crate) const LAMBDA: &[Shape] = &[
    Shape { field: Some("s3"), id: "/responseElements/x-amz-request-id", event: lambda::direct },
    Shape { field: Some("Sns"), id: "/Sns/MessageId", event: lambda::sns },
];
