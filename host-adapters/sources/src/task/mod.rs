//! Executions of tasks → request worker: one by one, with attempts, heartbeats and an answer.

#[cfg(feature = "host")]
mod host;

#[cfg(feature = "host")]
pub use host::*;

use crate::lambda::{Open, Shape};

/// Step Functions hands a Lambda function its input alone, so there is no record of AWS to read.
pub(crate) const LAMBDA: &[Shape] = &[];
pub(crate) const OPENS: Option<Open> = None;
