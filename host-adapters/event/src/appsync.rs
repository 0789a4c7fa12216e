//! AppSync's events, and the input of request workers in its other shapes: `arguments.input` with or without `body`,
//! `{"body": …}`, or bare. What a GraphQL schema types as AWSJSON comes as text.
//!
//! `request.headers` are those that the resolver forwards. A header over HTTP goes before one of the same name there.

use crate::endpoint::fan_token;
use host_adapters_json::{Numbers, is_exact};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where the input may be; the first object counts.
const PLACES: [&str; 5] = ["/arguments/input/body", "/arguments/input", "/input/body", "/input", "/body"];

/// The length of `\ud83d`.
const ESCAPE: usize = 6;

/// The longest correlation id or trace context that is taken from an event, in bytes.
const MAX_ID_BYTES: usize = 256;

/// Reads an event. JSON can escape half of a surrogate pair, which no text can hold, and spell numbers that a machine
/// rounds. Either is read as U+FFFF, which no field accepts, so that its field is refused and not the whole event.
pub fn parse(event: &str) -> serde_json::Result<Value> {
    let _: &RawValue = serde_json::from_str(event)?;
    let exact = without_rounded(event);
    let event = exact.as_deref().unwrap_or(event);
    serde_json::from_str(event).or_else(|error| match without_halves(event) {
        Some(event) => serde_json::from_str(&event),
        None => Err(error),
    })
}

/// The input inside an event, in whichever form it arrived.
pub fn input(mut event: Value) -> Value {
    for place in PLACES {
        let Some(value) = event.pointer_mut(place) else { continue };
        let inside = json(value.take());
        if inside.is_object() {
            return inside;
        }
        *value = inside;
    }
    // API usage prints the bare input, too.
    event
}

/// The object or null that a text holds (AWSJSON); any other value as it is.
pub fn json(value: Value) -> Value {
    match value.as_str().map(parse) {
        Some(Ok(inside @ (Value::Object(_) | Value::Null))) => inside,
        _ => value,
    }
}

/// The caller's token: `request.headers.authorization` of an AppSync event, without `Bearer `. Never from the body.
pub fn token(event: &str) -> Option<String> {
    fan_token(find(&headers(event)?, "authorization")?).map(str::to_owned)
}

/// What follows an event through logs and services.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Context {
    /// `x-correlation-id`.
    pub correlation_id: Option<String>,
    /// `traceparent`, W3C trace context.
    pub traceparent: Option<String>,
}

impl Context {
    /// What an event says. What no header over HTTP could carry is left out.
    pub fn of(event: &str) -> Self {
        let headers = headers(event).unwrap_or_default();
        let id = |name| find(&headers, name).filter(|id| is_id(id)).map(str::to_owned);
        Self { correlation_id: id("x-correlation-id"), traceparent: id("traceparent") }
    }
}

/// The headers. Nothing else of the event is read.
fn headers(event: &str) -> Option<Map<String, Value>> {
    let mut event: BTreeMap<String, &RawValue> = serde_json::from_str(event).ok()?;
    let mut request: BTreeMap<String, &RawValue> = serde_json::from_str(event.remove("request")?.get()).ok()?;
    serde_json::from_str(request.remove("headers")?.get()).ok()
}

fn find<'a>(headers: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str()
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// JSON text with U+FFFF for each number that would be rounded; `None` if it has none.
fn without_rounded(json: &str) -> Option<String> {
    let (mut exact, mut taken) = (String::new(), 0);
    let mut numbers = Numbers::of(json);
    while let Some((_, number)) = numbers.next() {
        if !is_exact(number) {
            let end = json.len() - numbers.rest().len();
            exact.push_str(json.get(taken..end - number.len())?);
            exact.push_str(r#""\uffff""#);
            taken = end;
        }
    }
    exact.push_str(json.get(taken..).filter(|_| taken > 0)?);
    Some(exact)
}

/// JSON text with U+FFFF for each half of a surrogate pair; `None` if it has none.
fn without_halves(json: &str) -> Option<String> {
    let (mut whole, mut rest) = (String::with_capacity(json.len()), json);
    while let Some((before, escape)) = rest.find('\\').map(|at| rest.split_at(at)) {
        whole.push_str(before);
        let next = escape.get(ESCAPE..).unwrap_or_default();
        let length = match (surrogate(escape), surrogate(next)) {
            (Some(Half::First), Some(Half::Second)) => 2 * ESCAPE,
            (Some(_), _) => {
                whole.push_str(r"\uffff");
                rest = next;
                continue;
            }
            (None, _) => escape.chars().take(2).map(char::len_utf8).sum(),
        };
        let (kept, behind) = escape.split_at(length);
        whole.push_str(kept);
        rest = behind;
    }
    whole.push_str(rest);
    (whole != json).then_some(whole)
}

enum Half {
    First,
    Second,
}

/// The half of a surrogate pair that the text begins with.
fn surrogate(escape: &str) -> Option<Half> {
    let code = u16::from_str_radix(escape.strip_prefix(r"\u")?.get(..4)?, 16).ok()?;
    match code {
        0xd800..0xdc00 => Some(Half::First),
        0xdc00..0xe000 => Some(Half::Second),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn context(headers: Value) -> (Option<String>, Option<String>) {
        let Context { correlation_id, traceparent } =
            Context::of(&json!({"request": {"headers": headers}}).to_string());
        (correlation_id, traceparent)
    }

    #[test]
    fn an_event_names_its_context() {
        let both = context(json!({"X-Correlation-Id": "c-1", "traceparent": "00-1-2-01", "host": "x"}));
        assert_eq!(both, (Some("c-1".to_owned()), Some("00-1-2-01".to_owned())));
    }

    #[test]
    fn what_no_header_could_carry_is_left_out() {
        for id in [json!(""), json!("two\nlines"), json!("é"), json!("c".repeat(257)), json!(7), Value::Null] {
            assert_eq!(context(json!({"x-correlation-id": id})), (None, None), "{id}");
        }
    }

    #[test]
    fn numbers_that_would_be_rounded_spoil_only_their_own_fields() {
        let event =
            r#"{"a":1.00000000000000000001,"b":[-12345678901234567890,7],"c":"1.00000000000000000001","d":1e999}"#;
        let read = json!({"a": "\u{ffff}", "b": ["\u{ffff}", 7], "c": "1.00000000000000000001", "d": "\u{ffff}"});
        assert_eq!(parse(event).unwrap(), read);
        assert_eq!(parse("[2.0,2e0,9007199254740993,0.1]").unwrap(), json!([2.0, 2.0, 9_007_199_254_740_993_i64, 0.1]));
        for wrong in ["1.2.3", "[1 2]", "01", "[4503599627370497.25x]", "-"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_events_have_no_headers() {
        for event in
            ["", "[]", "null", "{}", r#"{"request":null}"#, r#"{"request":{"headers":[]}}"#, r#"{"Records":[]}"#]
        {
            assert_eq!(Context::of(event), Context::default(), "{event}");
        }
    }
}
