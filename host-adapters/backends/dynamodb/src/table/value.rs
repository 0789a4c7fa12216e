//! Converts between JSON and DynamoDB's typed attributes.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_json::number;
use host_adapters_platform::Result;
use host_adapters_platform::limits::invalid;
use host_adapters_records::table::Key;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// How deep JSON is followed. DynamoDB itself refuses more than 32 levels.
const MAX_DEPTH: usize = 128;

pub(super) type Attributes = HashMap<String, AttributeValue>;

/// The attribute of a JSON value; numbers go as they are spelled.
pub(super) fn attribute(json: &RawValue) -> Result<AttributeValue> {
    attribute_below(json, 0)
}

fn attribute_below(json: &RawValue, depth: usize) -> Result<AttributeValue> {
    if depth >= MAX_DEPTH {
        return Err(invalid(format!("objects and lists are nested in each other by more than {MAX_DEPTH} levels")));
    }
    let text = json.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => AttributeValue::M(attributes_below(text, depth + 1)?),
        Some(b'[') => {
            let values: Vec<&RawValue> = read(text)?;
            let values = values.into_iter().map(|value| attribute_below(value, depth + 1));
            AttributeValue::L(values.collect::<Result<_>>()?)
        }
        Some(b'"') => AttributeValue::S(read(text)?),
        Some(b'n') => AttributeValue::Null(true),
        Some(b't' | b'f') => AttributeValue::Bool(text == "true"),
        _ => AttributeValue::N(text.to_owned()),
    })
}

fn attributes_below(object: &str, depth: usize) -> Result<Attributes> {
    let fields: HashMap<String, &RawValue> = read(object)?;
    fields.into_iter().map(|(name, value)| Ok((name, attribute_below(value, depth)?))).collect()
}

fn read<'a, T: serde::Deserialize<'a>>(json: &'a str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| invalid(format!("cannot be stored in DynamoDB: {error}")))
}

/// The attributes of an item that has been checked.
pub(super) fn item(text: &str) -> Result<Attributes> {
    attributes_below(text, 0)
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
                use $crate::table::{JsonNumber, json_bytes};
                match *self {
                    Json::Item(fields) | Json::Value(Attribute::M(fields)) => {
                        let mut fields: Vec<_> = fields.iter().collect();
                        fields.sort_unstable_by_key(|(name, _)| *name);
                        to.collect_map(fields.into_iter().map(|(name, value)| (name, Json::Value(value))))
                    }
                    Json::Value(Attribute::Bool(bool)) => to.serialize_bool(*bool),
                    Json::Value(Attribute::N(number)) => JsonNumber(number).serialize(to),
                    Json::Value(Attribute::S(text)) => to.serialize_str(text),
                    Json::Value(Attribute::L(values)) => to.collect_seq(values.iter().map(Json::Value)),
                    Json::Value(Attribute::Ns(numbers)) => to.collect_seq(numbers.iter().map(|it| JsonNumber(it))),
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

/// A number, digit for digit; as text if JSON has no such number, which no number of DynamoDB is.
pub(crate) struct JsonNumber<'a>(pub(crate) &'a str);

impl Serialize for JsonNumber<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let number = number(self.0).and_then(|number| RawValue::from_string(number.into_owned()).ok());
        match number {
            Some(number) => number.serialize(to),
            None => to.serialize_str(self.0),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn json_survives_a_round_trip() {
        let value = json!({"pk": "p", "sk": "s", "n": [0, -1, 12.5, 9_007_199_254_740_993_i64, 1e100], "b": true,
            "nothing": null, "text": "", "deep": {"ü": [{}, []]}});
        let back = json_of(&item(&value.to_string()).unwrap());
        assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), value);
    }

    #[test]
    fn case_01_numbers_keep_every_digit() {
        let text = r#"{"n":[12345678901234567890,0.12345678901234567890123456789012345678,1E-130,12.50]}"#;
        let item = item(text).unwrap();
        assert_eq!(item["n"].as_l().unwrap()[1], AttributeValue::N("0.12345678901234567890123456789012345678".into()));
        assert_eq!(json_of(&item), text);
        let set = AttributeValue::Ns(vec!["3804086584686624768".into(), "12345678901234567890123".into()]);
        assert_eq!(
            json_of(&[("set".to_owned(), set)].into()),
            r#"{"set":[3804086584686624768,12345678901234567890123]}"#
        );
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(item(&deep).is_err());
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
