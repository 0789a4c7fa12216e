//! Failed requests to a service: what a worker may do about each. Pure.

use crate::platform::{Error, ErrorKind};
use crate::{Call, Disposition};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a request to a service did not succeed, so that a worker knows whether to retry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ServiceError {
    /// The service is down, or is not where the host looks for it, or did not answer in time: try again later.
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
    /// The service refused this request, perhaps for one part of it: [`isolate`](super::isolate) finds out.
    #[error("the {service} service refused with status {status}: {message}")]
    Refused {
        /// `entry`, `user`, …
        service: &'static str,
        /// The HTTP status.
        status: u16,
        /// What the service said.
        message: String,
    },
    /// The service answered 2xx, but not in its own words: a proxy's page, a cut body. Perhaps because of one part.
    #[error("the {service} service is unavailable: its answer is not what it should be: {message}")]
    Unreadable {
        /// `entry`, `user`, …
        service: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The service answered 2xx without saying what became of each record, and not that all of them are done.
    #[error("the {service} service answered success: {success} and {count} of {sent} done, not which")]
    Partial {
        /// `entry`, `user`, …
        service: &'static str,
        /// Whether it calls that a success.
        success: bool,
        /// How many it says are done.
        count: u64,
        /// How many it was sent.
        sent: usize,
    },
    /// The host cannot send the request, or take the response: perhaps because of one part of it.
    #[error("the {service} service cannot be sent this: {message}")]
    Unsendable {
        /// `entry`, `user`, …
        service: &'static str,
        /// What is wrong with it.
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
            ErrorKind::Denied | ErrorKind::NotFound => Self::Misconfigured { service, message },
            ErrorKind::Invalid => Self::Unsendable { service, message },
            ErrorKind::Unavailable | ErrorKind::ConditionFailed => Self::Unavailable { service, message },
        }
    }

    /// Sorts an answer that is not 2xx. 408, 502, 503 and 504 pass by themselves; 3xx, 405 and 415 speak of the address.
    /// Any other may be the fault of one record: where all calls get it, the host takes it for an outage.
    pub(super) fn from_status(service: &'static str, status: u16, retry_after_secs: Option<u64>, body: &str) -> Self {
        match status {
            429 => Self::Throttled { service, retry_after_ms: retry_after_secs.map(|secs| secs.saturating_mul(1000)) },
            ..400 | 405 | 408 | 415 | 502..=504 => {
                Self::Unavailable { service, message: format!("status {status}: {}", message(body)) }
            }
            _ => Self::Refused { service, status, message: message(body) },
        }
    }

    /// The disposition of a record whose request failed in this way: another delivery. Not even a refusal ends a record:
    /// one that is refused at each attempt becomes a dead letter.
    pub fn disposition(&self) -> Disposition {
        let after_ms = match self {
            Self::Throttled { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        };
        Disposition::retry_after(after_ms, self.to_string())
    }

    /// Whether it may be due to a part of the request, so that the other parts would be taken.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Partial { .. } | Self::Unreadable { .. } | Self::Unsendable { .. } => true,
            Self::Unavailable { .. } | Self::Throttled { .. } | Self::Misconfigured { .. } => false,
        }
    }

    /// Logs that a part of a call's work is not done because of this. Each failure is one error in the log: where the host
    /// has logged the failed call as one, this line is a warning.
    pub fn log(&self, call: &Call, message: &str, mut data: Value) {
        if let Value::Object(data) = &mut data {
            data.insert("problem".to_owned(), self.to_string().into());
        }
        if self.is_logged_by_host() { call.warn(message, data) } else { call.error(message, data) }
    }

    /// The host cannot know whether a 4xx that may speak of a record, or an answer in other words, is a fault.
    fn is_logged_by_host(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Throttled { .. } | Self::Unsendable { .. } => true,
            Self::Refused { status, .. } => !matches!(status, 400 | 404 | 409 | 410 | 413 | 422),
            Self::Unreadable { .. } | Self::Partial { .. } | Self::Misconfigured { .. } => false,
        }
    }

    /// The status of an answer that says *no such thing*.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

/// Reads a 2xx answer. One that cannot be read is not a success.
pub(super) fn parse<T: DeserializeOwned>(service: &'static str, body: &str) -> Result<T, ServiceError> {
    // The second, slower reading only serves to name what is wrong.
    let named = || serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(body));
    let unreadable =
        |error: serde_path_to_error::Error<_>| ServiceError::Unreadable { service, message: error.to_string() };
    serde_json::from_str(body).or_else(|_| named()).map_err(unreadable)
}

/// The service's own words: `message`, `error.message` or the first line of the body.
fn message(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let said = json.pointer("/error/message").or_else(|| json.get("message")).and_then(Value::as_str);
    said.map_or_else(|| body.lines().next().unwrap_or_default().chars().take(200).collect(), str::to_owned)
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
        check(405, None, "", expect!["the entry service is unavailable: status 405:  -> retry None"]);
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
        expect!["the entry service cannot be sent this: as the host says -> retry None"]
            .assert_eq(&told(ErrorKind::Invalid, None));
        for kind in [ErrorKind::Denied, ErrorKind::NotFound] {
            expect!["the entry service cannot be called: as the host says -> retry None"].assert_eq(&told(kind, None));
        }
    }

    /// Not even what the service will never take ends its record.
    #[test]
    fn point_2_a_refusal_is_retried() {
        check(
            400,
            None,
            r#"{"message":"more than 25 entries"}"#,
            expect!["the entry service refused with status 400: more than 25 entries -> retry None"],
        );
        check(
            500,
            None,
            r#"{"error":{"code":"X","message":"disk full"}}"#,
            expect!["the entry service refused with status 500: disk full -> retry None"],
        );
        check(
            401,
            None,
            r#"{"message":"no token"}"#,
            expect!["the entry service refused with status 401: no token -> retry None"],
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
