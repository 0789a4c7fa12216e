//! Input of request workers: an AppSync event (`arguments.input.body`), `{"body": …}` or the bare input.

use host_adapters_event::endpoint::fan_token;
use serde_json::Value;

/// The input inside an event, whichever way it came.
pub fn input(event: Value) -> Value {
    let Value::Object(mut object) = event else { return event };
    if let Some(body) = object.get_mut("arguments").and_then(|value| value.pointer_mut("/input/body")) {
        return body.take();
    }
    // API usage prints what a resolver's caller passes as variables.
    if let Some(body) = object.get_mut("input").and_then(|input| input.get_mut("body")) {
        return body.take();
    }
    match object.remove("body") {
        Some(body @ Value::Object(_)) => body,
        Some(body) => {
            object.insert("body".to_owned(), body);
            Value::Object(object)
        }
        None => Value::Object(object),
    }
}

/// The caller's token: `request.headers.authorization` of an AppSync event, without `Bearer `. Never from the body.
pub fn token(event: &str) -> Option<String> {
    fan_token(&header(event, "authorization")?).map(str::to_owned)
}

/// A header that the AppSync resolver forwards, in any case of its name.
pub fn header(event: &str, name: &str) -> Option<String> {
    let event: Value = serde_json::from_str(event).ok()?;
    let headers = event.pointer("/request/headers")?.as_object()?;
    let (_, value) = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value.as_str()?.to_owned())
}
