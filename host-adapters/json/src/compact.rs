//! JSON text rewritten: without white space, or for people.

use crate::MAX_DEPTH;
use serde::ser::{Error, Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The text as `serde_json::Value` would write it, its members in the order of their names, with the numbers as they are.
///
/// # Errors
/// When a string in it is not Unicode, or when it is nested deeper than serde_json follows.
pub fn compact(json: &RawValue) -> serde_json::Result<String> {
    serde_json::to_string(&Compact(json, 0))
}

/// The same, with line breaks and indents.
///
/// # Errors
/// As [`compact`].
pub fn pretty(json: &RawValue) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&Compact(json, 0))
}

/// A value, and how deep it is.
struct Compact<'a>(&'a RawValue, usize);

impl Serialize for Compact<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(json, depth) = *self;
        if depth >= MAX_DEPTH {
            return Err(S::Error::custom("recursion limit exceeded"));
        }
        match json.get().as_bytes().first() {
            Some(b'{') => {
                let members: BTreeMap<String, &RawValue> = read(json)?;
                to.collect_map(members.into_iter().map(|(name, value)| (name, Compact(value, depth + 1))))
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = read(json)?;
                to.collect_seq(elements.into_iter().map(|value| Compact(value, depth + 1)))
            }
            Some(b'"') => to.serialize_str(&read::<String, S::Error>(json)?),
            _ => json.serialize(to),
        }
    }
}

fn read<'a, T: serde::Deserialize<'a>, E: Error>(json: &'a RawValue) -> Result<T, E> {
    serde_json::from_str(json.get()).map_err(E::custom)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn of(text: &str) -> serde_json::Result<String> {
        compact(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn writes_as_value_does_but_for_the_numbers() {
        let text = "{ \"b\" : [ 1 , true, null, \"\\u00fc\\n\" ],\n\t\"a\": {\"c\": -1.5, \"c\": 2} }";
        assert_eq!(of(text).unwrap(), serde_json::from_str::<serde_json::Value>(text).unwrap().to_string());
        assert_eq!(of("[ 12345678901234567890123, 1E-130 ,12.50 ]").unwrap(), "[12345678901234567890123,1E-130,12.50]");
    }

    #[test]
    fn writes_for_people_as_value_does() {
        let text = r#"{"b":[1,{}],"a":"x"}"#;
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(pretty(serde_json::from_str(text).unwrap()).unwrap(), serde_json::to_string_pretty(&value).unwrap());
    }

    #[test]
    fn refuses_what_a_value_cannot_be() {
        assert!(of(r#"["\ud800"]"#).is_err());
        assert!(of(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))).is_err());
    }
}
