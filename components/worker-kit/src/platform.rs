//! The platform's functions and types, as they are generated from `/wit`.

pub use crate::bindings::batch::registration::platform::types::{Error, ErrorKind};
pub use crate::bindings::batch::registration::platform::*;

impl Error {
    /// An error without a time to wait.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after_ms: None }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Throttled)
    }
}
