//! Between JSON and DynamoDB's typed attributes.

use crate::backends::Result;
use crate::backends::limits::invalid;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_STANDARD};
use platform_wire::table::Key;
use serde_json::{Map, Number, Value};
use std::collections::HashMap;

pub(super) type Attributes = HashMap<String, AttributeValue>;

pub(super) fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(bool) => AttributeValue::Bool(bool),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(attribute).collect()),
        Value::Object(fields) => AttributeValue::M(attributes(fields)),
    }
}

pub(super) fn attributes(fields: Map<String, Value>) -> Attributes {
    fields.into_iter().map(|(name, value)| (name, attribute(value))).collect()
}

/// The attributes of an item that has been checked.
pub(super) fn item(text: &str) -> Result<Attributes> {
    serde_json::from_str(text).map(attributes).map_err(|error| invalid(format!("an item is a JSON object: {error}")))
}

pub(super) fn key(key: Key) -> Attributes {
    let of = |name: &str, value| (name.to_owned(), AttributeValue::S(value));
    HashMap::from([of("pk", key.pk), of("sk", key.sk)])
}

/// The key in an item; items of our tables have one.
pub(super) fn key_of(item: &Attributes) -> Option<Key> {
    let part = |name| item.get(name)?.as_s().ok().cloned();
    Some(Key { pk: part("pk")?, sk: part("sk")? })
}

/// `json`, for the type of attributes of one client: tables and streams have each their own.
macro_rules! json_from_attribute {
    ($Attribute:path) => {
        fn json(value: $Attribute) -> serde_json::Value {
            use $Attribute as Attribute;
            use $crate::backends::aws::dynamodb::{json_bytes, json_number};
            match value {
                Attribute::Bool(bool) => bool.into(),
                Attribute::N(number) => json_number(&number),
                Attribute::S(text) => text.into(),
                Attribute::L(values) => values.into_iter().map(json).collect(),
                Attribute::M(fields) => fields.into_iter().map(|(name, value)| (name, json(value))).collect(),
                Attribute::Ns(numbers) => numbers.iter().map(|number| json_number(number)).collect(),
                Attribute::Ss(texts) => texts.into_iter().collect(),
                Attribute::B(bytes) => json_bytes(bytes.as_ref()),
                Attribute::Bs(list) => list.iter().map(|bytes| json_bytes(bytes.as_ref())).collect(),
                _ => serde_json::Value::Null,
            }
        }
    };
}
pub(in crate::backends::aws) use json_from_attribute;

/// An item as JSON text. Sets become lists and bytes base64: workers write neither, other programs may.
pub(super) fn json_of(item: Attributes) -> String {
    Value::Object(item.into_iter().map(|(name, value)| (name, json(value))).collect()).to_string()
}

json_from_attribute!(aws_sdk_dynamodb::types::AttributeValue);

pub(in crate::backends::aws) fn json_bytes(bytes: &[u8]) -> Value {
    BASE64_STANDARD.encode(bytes).into()
}

/// DynamoDB's numbers have 38 digits; one that no JSON number of ours holds keeps its digits as text.
pub(in crate::backends::aws) fn json_number(text: &str) -> Value {
    text.parse::<Number>().map_or_else(|_| Value::String(text.to_owned()), Value::Number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_survives_the_way_there_and_back() {
        let value = json!({"pk": "p", "sk": "s", "n": [0, -1, 12.5, 9_007_199_254_740_993_i64, 1e100], "b": true,
            "nothing": null, "text": "", "deep": {"ü": [{}, []]}});
        let back = json_of(item(&value.to_string()).unwrap());
        assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), value);
    }

    #[test]
    fn what_other_programs_wrote_is_readable() {
        let set = AttributeValue::Ss(vec!["a".into()]);
        let numbers = AttributeValue::Ns(vec!["1".into(), "1e999".into()]);
        let bytes = AttributeValue::B(b"abc".to_vec().into());
        let read = Value::Array([set, numbers, bytes].map(json).to_vec());
        assert_eq!(read, json!([["a"], [1, "1e999"], "YWJj"]));
    }
}
