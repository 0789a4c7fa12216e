//! Errors and answers of the wire.

use serde::{Deserialize, Serialize};

/// What went wrong, so that a worker knows whether to retry.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The backend is down or did not answer in time: try again later.
    Unavailable,
    /// Too many calls: try again after `retry_after_ms`.
    Throttled,
    /// No such table, queue or collection.
    NotFound,
    /// The condition of a write did not hold; nothing was written.
    ConditionFailed,
    /// The call itself is wrong and can never succeed.
    Invalid,
    /// The manifest does not grant it, or a token is not accepted.
    Denied,
}

/// An error of the platform, as it crosses the wire under `error`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// For people: what happened, to which resource, and what to do.
    pub message: String,
    /// Milliseconds to wait before the next try, where the backend said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The body of every answer: `{"ok": …}` or `{"error": {…}}`, both with status 200.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer<T> {
    /// The function's output.
    Ok(T),
    /// What went wrong instead.
    Error(Error),
}

impl<T> From<Result<T, Error>> for Answer<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(output) => Self::Ok(output),
            Err(error) => Self::Error(error),
        }
    }
}

impl<T> From<Answer<T>> for Result<T, Error> {
    fn from(answer: Answer<T>) -> Self {
        match answer {
            Answer::Ok(output) => Ok(output),
            Answer::Error(error) => Err(error),
        }
    }
}
