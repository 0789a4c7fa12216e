//! Vectors written from the documentation of Amazon's event ruler (its README, "Ruler by Example" to "JSON Array
//! Matching"), and the messages of policies that are refused. In the files, numbers stay as they are spelled.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use host_adapters_filter::Filter;
use serde::Deserialize;
use serde_json::value::RawValue;

const VALUES: &str = include_str!("vectors/values.json");
const STRUCTURE: &str = include_str!("vectors/structure.json");
const REFUSED: &str = include_str!("vectors/refused.json");

/// A policy, the events that it matches, and others.
#[derive(Deserialize)]
struct Group<'a> {
    rule: &'a str,
    #[serde(borrow)]
    policy: &'a RawValue,
    #[serde(borrow, rename = "match")]
    matches: Vec<&'a RawValue>,
    #[serde(borrow)]
    other: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Refused<'a> {
    #[serde(borrow)]
    policy: &'a RawValue,
    error: String,
}

/// Checks each group, and returns how many vectors they have.
fn check(file: &str) -> usize {
    let groups: Vec<Group<'_>> = serde_json::from_str(file).unwrap();
    let mut checked = 0;
    for Group { rule, policy, matches, other } in groups {
        let filter = Filter::compile(policy.get()).unwrap_or_else(|error| panic!("{rule}: {error}"));
        for (events, expected) in [(matches, true), (other, false)] {
            for event in events {
                assert_eq!(filter.matches(event.get()).unwrap(), expected, "{rule}: {policy} and {event}");
                checked += 1;
            }
        }
    }
    checked
}

#[test]
fn values_match_as_the_ruler_documents() {
    assert!(check(VALUES) > 350);
}

#[test]
fn fields_lists_and_or_match_as_the_ruler_documents() {
    assert!(check(STRUCTURE) > 100);
}

#[test]
fn what_is_wrong_is_said_with_its_path_and_what_is_allowed() {
    for Refused { policy, error } in serde_json::from_str::<Vec<Refused<'_>>>(REFUSED).unwrap() {
        assert_eq!(Filter::compile(policy.get()).unwrap_err().to_string(), error, "{policy}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    let error = Filter::compile(r#"{"a": [1}"#).unwrap_err().to_string();
    assert_eq!(error, "the filter: it is not JSON: expected `,` or `]` at line 1 column 9");
    let nested = |inner: &str| format!("{}{inner}{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    let error = Filter::compile(&nested("[1]")).unwrap_err().to_string();
    assert_eq!(error, "the filter: it is nested more than 128 levels deep");

    let filter = Filter::compile(r#"{"a": [{"exists": false}]}"#).unwrap();
    for event in ["", "1", "[]", "null", r#"{"a":}"#, r#"{"a": "\ud800"}"#, r#"{"a": 1e99999999999999999999}"#] {
        assert!(filter.matches(event).is_err(), "{event}");
    }
    let lists = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(filter.matches(&lists).unwrap_err().to_string(), "the event is nested more than 128 levels deep");
    assert!(filter.matches(&lists.replace('a', "b")).unwrap(), "what the policy does not name is not followed");
}

#[test]
fn or_does_not_grow_without_bounds() {
    let or = |index: usize| format!(r#""f{index}": {{"$or": [{{"a": [1]}}, {{"b": [1]}}]}}"#);
    let policy = |count| format!("{{{}}}", (0..count).map(or).collect::<Vec<_>>().join(","));
    assert!(Filter::compile(&policy(9)).is_ok());
    let error = Filter::compile(&policy(100)).unwrap_err().to_string();
    assert_eq!(error, "`f9.$or` of the filter: it makes more than 1000 alternatives, with those around it multiplied");
}
