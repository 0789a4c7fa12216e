//! Filter policies of subscriptions, by the examples and the limits of the SNS developer guide.
#![allow(clippy::unwrap_used, reason = "tests")]

use host_adapters_filter::{Attribute, Scope, SubscriptionFilter};

fn on_attributes(policy: &str, attributes: &[(&'static str, Attribute<'static>)]) -> bool {
    let filter = SubscriptionFilter::compile(policy, Scope::MessageAttributes).unwrap();
    filter.matches("", attributes.iter().copied())
}

fn on_body(policy: &str, body: &str) -> bool {
    let filter = SubscriptionFilter::compile(policy, Scope::MessageBody).unwrap();
    filter.matches(body, [("a", Attribute::Text("x"))])
}

fn error(policy: &str, scope: Scope) -> String {
    SubscriptionFilter::compile(policy, scope).unwrap_err().to_string()
}

#[test]
fn attributes_are_compared_by_type() {
    let interests = r#"{"customer_interests": ["rugby", "tennis"]}"#;
    for (attribute, expected) in [
        (Attribute::Text("rugby"), true),
        (Attribute::Text("baseball"), false),
        (Attribute::Text(r#"["rugby"]"#), false),
        (Attribute::List(r#"["baseball", "tennis"]"#), true),
        (Attribute::List(r#"["baseball"]"#), false),
        (Attribute::List("rugby"), false),
    ] {
        assert_eq!(on_attributes(interests, &[("customer_interests", attribute)]), expected, "{attribute:?}");
    }
    let price = r#"{"price": [{"numeric": [">", 100, "<=", 150]}]}"#;
    for (attribute, expected) in [
        (Attribute::Number("150.00"), true),
        (Attribute::Number("1.2e2"), true),
        (Attribute::Number("100"), false),
        (Attribute::Number("much"), false),
        (Attribute::Text("120"), false),
        (Attribute::List("[1, 120]"), true),
    ] {
        assert_eq!(on_attributes(price, &[("price", attribute)]), expected, "{attribute:?}");
    }
    assert!(on_attributes(r#"{"a": [null, false]}"#, &[("a", Attribute::List("[1, false]"))]));
}

#[test]
fn attributes_may_be_missing() {
    let store = [("store", Attribute::Text("a"))];
    assert!(on_attributes(r#"{"price": [{"exists": false}]}"#, &store));
    assert!(!on_attributes(r#"{"store": [{"exists": false}]}"#, &store));
    assert!(!on_attributes(r#"{"price": [{"anything-but": 1}]}"#, &store), "what is missing is not anything");
    assert!(on_attributes(r#"{"$or": [{"price": [1]}, {"store": ["a"]}]}"#, &store));
    assert!(on_attributes(r#"{"a.b": ["x"]}"#, &[("a.b", Attribute::Text("x"))]), "a name may have dots");
}

#[test]
fn bodies_are_objects() {
    let policy = r#"{"a": {"b": ["x"]}}"#;
    assert!(on_body(policy, r#"{"a": {"b": "x"}}"#));
    for body in ["", "x", "[]", r#""x""#, r#"[{"a": {"b": "x"}}]"#, r#"{"a": "x"}"#] {
        assert!(!on_body(policy, body), "{body}");
    }
    assert!(!on_body(r#"{"a": [{"exists": false}]}"#, "plain text"), "a body that is not JSON matches nothing");
    assert!(!on_body(r#"{"a": ["x"]}"#, "{}"), "the attributes are not compared");
}

#[test]
fn attributes_have_no_fields() {
    assert_eq!(
        error(r#"{"a": {"b": ["x"]}}"#, Scope::MessageAttributes),
        "`a.b` of the filter: an attribute has no fields; nested fields are for policies on the body"
    );
}

#[test]
fn a_policy_has_five_fields() {
    let fields = |count| (0..count).map(|index| format!(r#""f{index}": [1]"#)).collect::<Vec<_>>().join(",");
    assert!(SubscriptionFilter::compile(&format!("{{{}}}", fields(5)), Scope::MessageAttributes).is_ok());
    let message = "the filter: it has 6 fields, and may have 5";
    assert_eq!(error(&format!("{{{}}}", fields(6)), Scope::MessageAttributes), message);
    assert_eq!(error(&format!(r#"{{"a": {{{}}}}}"#, fields(6)), Scope::MessageBody), message);
}

#[test]
fn a_policy_has_150_combinations() {
    let list = |count: usize| format!("[{}]", (0..count).map(|it| it.to_string()).collect::<Vec<_>>().join(","));
    let message = |count| {
        format!(
            "the filter: it has {count} combinations of values (for each field its values times its depth, \
             multiplied), and may have 150"
        )
    };
    let flat = |a, b| format!(r#"{{"a": {}, "b": {}}}"#, list(a), list(b));
    assert!(SubscriptionFilter::compile(&flat(15, 10), Scope::MessageAttributes).is_ok());
    assert_eq!(error(&flat(151, 1), Scope::MessageAttributes), message(151));
    assert_eq!(error(&flat(16, 10), Scope::MessageBody), message(160));

    // 4 x 3 levels, 3 x 2 levels, 3 x 1 level.
    let nested =
        |last| format!(r#"{{"a": {{"b": {{"c": {}}}}}, "d": {{"e": {}}}, "f": {}}}"#, list(4), list(3), list(last));
    assert!(SubscriptionFilter::compile(&nested(2), Scope::MessageBody).is_ok());
    assert_eq!(error(&nested(3), Scope::MessageBody), message(216));

    let or = format!(r#"{{"$or": [{{"a": {}}}, {{"b": {}}}], "c": [1, 2]}}"#, list(50), list(26));
    assert_eq!(error(&or, Scope::MessageAttributes), message(152));
}

#[test]
fn a_policy_has_256_kb_and_its_values_three_wildcards() {
    let long = format!(r#"{{"a": ["{}"]}}"#, "x".repeat(256 * 1024));
    assert_eq!(error(&long, Scope::MessageBody), "the filter: it has 262155 bytes, and may have 262144");
    assert!(on_attributes(r#"{"a": [{"wildcard": "*a*b*"}]}"#, &[("a", Attribute::Text("xaxbx"))]));
    assert_eq!(
        error(r#"{"a": [{"anything-but": {"wildcard": "*a*b*c*"}}]}"#, Scope::MessageBody),
        "`a[0].anything-but.wildcard` of the filter: it has 4 wildcards, and may have 3"
    );
}
