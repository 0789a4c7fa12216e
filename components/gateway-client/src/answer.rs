//! Reads the gateway's response. Pure.

use platform_wire::{Answer, Error, ErrorKind, Function};

/// Reads an answer. Anything but 200 with the wire's own words is not an answer of the platform: a token that is not
/// accepted is `denied`; the rest (a proxy's page, a gateway that is starting) may pass.
pub fn read<F: Function>(status: u16, body: &[u8]) -> Result<F::Output, Error> {
    match status {
        200 => serde_json::from_slice::<Answer<F::Output>>(body)
            .map_err(|error| unavailable::<F>(&format!("its answer is not the wire's: {error}")))?
            .into(),
        401 | 403 => Err(Error::new(
            ErrorKind::Denied,
            format!("{}: the gateway answered {status}: check the variable gateway_token", F::PATH),
        )),
        _ => Err(unavailable::<F>(&format!("it answered status {status}"))),
    }
}

fn unavailable<F: Function>(problem: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{}: the gateway is not usable: {problem}", F::PATH))
}

#[cfg(test)]
mod tests {
    use super::read;
    use expect_test::{Expect, expect};
    use platform_wire::queue::SendBatch;

    fn check(status: u16, body: &str, expected: Expect) {
        expected.assert_eq(&match read::<SendBatch>(status, body.as_bytes()) {
            Ok(output) => format!("{output:?}"),
            Err(error) => format!("{:?} {:?}: {error}", error.kind, error.retry_after_ms),
        });
    }

    #[test]
    fn an_answer_is_read() {
        check(
            200,
            r#"{"ok":[{"ok":"m-1"},{"error":{"kind":"throttled","message":"later","retryAfterMs":50}}]}"#,
            expect![[r#"[Ok("m-1"), Error(Error { kind: Throttled, message: "later", retry_after_ms: Some(50) })]"#]],
        );
    }

    #[test]
    fn an_error_keeps_its_kind() {
        check(200, r#"{"error":{"kind":"not-found","message":"no queue x"}}"#, expect!["NotFound None: no queue x"]);
        check(
            200,
            r#"{"error":{"kind":"throttled","message":"later","retryAfterMs":50}}"#,
            expect!["Throttled Some(50): later"],
        );
    }

    #[test]
    fn anything_else_is_no_answer() {
        check(
            200,
            "<html>",
            expect![
                "Unavailable None: queue/send-batch: the gateway is not usable: its answer is not the wire's: expected value at line 1 column 1"
            ],
        );
        check(
            200,
            r#"{"ok":"m-1"}"#,
            expect![[
                r#"Unavailable None: queue/send-batch: the gateway is not usable: its answer is not the wire's: invalid type: string "m-1", expected a sequence at line 1 column 11"#
            ]],
        );
        check(
            200,
            "",
            expect![
                "Unavailable None: queue/send-batch: the gateway is not usable: its answer is not the wire's: EOF while parsing a value at line 1 column 0"
            ],
        );
        check(
            401,
            "",
            expect!["Denied None: queue/send-batch: the gateway answered 401: check the variable gateway_token"],
        );
        check(
            502,
            "bad gateway",
            expect!["Unavailable None: queue/send-batch: the gateway is not usable: it answered status 502"],
        );
        check(
            204,
            "",
            expect!["Unavailable None: queue/send-batch: the gateway is not usable: it answered status 204"],
        );
    }
}
