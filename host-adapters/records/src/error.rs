//! Errors of the platform.

/// The kind of an error, by which a worker decides whether to retry.
#[derive(Clone, Copy, Debug, serde::Deserialize, Eq, Hash, PartialEq, serde::Serialize)]
#[cfg_attr(
    feature = "component",
    derive(wasmtime::component::ComponentType, wasmtime::component::Lift, wasmtime::component::Lower),
    component(enum)
)]
#[repr(u8)]
pub enum ErrorKind {
    /// The backend is down or did not answer in time: retry later.
    #[cfg_attr(feature = "component", component(name = "unavailable"))]
    Unavailable,
    /// Too many calls: retry after `retry_after_ms`.
    #[cfg_attr(feature = "component", component(name = "throttled"))]
    Throttled,
    /// There is no such table, queue, collection, service or object.
    #[cfg_attr(feature = "component", component(name = "not-found"))]
    NotFound,
    /// The condition of a write was not met; nothing was written.
    #[cfg_attr(feature = "component", component(name = "condition-failed"))]
    ConditionFailed,
    /// The object is another version than the caller asked for.
    #[cfg_attr(feature = "component", component(name = "changed"))]
    Changed,
    /// The call itself is wrong and can never succeed.
    #[cfg_attr(feature = "component", component(name = "invalid"))]
    Invalid,
    /// The call asks for, or carries, more bytes than one call may.
    #[cfg_attr(feature = "component", component(name = "too-large"))]
    TooLarge,
    /// The manifest does not grant it, or a token is not accepted.
    #[cfg_attr(feature = "component", component(name = "denied"))]
    Denied,
}

impl ErrorKind {
    /// Its name in WIT, for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::NotFound => "not-found",
            Self::ConditionFailed => "condition-failed",
            Self::Changed => "changed",
            Self::Invalid => "invalid",
            Self::TooLarge => "too-large",
            Self::Denied => "denied",
        }
    }
}

impl crate::Weight for ErrorKind {
    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

record! {
    /// An error of the platform.
    Error {
        /// The kind of the error.
        kind: ErrorKind,
        /// The message, for people: what happened, to which resource, and what to do.
        message: String,
        /// Milliseconds to wait before the next attempt, if the backend said so.
        retry_after_ms = "retry-after-ms": Option<u64>,
    }
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
