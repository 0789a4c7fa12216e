//! Whether two JSON texts are the same value.

use crate::{Decimal, MAX_DEPTH};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Whether two texts, which are JSON, are the same value: numbers by value to the last digit (1 is 1.0), objects in any
/// order of members, as DynamoDB compares them.
pub fn same(a: &str, b: &str) -> bool {
    same_below(a.trim(), b.trim(), 0)
}

fn same_below(a: &str, b: &str, depth: usize) -> bool {
    if a == b {
        return true;
    }
    if depth >= MAX_DEPTH {
        return false;
    }
    match (a.as_bytes().first(), b.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => both::<BTreeMap<String, &RawValue>>(a, b).is_some_and(|(a, b)| {
            let members = |((a_name, a), (b_name, b)): ((&String, &&RawValue), (&String, &&RawValue))| {
                a_name == b_name && same_below(a.get(), b.get(), depth + 1)
            };
            a.len() == b.len() && a.iter().zip(&b).all(members)
        }),
        (Some(b'['), Some(b'[')) => both::<Vec<&RawValue>>(a, b).is_some_and(|(a, b)| {
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same_below(a.get(), b.get(), depth + 1))
        }),
        (Some(b'"'), Some(b'"')) => both::<String>(a, b).is_some_and(|(a, b)| a == b),
        (Some(b'-' | b'0'..=b'9'), Some(b'-' | b'0'..=b'9')) => {
            Decimal::parse(a).is_some_and(|a| Decimal::parse(b).is_some_and(|b| a == b))
        }
        _ => false,
    }
}

fn both<'a, T: serde::Deserialize<'a>>(a: &'a str, b: &'a str) -> Option<(T, T)> {
    Some((serde_json::from_str(a).ok()?, serde_json::from_str(b).ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn compares_by_value() {
        for (a, b, expected) in [
            (r#"{"a":1,"b":{"c":null}}"#, r#" { "b": {"c": null}, "a": 1.0 } "#, true),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
            (r#"{"a":12345678901234567890123}"#, r#"{"a":12345678901234567890124}"#, false),
            (r#"{"a":[12345678901234567890123]}"#, r#"{ "a" : [ 1.2345678901234567890123e22 ] }"#, true),
            (r#""ü""#, r#""\u00fc""#, true),
            (r#""a""#, r#""b""#, false),
            ("[1,2]", "[2,1]", false),
            ("true", "false", false),
            ("null", "0", false),
            ("1", r#""1""#, false),
        ] {
            assert_eq!(same(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(same(&deep("1"), &deep("1")));
        assert!(!same(&deep("1"), &deep("1.0")), "deeper than is followed, the texts are compared");
    }
}
