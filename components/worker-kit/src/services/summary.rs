//! A service's response, as reasons describe it.

use host_adapters_event::{ServiceStatus, service_error_code};
use serde_json::Value;
use std::fmt::{Display, Formatter};

/// The most characters of a body that are quoted.
const MAX_SAID: usize = 200;

/// The part of a response that a reason contains, so that a dead letter has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResponseSummary {
    /// `entry`, `user`, …
    pub service: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// `error.code` of the body, for programs; empty if it is not the service's own body.
    pub code: String,
    /// `error.message` or `message` of the body, else the body: the first line, 200 characters at most.
    pub said: String,
}

impl ResponseSummary {
    /// The summary of a response with this body. The body of a success is not parsed here, because it is long and
    /// rarely quoted.
    pub fn new(service: &'static str, status: u16, body: &str) -> Self {
        let (json, code): (Value, Option<String>) = match ServiceStatus::of(status) {
            ServiceStatus::Done => (Value::Null, None),
            _ => (serde_json::from_str(body).unwrap_or_default(), service_error_code(body)),
        };
        let said = json.pointer("/error/message").or_else(|| json.get("message")).and_then(Value::as_str);
        Self { service, status, code: code.unwrap_or_default(), said: first_line(said.unwrap_or(body)) }
    }

    /// `the entry service answered with status 200`.
    pub fn answered(&self) -> String {
        format!("the {} service answered with status {}", self.service, self.status)
    }
}

/// `status 503: try later`.
impl Display for ResponseSummary {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "status {}", self.status)?;
        if self.said.is_empty() { Ok(()) } else { write!(f, ": {}", self.said) }
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or_default().chars().take(MAX_SAID).collect()
}

/// A service's results for the records of one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Results<R> {
    /// The answer.
    pub summary: ResponseSummary,
    /// One for each record that the answer mentions.
    pub results: Vec<R>,
}

impl<R> Results<R> {
    /// Why a record that the response does not mention is retried.
    pub fn unmentioned(&self) -> String {
        format!("{}, which does not mention the record: {}", self.summary.answered(), self.summary.said)
    }

    /// Why a record with this result is retried.
    pub fn told(&self, what: impl Display) -> String {
        format!("{}, and of the record: {what}", self.summary.answered())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn point_15_a_summary_is_the_status_and_one_line() {
        let tell = |body: &str| ResponseSummary::new("entry", 500, body).to_string();
        assert_eq!(tell(r#"{"error":{"code":"X","message":"disk full\nat line 7"}}"#), "status 500: disk full");
        assert_eq!(tell(r#"{"message":"no token"}"#), "status 500: no token");
        assert_eq!(tell("\n<html>\n<body>"), "status 500: <html>");
        assert_eq!(tell(r#"{"code":7}"#), r#"status 500: {"code":7}"#);
        assert_eq!(tell(""), "status 500");
        assert_eq!(tell(&"é".repeat(300)).chars().count(), "status 500: ".len() + MAX_SAID);
        assert_eq!(tell(&format!(r#"{{"message":"{}"}}"#, "m".repeat(300))).len(), "status 500: ".len() + MAX_SAID);
    }
}
