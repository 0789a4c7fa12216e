//! SQS queue → worker: messages are gathered, handed over, and settled one by one.

mod event;
#[cfg(feature = "host")]
mod host;
mod lambda;

#[cfg(feature = "host")]
pub use host::*;

use crate::lambda::{Open, Shape};

/// A message: the shape of records without a distinguishing field.
pub(crate) const LAMBDA: &[Shape] =
    &[Shape { field: None, id: "/messageId", event: lambda::event, fails_as_a_whole: false, is_description: false }];
pub(crate) const OPENS: Option<Open> = None;
