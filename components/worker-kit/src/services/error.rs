//! Failed requests to a service: what a worker may do about each. Pure.

use super::ResponseSummary;
use crate::platform::{Error, ErrorKind, wait_ms};
use crate::{Call, Disposition};
use host_adapters_event::ServiceStatus;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a request to a service did not succeed, so that a worker knows whether to retry. It reads as the reason of the
/// records concerned: with the service, and of an answer its status and first line.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ServiceError {
    /// The service is down, or is not where the host looks for it, or did not answer in time: try again later.
    #[error("the {service} service is unavailable: {message}")]
    Unavailable {
        /// `entry`, `user`, …
        service: &'static str,
        /// Its answer, or why there is none.
        message: String,
    },
    /// Too many requests: try again later.
    #[error("the {service} service has no capacity now: {message}")]
    Throttled {
        /// `entry`, `user`, …
        service: &'static str,
        /// Its answer, or what the host says.
        message: String,
        /// Milliseconds to wait, if the service said so.
        retry_after_ms: Option<u64>,
    },
    /// The service refused this request, perhaps for one part of it: [`isolate`](super::isolate) finds out.
    #[error("the {} service refused with {_0}", _0.service)]
    Refused(ResponseSummary),
    /// The service answered 2xx, but not in its own words: a proxy's page, a cut body. Perhaps because of one part; where
    /// every request of the route gets it, the host takes it for an outage.
    #[error("the {} service is unavailable: its answer is not what it should be: {summary} ({problem})", summary.service)]
    Unreadable {
        /// The answer.
        summary: ResponseSummary,
        /// What is wrong with it.
        problem: String,
    },
    /// The service answered 2xx without saying what became of each record, and not that all of them are done.
    #[error("the {} service answered success: {success} and {count} of {sent} done, not which: {summary}", summary.service)]
    Partial {
        /// The answer.
        summary: ResponseSummary,
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
    /// The host has no such service, or no address of it.
    #[error("the {service} service is not configured: {message}")]
    NotThere {
        /// `entry`, `user`, …
        service: &'static str,
        /// What is missing.
        message: String,
    },
    /// The component is not set up to call the service.
    #[error("the {service} service cannot be called: {message}")]
    Misconfigured {
        /// `entry`, `user`, …
        service: &'static str,
        /// The missing part, and what to do.
        message: String,
    },
}

impl ServiceError {
    /// Sorts a call that has no response.
    pub(super) fn from_platform(service: &'static str, error: Error) -> Self {
        let Error { kind, message, retry_after_ms } = error;
        match kind {
            ErrorKind::Throttled => Self::Throttled { service, message, retry_after_ms },
            ErrorKind::NotFound => Self::NotThere { service, message },
            ErrorKind::Denied => Self::Misconfigured { service, message },
            ErrorKind::Invalid | ErrorKind::TooLarge => Self::Unsendable { service, message },
            ErrorKind::Unavailable | ErrorKind::ConditionFailed | ErrorKind::Changed => {
                Self::Unavailable { service, message }
            }
        }
    }

    /// Sorts an answer that is not 2xx.
    pub fn from_answer(summary: ResponseSummary, retry_after_secs: Option<u64>) -> Self {
        let (service, message) = (summary.service, summary.to_string());
        match ServiceStatus::of(summary.status) {
            ServiceStatus::Busy => {
                let retry_after_ms = retry_after_secs.map(|secs| secs.saturating_mul(1000));
                Self::Throttled { service, message, retry_after_ms }
            }
            ServiceStatus::Down | ServiceStatus::WrongAddress => Self::Unavailable { service, message },
            ServiceStatus::Done | ServiceStatus::Unclear | ServiceStatus::Refused => Self::Refused(summary),
        }
    }

    /// The disposition of a record whose request failed in this way: another delivery. Not even a refusal ends a record:
    /// one that is refused at each attempt becomes a dead letter. Where there is no capacity, the record only waits.
    pub fn disposition(&self) -> Disposition {
        let after_ms = match self {
            Self::Throttled { retry_after_ms, .. } => Some(wait_ms(*retry_after_ms)),
            _ => None,
        };
        Disposition::retry_after(after_ms, self.to_string())
    }

    /// Whether it may be due to a part of the request, so that the other parts would be taken.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Partial { .. } | Self::Unreadable { .. } | Self::Unsendable { .. } => true,
            Self::Unavailable { .. } | Self::Throttled { .. } => false,
            Self::NotThere { .. } | Self::Misconfigured { .. } => false,
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

    fn is_logged_by_host(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Throttled { .. } | Self::Unsendable { .. } => true,
            Self::Refused(summary) => ServiceStatus::is_failed_call(summary.status),
            Self::Unreadable { .. } | Self::Partial { .. } => false,
            Self::NotThere { .. } | Self::Misconfigured { .. } => false,
        }
    }

    /// Whether the service itself says that the resource does not exist, with an `error.code`. The page of a proxy, or
    /// of a server that does not know the path, has the same status but says nothing about the resource.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(ResponseSummary { status: 404, code, .. }) if !code.is_empty())
    }

    /// Whether the service refused for the reason of this code, the `error.code` of its answer.
    pub fn has_code(&self, code: &str) -> bool {
        matches!(self, Self::Refused(summary) if summary.code == code)
    }
}

