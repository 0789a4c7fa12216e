//! SQS queue → worker: messages are gathered, handed over, and settled one by one.

mod event;
#[cfg(feature = "host")]
mod host;
mod lambda;

#[cfg(feature = "host")]
pub use host::*;

use crate::lambda::Shape;

/// A message: the shape of records without a distinguishing field.
pub(crate) const MESSAGE: Shape = Shape { field: None, id: "/messageId", event: lambda::event };
pub(crate) const LAMBDA: &[Shape] = &[MESSAGE];
