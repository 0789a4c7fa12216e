//! Updates, refused and applied.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

fn applied(document: &Value, update: &Value) -> Result<(Value, bool)> {
    let after = Update::parse(&update.to_string())?.apply(&document.to_string())?;
    Ok((after.as_ref().map_or(document.clone(), |text| serde_json::from_str(text).unwrap()), after.is_some()))
}

#[test]
fn changes_as_mongo_does() {
    for (document, update, after) in [
        (json!({}), json!({"$set": {"a.b": 1, "a.c": 2}}), json!({"a": {"b": 1, "c": 2}})),
        (json!({}), json!({"$set": {"a.0": 1}}), json!({"a": {"0": 1}})),
        (json!({"a": [1]}), json!({"$set": {"a.0": 2, "a.3": 4}}), json!({"a": [2, null, null, 4]})),
        (json!({"a": [1]}), json!({"$set": {"a.1.b": 2}}), json!({"a": [1, {"b": 2}]})),
        (json!({"n": 5}), json!({"$set": {"n": 5.0}}), json!({"n": 5.0})),
        (json!({"a": {"b": 1}, "c": 1}), json!({"$unset": {"a.b": "", "c": 1}}), json!({"a": {}})),
        (json!({"a": [1, 2]}), json!({"$unset": {"a.0": ""}}), json!({"a": [null, 2]})),
        (json!({"a": [1, 2, 1.0, [1]]}), json!({"$pull": {"a": 1}}), json!({"a": [2, [1]]})),
        (json!({"a": [1, 5, "9"]}), json!({"$pull": {"a": {"$gte": 5}}}), json!({"a": [1, "9"]})),
        (json!({"a": ["x", "y"]}), json!({"$pull": {"a": {"$in": ["y", "z"]}}}), json!({"a": ["x"]})),
        (
            json!({"a": [{"t": 1, "n": 1}, {"t": 1, "n": 9}, {"t": 2}, 1]}),
            json!({"$pull": {"a": {"t": 1, "n": {"$gt": 5}}}}),
            json!({"a": [{"t": 1, "n": 1}, {"t": 2}, 1]}),
        ),
        (json!({"a": [[1, 2], [1]]}), json!({"$pull": {"a": [1, 2]}}), json!({"a": [[1]]})),
        (json!({"n": 1}), json!({"$inc": {"n": 2, "m.x": -1}}), json!({"n": 3, "m": {"x": -1}})),
        (json!({"n": 1}), json!({"$inc": {"n": 0.5}}), json!({"n": 1.5})),
        (json!({"a": [{"n": 1}]}), json!({"$inc": {"a.0.n": 1}}), json!({"a": [{"n": 2}]})),
        (json!({"a": 1}), json!({"$set": {"b": 1}, "$unset": {"a": ""}, "$inc": {"c": 1}}), json!({"b": 1, "c": 1})),
    ] {
        assert_eq!(applied(&document, &update).unwrap(), (after, true), "{document} {update}");
    }
}

#[test]
fn tells_that_nothing_changes() {
    let document = json!({"a": {"b": 1}, "l": [1, null], "n": 5});
    for update in [
        json!({"$set": {"a.b": 1}}),
        json!({"$set": {"a": {"b": 1}}}),
        json!({"$unset": {"x": "", "a.x": "", "n.x": "", "l.7": "", "l.1": "", "l.x": ""}}),
        json!({"$pull": {"l": 2, "x": 1, "a.x": 1}}),
        json!({"$inc": {"n": 0}}),
    ] {
        assert_eq!(applied(&document, &update).unwrap(), (document.clone(), false), "{update}");
    }
}

