//! Writes DynamoDB's typed attribute values (`{"S": "…"}`) as plain JSON, numbers digit for digit.

use host_adapters_json::number;
use serde_json::{Map, Value};

/// An image without its type tags, as JSON text. Errors name fields from `path` on.
pub(super) fn plain(path: &str, image: &Map<String, Value>) -> Result<String, String> {
    let members = image.iter().map(|(name, value)| {
        let value = value_of(&format!("{path}.{name}"), value)?;
        Ok(format!("{}:{value}", text(name)))
    });
    Ok(format!("{{{}}}", joined(members)?))
}

fn value_of(path: &str, value: &Value) -> Result<String, String> {
    let Value::Object(tagged) = value else { return Err(format!("{path} has no type tag")) };
    let mut tagged = tagged.iter();
    let (Some((tag, value)), None) = (tagged.next(), tagged.next()) else {
        return Err(format!("{path} must have exactly one type tag"));
    };
    match (tag.as_str(), value) {
        ("S" | "B", Value::String(_)) | ("BOOL", Value::Bool(_)) | ("SS" | "BS", Value::Array(_)) => {
            Ok(value.to_string())
        }
        ("NULL", _) => Ok(Value::Null.to_string()),
        ("N", Value::String(text)) => number_of(path, text),
        ("NS", Value::Array(numbers)) => list(numbers.iter().map(|number| match number {
            Value::String(text) => number_of(path, text),
            _ => Err(format!("{path} holds something other than numbers as strings")),
        })),
        ("M", Value::Object(map)) => plain(path, map),
        ("L", Value::Array(values)) => {
            list(values.iter().enumerate().map(|(index, value)| value_of(&format!("{path}[{index}]"), value)))
        }
        (tag, _) => Err(format!("{path} is not an attribute value: {tag:?}")),
    }
}

/// DynamoDB writes numbers as strings.
fn number_of(path: &str, text: &str) -> Result<String, String> {
    number(text).map(String::from).ok_or_else(|| format!("{path} is not a number: {text:?}"))
}

fn list(values: impl Iterator<Item = Result<String, String>>) -> Result<String, String> {
    Ok(format!("[{}]", joined(values)?))
}

fn joined(parts: impl Iterator<Item = Result<String, String>>) -> Result<String, String> {
    Ok(parts.collect::<Result<Vec<_>, _>>()?.join(","))
}

/// A string as JSON.
pub(super) fn text(text: &str) -> String {
    Value::from(text).to_string()
}
