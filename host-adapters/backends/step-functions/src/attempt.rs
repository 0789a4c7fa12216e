//! What a state machine hands over to an activity: `{"taskId": …, "attempt": n, "input": …}`. The token of an attempt is
//! new each time, so task id and attempt come from the context object, by the definition of the state machine.

use host_adapters_platform::task::TaskAttempt;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::num::NonZeroU32;

/// The most bytes of a task id. That of an item of a map has about 200: an execution's ARN and the item's index.
const MAX_TASK_ID_BYTES: usize = 512;
/// What precedes the names of state machine and execution in an execution's ARN.
const EXECUTION: &str = ":execution:";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    task_id: String,
    attempt: NonZeroU32,
    #[serde(borrow)]
    input: &'a RawValue,
}

/// The attempt that a token and an activity's input identify.
///
/// # Errors
/// When the input is not such an envelope, with its fault.
pub fn read(worker: &str, token: String, input: &str) -> Result<TaskAttempt, String> {
    let envelope: Envelope<'_> = serde_json::from_str(input).map_err(|error| error.to_string())?;
    let Envelope { task_id, attempt, input } = envelope;
    if !(1..=MAX_TASK_ID_BYTES).contains(&task_id.len()) || !task_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("taskId must have 1 to {MAX_TASK_ID_BYTES} visible ASCII characters"));
    }
    let name = task_id.split_once(EXECUTION).map_or(task_id.as_str(), |(_, name)| name).to_owned();
    Ok(TaskAttempt {
        worker: worker.to_owned(),
        name,
        number: attempt.get(),
        // At most so many: the state machine counts attempts in outages, too. Nothing ends an execution by this number.
        failures: attempt.get() - 1,
        started_ms: None,
        input: input.get().to_owned(),
        token,
        correlation_id: None,
        traceparent: None,
        task_id,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, non_snake_case, reason = "tests; names begin with a line of docs/delivery.md")]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "arn:aws:states:us-east-1:123456789012:execution:select-winners:e/3";

    #[test]
    fn task_id_and_attempt_come_from_the_input_which_keeps_its_digits() {
        let input =
            format!(r#"{{"taskId": "{ID}", "attempt": 2, "input": {{"n": 1.00000000000000000001}}, "more": 1}}"#);
        let attempt = read("w", "token".to_owned(), &input).unwrap();
        assert_eq!((attempt.task_id.as_str(), attempt.name.as_str()), (ID, "select-winners:e/3"));
        assert_eq!((attempt.number, attempt.failures), (2, 1));
        assert_eq!((attempt.input.as_str(), attempt.token.as_str()), (r#"{"n": 1.00000000000000000001}"#, "token"));
    }

    #[test]
    fn an_id_that_is_not_an_arn_is_also_the_name() {
        let input = json!({"taskId": "mine", "attempt": 1, "input": null}).to_string();
        let attempt = read("w", String::new(), &input).unwrap();
        assert_eq!((attempt.name.as_str(), attempt.input.as_str()), ("mine", "null"));
    }

    #[test]
    fn d14_1__what_is_wrong_with_an_envelope_is_said() {
        for (input, said) in [
            (json!({"attempt": 1, "input": {}}), "missing field `taskId`"),
            (json!({"taskId": ID, "input": {}}), "missing field `attempt`"),
            (json!({"taskId": ID, "attempt": 1}), "missing field `input`"),
            (json!({"taskId": ID, "attempt": 0, "input": {}}), "nonzero"),
            (json!({"taskId": ID, "attempt": "1", "input": {}}), "invalid type: string"),
            (json!({"taskId": "", "attempt": 1, "input": {}}), "1 to 512 visible"),
            (json!({"taskId": "a b", "attempt": 1, "input": {}}), "1 to 512 visible"),
            (json!({"taskId": "x".repeat(513), "attempt": 1, "input": {}}), "1 to 512 visible"),
            (json!({"campaignId": "c", "marketId": "m"}), "missing field `taskId`"),
            (json!("text"), "invalid type: string"),
        ] {
            let error = read("w", String::new(), &input.to_string()).unwrap_err();
            assert!(error.contains(said), "{input}: {error}");
        }
        assert!(read("w", String::new(), "{").is_err());
    }
}
