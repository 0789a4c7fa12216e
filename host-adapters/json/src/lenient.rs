//! Readers of members that other programs write, for `#[serde(deserialize_with = "…")]`: null counts as absent, an
//! integer may have a fraction of zeros, and an optional member that cannot be read affects no other. [`readable`]
//! reads a whole text so.

use crate::MAX_DEPTH;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Number, Value};
use std::collections::BTreeMap;

/// Above this a double no longer tells neighbouring integers apart.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

/// The integer that a number is; `None` if it has a fraction, is not exact, or is out of the type's range. As in JSON
/// Schema (since draft 6) it counts what the number is, not how it is written: `2`, `2.0` and `2e0` are one number. Python
/// and MongoDB's doubles write the second.
pub fn whole<T: TryFrom<i128>>(number: &Number) -> Option<T> {
    let exact = |number: &f64| number.fract() == 0.0 && number.abs() <= MAX_EXACT;
    let integer = number.as_i128().or_else(|| number.as_f64().filter(exact).map(|number| number as i128))?;
    T::try_from(integer).ok()
}

fn integer<T: TryFrom<i128>, E: Error>(number: &Number) -> Result<T, E> {
    whole(number).ok_or_else(|| E::custom(format!("{number} is not a whole number in range")))
}

/// Reads an integer that must be there.
///
/// # Errors
/// When it is not an integer of the type.
pub fn required_whole<'de, D: Deserializer<'de>, T: TryFrom<i128>>(from: D) -> Result<T, D::Error> {
    integer(&Number::deserialize(from)?)
}

/// Reads an integer that may be null.
///
/// # Errors
/// When it is neither null nor an integer of the type.
pub fn optional_whole<'de, D: Deserializer<'de>, T: TryFrom<i128>>(from: D) -> Result<Option<T>, D::Error> {
    Option::<Number>::deserialize(from)?.as_ref().map(integer).transpose()
}

/// Reads a count, of which null is 0.
///
/// # Errors
/// When it is neither null nor an integer of the type.
pub fn whole_or_zero<'de, D: Deserializer<'de>, T: TryFrom<i128> + Default>(from: D) -> Result<T, D::Error> {
    Ok(optional_whole(from)?.unwrap_or_default())
}

/// Reads a member of which null is the default.
///
/// # Errors
/// When it is neither null nor of the type.
pub fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// Reads a member that nothing depends on: a text, a number or a flag. Null, and whatever is not of the type, is `None`,
/// also half a character or a number beyond all ranges. Not for members of flattened structs, which serde holds in a form
/// without text.
///
/// # Errors
/// When it is not JSON.
pub fn if_readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let json = Box::<RawValue>::deserialize(from)?;
    Ok(serde_json::from_str(json.get()).ok())
}

/// The same, with the type's default instead of `None`.
///
/// # Errors
/// As [`if_readable`].
pub fn readable_or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    Ok(if_readable(from)?.unwrap_or_default())
}

/// The same for a whole number, which may have a fraction of zeros.
///
/// # Errors
/// As [`if_readable`].
pub fn whole_if_readable<'de, D: Deserializer<'de>, T: TryFrom<i128>>(from: D) -> Result<Option<T>, D::Error> {
    let number: Option<Number> = if_readable(from)?;
    Ok(number.as_ref().and_then(whole))
}

/// Reads a text and replaces by null each text, number or part that cannot be read: half a character, a number beyond
/// all ranges, a part that is nested too deep. For objects of which few members are needed. `None` if it is not JSON.
pub fn readable(text: &str) -> Option<Value> {
    let parts = || serde_json::from_str::<&RawValue>(text).ok().map(|json| readable_parts(json, 0));
    serde_json::from_str(text).ok().or_else(parts)
}

