//! The request: `arguments.eventId` of an AppSync event, or `eventId` in the input of one, wherever request workers take
//! their input.

use serde_json::Value;
use worker_kit::lambda::appsync;

/// The longest id of an event, in bytes, as the Campaign Service takes it.
const MAX_ID_BYTES: usize = 256;

/// Why an event cannot be read, as a message for its sender.
pub type Malformed = &'static str;

/// The id of the event whose campaigns are asked for.
pub fn event_id(event: &str) -> Result<String, Malformed> {
    let mut event = appsync::parse(event).map_err(|_| "the event is not JSON")?;
    // The arguments of a query need no input type.
    let argument = event.pointer_mut("/arguments/eventId").map(Value::take);
    let id = argument.or_else(|| appsync::input(event).get_mut("eventId").map(Value::take));
    match id {
        Some(Value::String(id)) if id.len() > MAX_ID_BYTES => Err("`eventId` is longer than 256 bytes"),
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
        None | Some(Value::Null | Value::String(_)) => Err("`eventId` is missing: name the event"),
        Some(_) => Err("`eventId` is not a text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const APPSYNC: &str = include_str!("../fixtures/appsync.json");

    #[test]
    fn every_envelope_names_the_same_event() {
        assert_eq!(event_id(APPSYNC).as_deref(), Ok("event-123"));
        let input = json!({"eventId": "e"});
        for event in [
            json!({"arguments": input}),
            json!({"arguments": {"input": input}}),
            json!({"arguments": {"input": {"body": input}}}),
            json!({"arguments": {"input": input.to_string()}}),
            json!({"input": input}),
            json!({"body": input}),
            input,
        ] {
            assert_eq!(event_id(&event.to_string()).as_deref(), Ok("e"), "{event}");
        }
    }

    #[test]
    fn a_request_without_an_event_is_malformed() {
        for (event, expected) in [
            ("{", "not JSON"),
            ("[]", "missing"),
            ("{}", "missing"),
            (r#"{"arguments":{"eventId":null}}"#, "missing"),
            (r#"{"eventId":""}"#, "missing"),
            (r#"{"eventId":7}"#, "not a text"),
            (r#"{"arguments":{"eventId":["e"]}}"#, "not a text"),
        ] {
            assert!(event_id(event).is_err_and(|problem| problem.contains(expected)), "{event}");
        }
        let id = |bytes| event_id(&json!({"eventId": "e".repeat(bytes)}).to_string()).is_ok();
        assert!(id(256) && !id(257));
    }
}
