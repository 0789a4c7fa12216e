//! Reads the gateway's response. Pure.

use crate::bindings::exports::registration::platform::types::{Error, ErrorKind};
use serde::de::DeserializeOwned;

/// Reads a response. Only status 200 with the platform's JSON is one of the platform. If the token is not accepted, the
/// error is `denied`; any other response (of a proxy, or of a gateway that is starting) may be transient.
pub fn read<T: DeserializeOwned>(function: &str, status: u16, body: &[u8]) -> Result<T, Error> {
    match status {
        200 => serde_json::from_slice::<Result<T, Error>>(body)
            .map_err(|error| unavailable(function, &format!("its response cannot be read: {error}")))?,
        401 | 403 => Err(Error::new(
            ErrorKind::Denied,
            format!("{function}: the gateway answered {status}: check the variable gateway_token"),
        )),
        _ => Err(unavailable(function, &format!("it answered status {status}"))),
    }
}

fn unavailable(function: &str, problem: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{function}: the gateway is not usable: {problem}"))
}

impl Error {
    /// An error without a time to wait.
    pub fn new(kind: ErrorKind, message: String) -> Self {
        Self { kind, message, retry_after_ms: None }
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, read};
    use expect_test::{Expect, expect};

    fn check(status: u16, body: &str, expected: Expect) {
        expected.assert_eq(&match read::<Vec<Result<String, Error>>>("queue/send-batch", status, body.as_bytes()) {
            Ok(output) => format!("{output:?}"),
            Err(error) => format!("{:?} {:?}: {}", error.kind, error.retry_after_ms, error.message),
        });
    }

    #[test]
    fn an_answer_is_read() {
        check(
            200,
            r#"{"Ok":[{"Ok":"m-1"},{"Err":{"kind":"Throttled","message":"later","retry_after_ms":50}}]}"#,
            expect![[
                r#"[Ok("m-1"), Err(Error { kind: ErrorKind::Throttled, message: "later", retry-after-ms: Some(50) })]"#
            ]],
        );
    }

    #[test]
    fn an_error_keeps_its_kind() {
        check(
            200,
            r#"{"Err":{"kind":"NotFound","message":"no queue x"}}"#,
            expect!["ErrorKind::NotFound None: no queue x"],
        );
        check(
            200,
            r#"{"Err":{"kind":"Throttled","message":"later","retry_after_ms":50}}"#,
            expect!["ErrorKind::Throttled Some(50): later"],
        );
    }

    #[test]
    fn anything_else_is_not_a_response() {
        check(
            200,
            "<html>",
            expect![
                "ErrorKind::Unavailable None: queue/send-batch: the gateway is not usable: its response cannot be read: expected value at line 1 column 1"
            ],
        );
        check(
            200,
            r#"{"Ok":"m-1"}"#,
            expect![[
                r#"ErrorKind::Unavailable None: queue/send-batch: the gateway is not usable: its response cannot be read: invalid type: string "m-1", expected a sequence at line 1 column 11"#
            ]],
        );
        check(
            200,
            "",
            expect![
                "ErrorKind::Unavailable None: queue/send-batch: the gateway is not usable: its response cannot be read: EOF while parsing a value at line 1 column 0"
            ],
        );
        check(
            401,
            "",
            expect![
                "ErrorKind::Denied None: queue/send-batch: the gateway answered 401: check the variable gateway_token"
            ],
        );
        check(
            502,
            "bad gateway",
            expect!["ErrorKind::Unavailable None: queue/send-batch: the gateway is not usable: it answered status 502"],
        );
        check(
            204,
            "",
            expect!["ErrorKind::Unavailable None: queue/send-batch: the gateway is not usable: it answered status 204"],
        );
    }
}