/// Reads a 2xx answer. One that cannot be read is not a success.
pub(super) fn parse<T: DeserializeOwned>(summary: &ResponseSummary, body: &str) -> Result<T, ServiceError> {
    // The second, slower reading only serves to name what is wrong.
    let named = || serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(body));
    let unreadable = |error: serde_path_to_error::Error<_>| ServiceError::Unreadable {
        summary: summary.clone(),
        problem: error.to_string(),
    };
    serde_json::from_str(body).or_else(|_| named()).map_err(unreadable)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Retry;
    use expect_test::{Expect, expect};

    /// The disposition. It says the same as the error.
    fn word(error: &ServiceError) -> String {
        let (word, reason) = match error.disposition() {
            Disposition::Ack => ("ack".to_owned(), String::new()),
            Disposition::Retry(Retry { after_ms, reason }) => (format!("retry {after_ms:?}"), reason),
            Disposition::Reject(reason) | Disposition::Skip(reason) | Disposition::GiveUp(reason) => {
                ("reject".to_owned(), reason)
            }
        };
        assert_eq!(reason, error.to_string());
        word
    }

    fn check(status: u16, retry_after: Option<u64>, body: &str, expected: Expect) {
        let error = ServiceError::from_answer(ResponseSummary::new("entry", status, body), retry_after);
        expected.assert_eq(&format!("{error} -> {}", word(&error)));
    }

    #[test]
    fn transient_failures_are_retried() {
        check(503, None, "", expect!["the entry service is unavailable: status 503 -> retry None"]);
        check(405, None, "no", expect!["the entry service is unavailable: status 405: no -> retry None"]);
    }

    #[test]
    fn a_throttled_request_waits_as_told() {
        check(
            429,
            Some(2),
            "slow down",
            expect!["the entry service has no capacity now: status 429: slow down -> retry Some(2000)"],
        );
        check(408, None, "", expect!["the entry service has no capacity now: status 408 -> retry Some(5000)"]);
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
        expect!["the entry service has no capacity now: as the host says -> retry Some(50)"]
            .assert_eq(&told(ErrorKind::Throttled, Some(50)));
        expect!["the entry service cannot be sent this: as the host says -> retry None"]
            .assert_eq(&told(ErrorKind::Invalid, None));
        expect!["the entry service cannot be called: as the host says -> retry None"]
            .assert_eq(&told(ErrorKind::Denied, None));
        expect!["the entry service is not configured: as the host says -> retry None"]
            .assert_eq(&told(ErrorKind::NotFound, None));
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
    fn point_16_only_the_service_itself_says_that_there_is_no_such_thing() {
        let is_not_found =
            |status, body| ServiceError::from_answer(ResponseSummary::new("user", status, body), None).is_not_found();
        let own = r#"{"error":{"code":"NOT_FOUND","message":"no such user"}}"#;
        assert!(is_not_found(404, own));
        assert!(!is_not_found(400, own) && !is_not_found(500, own));
        for page in [
            "",
            "<html>",
            "404 page not found",
            "null",
            r#"{"message":"no Route matched with those values"}"#,
            r#"{"status":404,"error":"Not Found","path":"/users"}"#,
            r#"{"error":{"code":404,"message":"Requested entity was not found."}}"#,
            r#"{"error":{"code":"","message":"why"}}"#,
        ] {
            assert!(!is_not_found(404, page), "{page}");
        }
    }

    #[test]
    fn a_response_that_is_not_the_services_own_is_not_a_success() {
        #[derive(Debug, serde::Deserialize)]
        struct ResponseBody {
            #[expect(dead_code, reason = "only its presence is checked")]
            results: Vec<u32>,
        }
        let read = |body: &str| {
            let answer = parse::<ResponseBody>(&ResponseSummary::new("user", 201, body), body);
            answer.map_err(|error| error.to_string())
        };
        expect![[r#"
            Err(
                "the user service is unavailable: its answer is not what it should be: status 201: {\"results\":[1,\"x\"]} (results[1]: invalid type: string \"x\", expected u32 at line 1 column 17)",
            )
        "#]]
        .assert_debug_eq(&read(r#"{"results":[1,"x"]}"#));
        assert!(read("<html>").is_err());
        assert!(read("").is_err());
    }

    #[test]
    fn point_15_every_kind_of_answer_is_told_with_service_status_and_first_line() {
        for status in [302, 400, 401, 403, 404, 405, 408, 415, 422, 429, 500, 502, 503, 504] {
            let error = ServiceError::from_answer(ResponseSummary::new("entry", status, "first line\nsecond"), None)
                .to_string();
            let told = format!("status {status}: first line");
            assert!(error.contains("the entry service ") && error.contains(&told), "{error}");
        }
        let summary = ResponseSummary::new("entry", 207, "first line\nsecond");
        let unreadable = parse::<()>(&summary, "first line\nsecond").unwrap_err();
        let partial = ServiceError::Partial { summary, success: true, count: 1, sent: 2 };
        for error in [unreadable.to_string(), partial.to_string()] {
            assert!(error.contains("the entry service ") && error.contains("status 207: first line"), "{error}");
        }
    }
}