fn readable_parts(json: &RawValue, depth: usize) -> Value {
    let text = json.get();
    if depth >= MAX_DEPTH {
        return Value::Null;
    }
    let read = |part| readable_parts(part, depth + 1);
    match text.as_bytes().first() {
        Some(b'{') => {
            let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) else { return Value::Null };
            Value::Object(members.into_iter().map(|(name, part)| (name, read(part))).collect())
        }
        Some(b'[') => {
            let parts: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
            Value::Array(parts.into_iter().map(read).collect())
        }
        _ => serde_json::from_str(text).unwrap_or_default(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, rename_all = "camelCase")]
    struct Members {
        #[serde(deserialize_with = "optional_whole")]
        rank: Option<u32>,
        #[serde(deserialize_with = "whole_or_zero")]
        count: i64,
        #[serde(deserialize_with = "null_as_default")]
        list: Vec<u8>,
        #[serde(deserialize_with = "if_readable")]
        note: Option<String>,
        #[serde(deserialize_with = "readable_or_default")]
        flag: bool,
        #[serde(deserialize_with = "whole_if_readable")]
        size: Option<u64>,
    }

    fn read(text: &str) -> Result<Members, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    fn integer_of(text: &str) -> Option<i64> {
        whole(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn case_21_a_number_without_a_fraction_is_an_integer() {
        for (text, expected) in [
            ("2", Some(2)),
            ("2.0", Some(2)),
            ("2e0", Some(2)),
            ("20E-1", Some(2)),
            ("-0.0", Some(0)),
            ("-3.000", Some(-3)),
            ("9223372036854775807", Some(i64::MAX)),
            ("2.5", None),
            ("1e-9", None),
            ("9223372036854775808", None),
            ("1e16", None),
            ("1e300", None),
        ] {
            assert_eq!(integer_of(text), expected, "{text}");
        }
        assert_eq!(whole::<u64>(&Number::from(u64::MAX)), Some(u64::MAX));
        assert_eq!(whole::<u32>(&Number::from(-1)), None);
    }

    #[test]
    fn case_02_null_is_as_absent() {
        let text = r#"{"rank":null,"count":null,"list":null,"note":null,"flag":null,"size":null}"#;
        assert_eq!(read(text), Ok(Members::default()));
        assert_eq!(read("{}"), Ok(Members::default()));
        // Also where numbers and texts are read already.
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::from_value::<Members>(value).unwrap(), Members::default());
    }

    #[test]
    fn case_02_what_is_not_needed_costs_only_itself() {
        for wrong in ["7", "[\"x\"]", "{}", "\"\\ud800\"", "1e999", "-1.5"] {
            let text = format!(r#"{{"rank":1,"note":{wrong},"flag":{wrong},"size":"x"}}"#);
            assert_eq!(read(&text), Ok(Members { rank: Some(1), ..Members::default() }), "{wrong}");
        }
        let good = read(r#"{"note":"n","flag":true,"size":3.0,"list":[1],"count":-2.0,"rank":0.0}"#).unwrap();
        let expected =
            Members { rank: Some(0), count: -2, list: vec![1], note: Some("n".into()), flag: true, size: Some(3) };
        assert_eq!(good, expected);
    }

    #[test]
    fn case_02_what_cannot_be_read_is_null_and_costs_nothing_else() {
        let text = r#" {"a":[1,1e999,"\ud800",{"b":"\ud800","c":2.0}],"d":"x","e":-1e999} "#;
        let expected = serde_json::json!({"a": [1, null, null, {"b": null, "c": 2.0}], "d": "x", "e": null});
        assert_eq!(readable(text), Some(expected));
        assert_eq!(readable("1e999"), Some(Value::Null));
        assert_eq!(readable(r#"{"a":1}"#), Some(serde_json::json!({"a": 1})));
        for text in ["", "{", r#"{"a":}"#, "[1] 2", "no"] {
            assert_eq!(readable(text), None, "{text}");
        }
        let deep = readable(&format!(r#"{{"a":{}{},"b":1}}"#, "[".repeat(100_000), "]".repeat(100_000))).unwrap();
        assert_eq!(deep.get("b"), Some(&1.into()));
    }

    #[test]
    fn what_is_needed_is_named_if_it_is_wrong() {
        for (text, problem) in [
            (r#"{"rank":0.5}"#, "0.5 is not a whole number in range"),
            (r#"{"rank":-1}"#, "-1 is not a whole number in range"),
            (r#"{"count":1e300}"#, "1e+300 is not a whole number in range"),
            (r#"{"count":"1"}"#, "invalid type: string \"1\""),
            (r#"{"list":7}"#, "invalid type: integer `7`"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.starts_with(problem), "{text}: {told}");
        }
        let required = |text: &str| {
            let mut json = serde_json::Deserializer::from_str(text);
            required_whole::<_, u64>(&mut json).ok()
        };
        assert_eq!(
            [required("30.0"), required("30"), required("null"), required("1.5")],
            [Some(30), Some(30), None, None]
        );
    }

    proptest! {
        #[test]
        fn every_way_to_write_an_integer_is_read_as_it(number in -1_000_000_000_000_i64..1_000_000_000_000) {
            for text in [format!("{number}"), format!("{number}.0"), format!("{number}.00e0"), format!("{number}000E-3")] {
                prop_assert_eq!(integer_of(&text), Some(number), "{}", text);
            }
            prop_assert_eq!(integer_of(&format!("{number}.5")), None);
        }
    }
}