#[test]
fn refuses_what_mongo_refuses() {
    let document = json!({"a": {"b": 1}, "l": [1], "s": "x", "none": null, "most": i64::MAX});
    for (update, word) in [
        (json!({}), "at least one operator"),
        (json!([]), "JSON object"),
        (json!({"a": 1}), "`a`"),
        (json!({"$push": {"l": 1}}), "`$push`"),
        (json!({"$set": {}}), "`$set`"),
        (json!({"$set": 1}), "`$set`"),
        (json!({"$set": {"": 1}}), "``"),
        (json!({"$set": {"a..b": 1}}), "`a..b`"),
        (json!({"$set": {"l.$": 1}}), "`l.$`"),
        (json!({"$set": {"_id": 1}}), "`_id`"),
        (json!({"$set": {"n": u64::MAX}}), "`n`"),
        (json!({"$set": {"a": 1, "a.b": 2}}), "conflict at `a`"),
        (json!({"$set": {"a.b": 1}, "$inc": {"a.b": 2}}), "conflict at `a.b`"),
        (json!({"$set": {"s.x": 1}}), "`x`"),
        (json!({"$set": {"none.x": 1}}), "`x`"),
        (json!({"$set": {"l.x": 1}}), "`x`"),
        (json!({"$set": {"l.01": 1}}), "`01`"),
        (json!({"$set": {"l.2000000": 1}}), "2000000"),
        (json!({"$inc": {"s": 1}}), "`s`"),
        (json!({"$inc": {"none": 1}}), "`none`"),
        (json!({"$inc": {"n": "1"}}), "`n`"),
        (json!({"$inc": {"most": 1}}), "`most`"),
        (json!({"$pull": {"s": 1}}), "`s`"),
        (json!({"$pull": {"l": {"$near": 1}}}), "`$near`"),
    ] {
        let error = applied(&document, &update).unwrap_err();
        assert!(error.message.contains(word), "{update}: {error}");
    }
}

#[test]
fn keeps_the_text_of_what_it_leaves_alone() {
    let document = r#"{"z": 12345678901234567890123, "n": 1e2, "a": {"x": 1.0, "y": [0.12345678901234567890123, 5 ,7]},
        "l": [1E-130, 12.50, "\u00fc", 3]}"#;
    for (update, after) in [
        (
            r#"{"$set": {"a.y.1": 6}, "$inc": {"n": 1}}"#,
            r#"{"a":{"x":1.0,"y":[0.12345678901234567890123,6,7]},"l":[1E-130, 12.50, "\u00fc", 3],"n":101.0,"z":12345678901234567890123}"#,
        ),
        (
            r#"{"$pull": {"l": 3}, "$unset": {"a.y": ""}}"#,
            r#"{"a":{"x":1.0},"l":[1E-130,12.50,"\u00fc"],"n":1e2,"z":12345678901234567890123}"#,
        ),
    ] {
        assert_eq!(Update::parse(update).unwrap().apply(document).unwrap().as_deref(), Some(after), "{update}");
    }
    for update in [r#"{"$set": {"n": 100.0, "a.x": 1.0}}"#, r#"{"$inc": {"n": 0}}"#, r#"{"$pull": {"l": "u"}}"#] {
        assert_eq!(Update::parse(update).unwrap().apply(document).unwrap(), None, "{update}");
    }
}

