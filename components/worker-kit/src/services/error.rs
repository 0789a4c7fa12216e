//! Failed requests to a service: what a worker may do about each. Pure.

use crate::Disposition;
use crate::platform::{Error, ErrorKind};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a request to a service did not succeed, so that a worker knows whether to retry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ServiceError {
    /// The service is down, or did not answer in time, or not in its own words: try again later.
    #[error("the {service} service is unavailable: {message}")]
    Unavailable {
        /// `entry`, `user`, …
        service: &'static str,
        /// What happened.
        message: String,
    },
    /// Too many requests: try again later.
    #[error("the {service} service has no capacity now")]
    Throttled {
        /// `entry`, `user`, …
        service: &'static str,
        /// Milliseconds to wait, where the service said so.
        retry_after_ms: Option<u64>,
    },
    /// The service refused this request; it will refuse it again.
    #[error("the {service} service refused with status {status}: {message}")]
    Rejected {
        /// `entry`, `user`, …
        service: &'static str,
        /// The HTTP status.
        status: u16,
        /// What the service said.
        message: String,
    },
    /// The component is not set up to call the service.
    #[error("the {service} service cannot be called: {message}")]
    Misconfigured {
        /// `entry`, `user`, …
        service: &'static str,
        /// What is missing and what to do.
        message: String,
    },
}

impl ServiceError {
    /// Sorts a call that has no response.
    pub(super) fn from_platform(service: &'static str, error: Error) -> Self {
        let Error { kind, message, retry_after_ms } = error;
        match kind {
            ErrorKind::Throttled => Self::Throttled { service, retry_after_ms },
            ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::Invalid => Self::Misconfigured { service, message },
            ErrorKind::Unavailable | ErrorKind::ConditionFailed => Self::Unavailable { service, message },
        }
    }

    /// Sorts an answer that is not 2xx. 401 and 403 are the host's or the service's set-up, not the record's fault:
    /// they pass when it is mended, as do 408 and every 5xx.
    pub(super) fn from_status(service: &'static str, status: u16, retry_after_secs: Option<u64>, body: &str) -> Self {
        match status {
            429 => Self::Throttled { service, retry_after_ms: retry_after_secs.map(|secs| secs.saturating_mul(1000)) },
            401 | 403 | 408 | 500..=599 => {
                Self::Unavailable { service, message: format!("status {status}: {}", message(body)) }
            }
            _ => Self::Rejected { service, status, message: message(body) },
        }
    }

    /// The disposition of a record whose request failed in this way.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Unavailable { .. } | Self::Misconfigured { .. } => Disposition::retry(self.to_string()),
            Self::Throttled { retry_after_ms, .. } => Disposition::retry_after(*retry_after_ms, self.to_string()),
            Self::Rejected { .. } => Disposition::Reject(self.to_string()),
        }
    }

    /// Whether the service refused the request for what is in it, perhaps for one part only.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Rejected { .. })
    }

    /// The status of an answer that says *no such thing*.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Rejected { status: 404, .. })
    }
}

/// Reads a 2xx answer. One that cannot be read is not a success: a proxy's page, a cut body.
pub(super) fn parse<T: DeserializeOwned>(service: &'static str, body: &str) -> Result<T, ServiceError> {
    // The second, slower reading only serves to name what is wrong.
    let named = || serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(body));
    serde_json::from_str(body).or_else(|_| named()).map_err(|error| ServiceError::Unavailable {
        service,
        message: format!("its answer is not what it should be: {error}"),
    })
}

/// The service's own words: `message`, `error.message` or the beginning of the body.
fn message(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let said = json.pointer("/error/message").or_else(|| json.get("message")).and_then(Value::as_str);
    said.map_or_else(|| body.chars().take(200).collect(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Retry;
    use expect_test::{Expect, expect};

    /// The disposition. It says the same as the error.
    fn word(error: &ServiceError) -> String {
        let (word, reason) = match error.disposition() {
            Disposition::Ack => ("ack".to_owned(), String::new()),
            Disposition::Retry(Retry { after_ms, reason }) => (format!("retry {after_ms:?}"), reason),
            Disposition::Reject(reason) | Disposition::Skip(reason) => ("reject".to_owned(), reason),
        };
        assert_eq!(reason, error.to_string());
        word
    }

    fn check(status: u16, retry_after: Option<u64>, body: &str, expected: Expect) {
        let error = ServiceError::from_status("entry", status, retry_after, body);
        expected.assert_eq(&format!("{error} -> {}", word(&error)));
    }

    #[test]
    fn transient_failures_are_retried() {
        check(503, None, "", expect!["the entry service is unavailable: status 503:  -> retry None"]);
        check(
            500,
            None,
            r#"{"error":{"code":"X","message":"disk full"}}"#,
            expect!["the entry service is unavailable: status 500: disk full -> retry None"],
        );
        check(
            401,
            None,
            r#"{"message":"no token"}"#,
            expect!["the entry service is unavailable: status 401: no token -> retry None"],
        );
    }

    #[test]
    fn a_throttled_request_waits_as_told() {
        check(429, Some(2), "", expect!["the entry service has no capacity now -> retry Some(2000)"]);
        check(429, None, "", expect!["the entry service has no capacity now -> retry None"]);
    }

    #[test]
    fn a_call_without_a_response_is_retried() {
        let told = |kind, retry_after_ms| {
            let error = Error { kind, message: "as the host says".to_owned(), retry_after_ms };
            let error = ServiceError::from_platform("entry", error);
            format!("{error} -> {}", word(&error))
        };
        expect!["the entry service is unavailable: as the host says -> retry None"]
            .assert_eq(&told(ErrorKind::Unavailable, None));
        expect!["the entry service has no capacity now -> retry Some(50)"]
            .assert_eq(&told(ErrorKind::Throttled, Some(50)));
        for kind in [ErrorKind::Denied, ErrorKind::NotFound, ErrorKind::Invalid] {
            expect!["the entry service cannot be called: as the host says -> retry None"].assert_eq(&told(kind, None));
        }
    }

    #[test]
    fn a_refusal_is_final() {
        check(
            400,
            None,
            r#"{"message":"more than 25 entries"}"#,
            expect!["the entry service refused with status 400: more than 25 entries -> reject"],
        );
    }

    #[test]
    fn an_answer_that_is_not_the_services_own_is_no_success() {
        #[derive(Debug, serde::Deserialize)]
        struct Answer {
            #[expect(dead_code, reason = "only its presence is checked")]
            results: Vec<u32>,
        }
        let read = |body: &str| parse::<Answer>("user", body).map_err(|error| error.to_string());
        expect![[r#"
            Err(
                "the user service is unavailable: its answer is not what it should be: results[1]: invalid type: string \"x\", expected u32 at line 1 column 17",
            )
        "#]]
        .assert_debug_eq(&read(r#"{"results":[1,"x"]}"#));
        assert!(read("<html>").is_err());
        assert!(read("").is_err());
    }
}
