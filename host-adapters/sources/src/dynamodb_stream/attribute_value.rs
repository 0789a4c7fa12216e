//! Converts DynamoDB's typed attribute values (`{"S": "…"}`) to plain JSON.

use serde_json::{Map, Number, Value};

/// An image without its type tags. Errors name fields from `path` on.
pub(super) fn plain(path: &str, image: Map<String, Value>) -> Result<Value, String> {
    image
        .into_iter()
        .map(|(name, value)| {
            let value = value_of(&format!("{path}.{name}"), value)?;
            Ok((name, value))
        })
        .collect::<Result<Map<_, _>, String>>()
        .map(Value::Object)
}

fn value_of(path: &str, value: Value) -> Result<Value, String> {
    let Value::Object(tagged) = value else { return Err(format!("{path} has no type tag")) };
    let mut tagged = tagged.into_iter();
    let (Some((tag, value)), None) = (tagged.next(), tagged.next()) else {
        return Err(format!("{path} must have exactly one type tag"));
    };
    match (tag.as_str(), value) {
        ("S" | "B", value @ Value::String(_)) | ("BOOL", value @ Value::Bool(_)) => Ok(value),
        ("SS" | "BS", value @ Value::Array(_)) => Ok(value),
        ("NULL", _) => Ok(Value::Null),
        ("N", Value::String(text)) => number(path, &text),
        ("NS", Value::Array(numbers)) => numbers.into_iter().map(|text| number_value(path, text)).collect(),
        ("M", Value::Object(map)) => plain(path, map),
        ("L", Value::Array(list)) => {
            list.into_iter().enumerate().map(|(index, value)| value_of(&format!("{path}[{index}]"), value)).collect()
        }
        (tag, _) => Err(format!("{path} is not an attribute value: {tag:?}")),
    }
}

fn number_value(path: &str, value: Value) -> Result<Value, String> {
    match value {
        Value::String(text) => number(path, &text),
        _ => Err(format!("{path} holds something other than numbers as strings")),
    }
}

/// DynamoDB writes numbers as strings. `12.50` and `1E+2` are numbers too; a number that JSON cannot hold exactly is
/// rounded.
fn number(path: &str, text: &str) -> Result<Value, String> {
    let number = text.parse::<i64>().ok().map(Number::from).or_else(|| Number::from_f64(text.parse().ok()?));
    number.map(Value::Number).ok_or_else(|| format!("{path} is not a number: {text:?}"))
}