#[test]
fn adds_as_mongo_does() {
    for (number, by, sum) in [
        ("9223372036854775806", "1", "9223372036854775807"),
        ("9007199254740993", "2", "9007199254740995"),
        ("-9223372036854775807", "-1", "-9223372036854775808"),
        ("1", "1.0", "2.0"),
        ("0.1", "0.2", "0.30000000000000004"),
        ("1e2", "1", "101.0"),
        ("5", "0.0", "5.0"),
    ] {
        let update = Update::parse(&format!(r#"{{"$inc":{{"n":{by}}}}}"#)).unwrap();
        let after = update.apply(&format!(r#"{{"n":{number}}}"#)).unwrap();
        assert_eq!(after, Some(format!(r#"{{"n":{sum}}}"#)), "{number} + {by}");
    }
    for (number, by) in [("9223372036854775807", "1"), ("-9223372036854775808", "-1"), ("1.7e308", "1.7e308")] {
        let update = Update::parse(&format!(r#"{{"$inc":{{"n":{by}}}}}"#)).unwrap();
        let error = update.apply(&format!(r#"{{"n":{number}}}"#)).unwrap_err();
        assert!(error.message.contains("`n`"), "{number} + {by}: {error}");
    }
}

/// A document as a list of its leaves: numbers, and `null` for an object without members.
type Leaves = BTreeMap<Vec<String>, Option<i64>>;

fn flatten(value: &Value, path: &[String], leaves: &mut Leaves) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, inner) in fields {
                flatten(inner, &[path, std::slice::from_ref(name)].concat(), leaves);
            }
        }
        value => drop(leaves.insert(path.to_vec(), value.as_i64())),
    }
}

fn leaves(value: &Value) -> Leaves {
    let mut leaves = Leaves::new();
    flatten(value, &[], &mut leaves);
    leaves
}

/// The naive model: whole lists of leaves are filtered and joined. `None` where MongoDB refuses.
fn model(mut leaves: Leaves, operator: &str, path: &[String], value: &Value) -> Option<Leaves> {
    if operator == "$unset" {
        let there = leaves.keys().any(|leaf| leaf.starts_with(path));
        leaves.retain(|leaf, _| !leaf.starts_with(path));
        let parent = &path[..path.len() - 1];
        if there && !leaves.keys().any(|leaf| leaf.starts_with(parent)) {
            leaves.insert(parent.to_vec(), None);
        }
        return Some(leaves);
    }
    for (leaf, number) in &leaves {
        if leaf.len() < path.len() && path.starts_with(leaf) && number.is_some() {
            return None;
        }
    }
    let value = match operator {
        "$inc" if leaves.keys().any(|leaf| leaf.starts_with(path)) => {
            json!(leaves.get(path)?.as_ref()? + value.as_i64()?)
        }
        _ => value.clone(),
    };
    leaves.retain(|leaf, _| !leaf.starts_with(path) && !path.starts_with(leaf));
    flatten(&value, path, &mut leaves);
    Some(leaves)
}

fn path() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned), 1..4)
}

fn value() -> impl Strategy<Value = Value> {
    (-3_i64..4).prop_map(Value::from).prop_recursive(3, 12, 3, |inner| {
        prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]), inner, 0..3)
            .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

proptest! {
    #[test]
    fn agrees_with_the_model(
        fields in prop::collection::btree_map("[abc]", value(), 0..4),
        operator in prop::sample::select(vec!["$set", "$unset", "$inc"]),
        path in path(),
        set in value(),
        by in -2_i64..3,
    ) {
        let document: Value = fields.into_iter().collect();
        let value = if operator == "$inc" { json!(by) } else { set };
        let expected = model(leaves(&document), operator, &path, &value);
        let result = applied(&document, &json!({operator: {path.join("."): value}})).ok();
        prop_assert_eq!(result.as_ref().map(|(after, _)| leaves(after)), expected);
        if let Some((after, modified)) = result {
            prop_assert_eq!(modified, after != document);
        }
    }

    #[test]
    fn pulls_like_a_filter(elements in prop::collection::vec(-3_i64..4, 0..8), value in -3_i64..4) {
        let without = |keep: &dyn Fn(i64) -> bool| elements.iter().copied().filter(|it| keep(*it)).collect::<Vec<_>>();
        let document = json!({"l": elements});
        let (after, _) = applied(&document, &json!({"$pull": {"l": value}})).unwrap();
        prop_assert_eq!(after, json!({"l": without(&|it| it != value)}));
        let (after, _) = applied(&document, &json!({"$pull": {"l": {"$lt": value}}})).unwrap();
        prop_assert_eq!(after, json!({"l": without(&|it| it >= value)}));
    }
}
