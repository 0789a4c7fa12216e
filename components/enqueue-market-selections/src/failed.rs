//! Why a task fails, and whether another attempt helps. Pure.

use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::ServiceError;

/// The status with which a task says that it waits: its attempt has not failed, and frees its slot for other tasks.
pub const WAITS: u16 = 429;

/// Why a task fails.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failed {
    /// No attempt can succeed: the execution fails at once.
    Final {
        /// HTTP status of the answer.
        status: u16,
        /// What went wrong, for programs.
        code: &'static str,
        /// What went wrong, for people.
        message: String,
    },
    /// Another attempt may succeed.
    Later(String),
    /// As [`Failed::Later`], because another task or attempt has taken the market.
    Busy(String),
}

impl Failed {
    /// A permanent failure.
    pub fn fatal(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self::Final { status, code, message: message.into() }
    }

    /// Whether no attempt can succeed.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Final { .. })
    }

    /// Whether the task waits for its market.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Final { status: WAITS, .. })
    }

    /// The same once the winners are known: other attempts may still queue their messages, and the selection must not
    /// be undone.
    pub fn after_plan(self) -> Self {
        match self {
            Self::Final { message, .. } => Self::Later(message),
            other => other,
        }
    }

    /// What went wrong, for people.
    pub fn message(&self) -> &str {
        match self {
            Self::Final { message, .. } | Self::Later(message) | Self::Busy(message) => message,
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error.kind {
            ErrorKind::Invalid => Self::fatal(422, "INVALID", error.message),
            _ => Self::Later(error.message),
        }
    }
}

/// A service's verdict about the request itself is the same at each attempt. A status that may concern the service's
/// address or state (401, 404, 500, …) may change.
impl From<ServiceError> for Failed {
    fn from(error: ServiceError) -> Self {
        match &error {
            ServiceError::Refused(answer) if matches!(answer.status, 400 | 409 | 410 | 413 | 422) => {
                Self::fatal(422, "REFUSED", error.to_string())
            }
            _ => Self::Later(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use worker_kit::services::ResponseSummary;

    #[test]
    fn outages_and_throttling_are_tried_again() {
        for kind in [ErrorKind::Unavailable, ErrorKind::Throttled, ErrorKind::NotFound, ErrorKind::Denied] {
            assert_eq!(Failed::from(Error::new(kind, "why")), Failed::Later("why".to_owned()), "{kind:?}");
        }
        for status in [302, 401, 403, 404, 408, 429, 500, 502, 503, 504] {
            let error = ServiceError::from_answer(ResponseSummary::new("code", status, "why"), None);
            assert_eq!(Failed::from(error.clone()), Failed::Later(error.to_string()));
        }
    }

    #[test]
    fn what_is_wrong_in_itself_fails_at_once() {
        assert_eq!(Failed::from(Error::new(ErrorKind::Invalid, "why")), Failed::fatal(422, "INVALID", "why"));
        for status in [400, 409, 413, 422] {
            let error = ServiceError::from_answer(ResponseSummary::new("entry", status, "why"), None);
            assert_eq!(Failed::from(error.clone()), Failed::fatal(422, "REFUSED", error.to_string()));
        }
    }
}
