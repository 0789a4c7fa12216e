//! The platform's functions and types, as they are generated from `/wit`; and its error, which is written here because a
//! generated one shows its fields instead of its message.

pub use crate::bindings::imports::registration::platform::types::ErrorKind;
pub use crate::bindings::imports::registration::platform::*;

use crate::Disposition;

/// An error of the platform. It reads as its message.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// For people: what happened, to which resource, and what to do.
    pub message: String,
    /// Milliseconds to wait before the next try, where the backend said so.
    pub retry_after_ms: Option<u64>,
}

impl Error {
    /// An error without a time to wait.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after_ms: None }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Throttled)
    }

    /// The disposition of a record for which the platform failed in this way: another delivery.
    pub fn disposition(&self) -> Disposition {
        Disposition::Retry(self.retry_after_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_its_message() {
        let error = Error { retry_after_ms: Some(5), ..Error::new(ErrorKind::Throttled, "table demand-table is busy") };
        assert_eq!(error.to_string(), "table demand-table is busy");
    }
}
