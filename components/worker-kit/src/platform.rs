//! The platform's functions and types, as they are generated from `/wit`; and its error, which is written here because a
//! generated one shows its fields instead of its message.

pub use crate::bindings::imports::registration::platform::types::ErrorKind;
pub use crate::bindings::imports::registration::platform::*;

use crate::{Attribute, Disposition};

/// An error of the platform. It reads as its message.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// For people: what happened, to which resource, and what to do.
    pub message: String,
    /// Milliseconds to wait before the next attempt, if the backend said so.
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

    /// Whether the call can never succeed.
    pub fn is_wrong(&self) -> bool {
        matches!(self.kind, ErrorKind::Invalid | ErrorKind::TooLarge)
    }

    /// The disposition of a record for which the platform failed in this way: another delivery, unless the call can
    /// never succeed; then its record is given up at once. If one call is about several records, its caller must find
    /// out first which of them is the cause. If there is no capacity, the record only waits.
    pub fn disposition(&self) -> Disposition {
        match self.kind {
            _ if self.is_wrong() => Disposition::GiveUp(format!("invalid: {self}")),
            ErrorKind::Throttled => Disposition::retry_after(Some(wait_ms(self.retry_after_ms)), self.to_string()),
            _ => Disposition::retry_after(self.retry_after_ms, self.to_string()),
        }
    }
}

/// How long a record waits for capacity if the server does not say how long.
const WAIT_MS: u64 = 5_000;

/// How long a record waits after throttling, milliseconds.
pub(crate) fn wait_ms(told: Option<u64>) -> u64 {
    told.unwrap_or(WAIT_MS)
}

impl queue::Message {
    /// A message for at once; where it is to be delayed or is for a FIFO queue, its fields say so.
    pub fn new(body: impl Into<String>, attributes: Vec<Attribute>) -> Self {
        Self { body: body.into(), attributes, delay_secs: 0, group_id: None, deduplication_id: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_its_message() {
        let error = Error { retry_after_ms: Some(5), ..Error::new(ErrorKind::Throttled, "table demand-table is busy") };
        assert_eq!(error.to_string(), "table demand-table is busy");
        assert_eq!(error.disposition(), Disposition::retry_after(Some(5), "table demand-table is busy"));
    }

    /// A retry without a time would be an attempt.
    #[test]
    fn what_is_throttled_waits_even_if_nobody_says_how_long() {
        let error = Error::new(ErrorKind::Throttled, "busy");
        assert_eq!(error.disposition(), Disposition::retry_after(Some(WAIT_MS), "busy"));
    }

    #[test]
    fn point_1_an_invalid_call_gives_its_record_up_and_says_why() {
        let error = Error::new(ErrorKind::Invalid, "a message of 2000000 bytes; the most is 1048576");
        let reason = "invalid: a message of 2000000 bytes; the most is 1048576".to_owned();
        assert_eq!(error.disposition(), Disposition::GiveUp(reason));
        for kind in [ErrorKind::Unavailable, ErrorKind::NotFound, ErrorKind::Denied] {
            assert_eq!(Error::new(kind, "why").disposition(), Disposition::retry("why"), "{kind:?}");
        }
    }
}
