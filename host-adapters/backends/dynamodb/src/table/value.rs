//! Converts between JSON and DynamoDB's typed attributes.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_platform::Result;
use host_adapters_platform::limits::invalid;
use host_adapters_records::table::Key;
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
    serde_json::from_str(text)
        .map(attributes)
        .map_err(|error| invalid(format!("an item must be a JSON object: {error}")))
}

pub(super) fn key(key: Key) -> Attributes {
    let of = |name: &str, value| (name.to_owned(), AttributeValue::S(value));
    HashMap::from([of("pk", key.pk), of("sk", key.sk)])
}

/// The key of an item.
pub(super) fn key_of(item: &Attributes) -> Option<Key> {
    let part = |name| item.get(name)?.as_s().ok().cloned();
    Some(Key { pk: part("pk")?, sk: part("sk")? })
}

/// Makes `json_of` for the attribute type of one client, because the clients of tables and of streams have different
/// types. Attributes are written as text directly, without a tree of values, because tens of thousands of images may
/// arrive each second.
macro_rules! json_of_attributes {
    ($Attribute:path) => {
        /// An item as JSON text, by name. Sets become lists and bytes base64: other programs may write them, workers do
        /// not.
        pub(super) fn json_of(item: &std::collections::HashMap<String, $Attribute>) -> String {
            // Cannot fail: all keys are text, and the text is written to memory.
            serde_json::to_string(&Json::Item(item)).unwrap_or_default()
        }

        enum Json<'a> {
            Item(&'a std::collections::HashMap<String, $Attribute>),
            Value(&'a $Attribute),
        }

        impl serde::Serialize for Json<'_> {
            fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
                use $Attribute as Attribute;
                use $crate::table::{json_bytes, json_number};
                match *self {
                    Json::Item(fields) | Json::Value(Attribute::M(fields)) => {
                        let mut fields: Vec<_> = fields.iter().collect();
                        fields.sort_unstable_by_key(|(name, _)| *name);
                        to.collect_map(fields.into_iter().map(|(name, value)| (name, Json::Value(value))))
                    }
                    Json::Value(Attribute::Bool(bool)) => to.serialize_bool(*bool),
                    Json::Value(Attribute::N(number)) => json_number(number).serialize(to),
                    Json::Value(Attribute::S(text)) => to.serialize_str(text),
                    Json::Value(Attribute::L(values)) => to.collect_seq(values.iter().map(Json::Value)),
                    Json::Value(Attribute::Ns(numbers)) => to.collect_seq(numbers.iter().map(|it| json_number(it))),
                    Json::Value(Attribute::Ss(texts)) => to.collect_seq(texts),
                    Json::Value(Attribute::B(bytes)) => to.serialize_str(&json_bytes(bytes.as_ref())),
                    Json::Value(Attribute::Bs(list)) => to.collect_seq(list.iter().map(|it| json_bytes(it.as_ref()))),
                    Json::Value(_) => to.serialize_unit(),
                }
            }
        }
    };
}
pub(crate) use json_of_attributes;

json_of_attributes!(aws_sdk_dynamodb::types::AttributeValue);

pub(crate) fn json_bytes(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// DynamoDB's numbers have 38 digits. A number that does not fit a JSON number keeps its digits as text.
pub(crate) fn json_number(text: &str) -> Value {
    text.parse::<Number>().map_or_else(|_| Value::String(text.to_owned()), Value::Number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_survives_a_round_trip() {
        let value = json!({"pk": "p", "sk": "s", "n": [0, -1, 12.5, 9_007_199_254_740_993_i64, 1e100], "b": true,
            "nothing": null, "text": "", "deep": {"ü": [{}, []]}});
        let back = json_of(&item(&value.to_string()).unwrap());
        assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), value);
    }

    #[test]
    fn attributes_of_other_programs_are_readable() {
        let set = AttributeValue::Ss(vec!["a".into()]);
        let numbers = AttributeValue::Ns(vec!["1".into(), "1e999".into()]);
        let bytes = AttributeValue::B(b"abc".to_vec().into());
        let list = AttributeValue::Bs(vec![b"abc".to_vec().into()]);
        let values = [("b", bytes), ("bs", list), ("ns", numbers), ("ss", set)];
        let item = values.map(|(name, value)| (name.to_owned(), value)).into();
        assert_eq!(json_of(&item), r#"{"b":"YWJj","bs":["YWJj"],"ns":[1,"1e999"],"ss":["a"]}"#);
    }
}
