//! What holds of any pattern and any event.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use host_adapters_filter::Filter;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

fn matches(pattern: &Value, event: &Value) -> bool {
    Filter::compile(&pattern.to_string()).unwrap().matches(&event.to_string()).unwrap()
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        (-5..5).prop_map(Value::from),
        "[ab]{0,3}".prop_map(Value::from),
    ]
}

/// Objects of few names, lists, lists in lists.
fn event() -> impl Strategy<Value = Value> {
    let leaf = (0..3).prop_map(Value::from);
    let value = leaf
        .prop_recursive(4, 40, 3, |inner| prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::from), object(inner)]);
    object(value)
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    vec(("[abc]", value), 0..4).prop_map(|members| members.into_iter().collect::<Map<_, _>>().into())
}

/// The value that each field must have, or that it must be missing.
fn fields() -> impl Strategy<Value = BTreeMap<String, Option<i64>>> {
    let path = vec("[abc]", 1..3).prop_map(|names| names.join("."));
    proptest::collection::btree_map(path, prop_oneof![4 => (0..3_i64).prop_map(Some), 1 => Just(None)], 1..4)
}

/// The elements of lists that a value lies in, each list by where it is.
type Place = BTreeMap<String, usize>;

/// The values of a field, by trying everything.
fn values(event: &Value, path: &[&str], at: &str, place: &Place, found: &mut Vec<(i64, Place)>) {
    match (event, path) {
        (Value::Object(members), [name, rest @ ..]) => {
            members.get(*name).into_iter().for_each(|value| values(value, rest, &format!("{at}/{name}"), place, found));
        }
        (Value::Array(elements), _) => {
            for (index, element) in elements.iter().enumerate() {
                let mut place = place.clone();
                if element.is_array() || element.is_object() {
                    place.insert(at.to_owned(), index);
                }
                values(element, path, &format!("{at}/{index}"), &place, found);
            }
        }
        (Value::Number(number), []) => found.push((number.as_i64().unwrap(), place.clone())),
        _ => {}
    }
}

fn agrees(a: &Place, b: &Place) -> bool {
    a.iter().all(|(list, index)| b.get(list).is_none_or(|other| other == index))
}

/// As the ruler goes about it: each value of the first field, with it each value of the second one, and so on.
fn by_trying(event: &Value, fields: &[(&str, Option<i64>)], chosen: &Place) -> bool {
    let [(path, expected), rest @ ..] = fields else { return true };
    let mut found = Vec::new();
    values(event, &path.split('.').collect::<Vec<_>>(), "", &Place::new(), &mut found);
    found.retain(|(_, place)| agrees(place, chosen));
    match expected {
        None => found.is_empty() && by_trying(event, rest, chosen),
        Some(expected) => found.iter().filter(|(value, _)| value == expected).any(|(_, place)| {
            let mut chosen = chosen.clone();
            chosen.extend(place.clone());
            by_trying(event, rest, &chosen)
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn lists_of_objects_match_as_trying_everything_does(event in event(), fields in fields()) {
        let values = |expected: &Option<i64>| expected.map_or(json!([{"exists": false}]), |value| json!([value]));
        let pattern: Map<_, _> = fields.iter().map(|(path, expected)| (path.clone(), values(expected))).collect();
        let fields: Vec<_> = fields.iter().map(|(path, expected)| (path.as_str(), *expected)).collect();
        prop_assert_eq!(matches(&pattern.into(), &event), by_trying(&event, &fields, &Place::new()), "{}", event);
    }

    #[test]
    fn anything_but_is_every_other_value(value in scalar(), text in "[ab]{1,2}") {
        let event = json!({"a": value});
        for operator in ["prefix", "suffix", "equals-ignore-case", "wildcard"] {
            let is = matches(&json!({"a": [{operator: text}]}), &event);
            let is_not = matches(&json!({"a": [{"anything-but": {operator: text}}]}), &event);
            prop_assert!(is != is_not, "{} {} {}", operator, text, event);
        }
        let (is, is_not) = (json!({"a": [text]}), json!({"a": [{"anything-but": text}]}));
        prop_assert!(matches(&is, &event) != matches(&is_not, &event));
    }

    #[test]
    fn a_field_is_there_or_missing(event in event(), path in "[abc](\\.[abc]){0,2}") {
        let exists = |exists: bool| json!({path.as_str(): [{"exists": exists}]});
        prop_assert!(matches(&exists(true), &event) != matches(&exists(false), &event));
    }

    #[test]
    fn every_number_is_on_one_side_of_another(a in any::<f64>(), b in any::<i64>()) {
        prop_assume!(a.is_finite());
        let holds = |sign: &str| matches(&json!({"a": [{"numeric": [sign, b]}]}), &json!({"a": a}));
        prop_assert_eq!([holds("<"), holds("="), holds(">")].iter().filter(|it| **it).count(), 1);
        prop_assert_eq!(holds("<="), holds("<") || holds("="));
        prop_assert_eq!(holds(">="), holds(">") || holds("="));
    }

    #[test]
    fn or_is_one_of_its_alternatives(event in event(), one in fields(), other in fields()) {
        let pattern = |fields: &BTreeMap<String, Option<i64>>| -> Value {
            fields.iter().map(|(path, value)| (path.clone(), json!([value]))).collect::<Map<_, _>>().into()
        };
        let (one, other) = (pattern(&one), pattern(&other));
        let either = matches(&one, &event) || matches(&other, &event);
        prop_assert_eq!(matches(&json!({"$or": [one, other]}), &event), either);
    }

    #[test]
    fn no_text_makes_it_panic(pattern in "[\\[\\]{}:,\"a0-9\\\\]{0,40}", event in "[\\[\\]{}:,\"a0-9\\\\]{0,40}") {
        let _ = Filter::compile(&pattern);
        let _ = Filter::compile(r#"{"a": [1]}"#).unwrap().matches(&event);
    }
}

/// Tried one after the other, these would be 10¹³ combinations.
#[test]
fn long_lists_take_no_time() {
    let started = Instant::now();
    let list = |field: &str| Value::from(vec![json!({field: 1}); 20_000]);
    let beside = json!({"a": list("x"), "b": list("x"), "c": list("x"), "d": 0});
    let pattern = json!({"a": {"x": [1]}, "b": {"x": [1]}, "c": {"x": [1]}, "d": [1]});
    assert!(!matches(&pattern, &beside));

    let mixed = |index: usize| json!({"x": 1, "y": 1, "z": index, "w": [{"v": 0}, {"v": 1}]});
    let one = json!({"a": (0..20_000).map(mixed).collect::<Vec<_>>()});
    let pattern = |z| json!({"a": {"x": [1], "y": [1], "z": [z], "w": {"v": [1]}}});
    assert!(matches(&pattern(19_999), &one) && !matches(&pattern(20_000), &one));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
