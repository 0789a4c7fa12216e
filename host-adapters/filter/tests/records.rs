//! Filters of sources, by the tables of the Lambda developer guide.
#![allow(clippy::unwrap_used, reason = "tests")]

use host_adapters_filter::RecordFilters;

const SQS: &str = r#"{"messageId": "1", "body": "not this one", "attributes": {"ApproximateReceiveCount": "1"}}"#;

fn of_sqs(patterns: &[&str], body: &str) -> bool {
    RecordFilters::compile(patterns, "body").unwrap().matches(SQS, Some(body)).unwrap()
}

#[test]
fn one_of_the_filters_must_match() {
    let patterns = [r#"{"body": {"a": [1]}}"#, r#"{"body": {"b": [2]}}"#];
    assert!(of_sqs(&patterns, r#"{"a": 1}"#) && of_sqs(&patterns, r#"{"b": 2}"#));
    assert!(!of_sqs(&patterns, r#"{"a": 2, "b": 1}"#));
    assert!(of_sqs(&[], "anything"), "without filters every record is for the worker");
}

#[test]
fn a_body_of_the_other_kind_is_not_for_the_worker() {
    let (json, plain, none) = (r#"{"body": {"a": ["x"]}}"#, r#"{"body": ["x"]}"#, r#"{"messageId": ["1"]}"#);
    for (pattern, body, expected) in [
        (plain, "x", true),
        (plain, "y", false),
        (json, "x", false),
        (none, "x", true),
        (plain, r#"{"a": "x"}"#, false),
        (json, r#"{"a": "x"}"#, true),
        (json, r#" [{"a": "y"}, {"a": "x"}]"#, true),
        (none, r#"{"a": "x"}"#, true),
        // Which of both it is is decided before what it says.
        (r#"{"body": {"a": [{"exists": false}]}}"#, "x", false),
        (r#"{"body": [{"exists": true}]}"#, "{}", false),
        (r#"{"body": [{"anything-but": "x"}]}"#, r#"{"a": "x"}"#, false),
        // Neither an object nor a list: plain text.
        (r#"{"body": ["12"]}"#, "12", true),
        (r#"{"body": [12]}"#, "12", false),
        (r#"{"body": ["\"x\""]}"#, "\"x\"", true),
        (r#"{"body": [""]}"#, "", true),
        (r#"{"body": [{"prefix": "{"}]}"#, "{broken", true),
    ] {
        assert_eq!(of_sqs(&[pattern], body), expected, "{pattern} {body}");
    }
}

#[test]
fn each_alternative_sees_the_body_its_way() {
    let either = r#"{"$or": [{"body": ["x"]}, {"body": {"a": ["x"]}}, {"messageId": ["2"]}]}"#;
    assert!(of_sqs(&[either], "x") && of_sqs(&[either], r#"{"a": "x"}"#));
    assert!(!of_sqs(&[either], "y") && !of_sqs(&[either], r#"{"a": "y"}"#));
}

#[test]
fn metadata_are_compared_too() {
    let pattern = r#"{"body": {"a": [1]}, "attributes": {"ApproximateReceiveCount": ["1"]}}"#;
    assert!(of_sqs(&[pattern], r#"{"a": 1}"#));
    assert!(!of_sqs(&[&pattern.replace(r#"["1"]"#, r#"["2"]"#)], r#"{"a": 1}"#));
    let change = r#"{"eventName": "INSERT", "dynamodb": {"NewImage": {"n": {"N": "5"}}}}"#;
    let filters = RecordFilters::compile(&[r#"{"dynamodb": {"NewImage": {"n": {"N": ["5"]}}}}"#], "").unwrap();
    assert!(filters.matches(change, None).unwrap(), "changes of tables have no payload");
}

#[test]
fn a_payload_that_is_missing_matches_no_pattern_of_it() {
    for pattern in [r#"{"value": [{"exists": false}]}"#, r#"{"value": {"a": [{"exists": false}]}}"#] {
        let filters = RecordFilters::compile(&[pattern], "value").unwrap();
        assert!(!filters.matches("{}", None).unwrap(), "{pattern}");
    }
    let filters = RecordFilters::compile(&[r#"{"topic": ["t"]}"#], "value").unwrap();
    assert!(filters.matches(r#"{"topic": "t"}"#, None).unwrap());
}

/// The caller hands such a record over.
#[test]
fn a_payload_that_cannot_be_compared_is_told_from_one_that_does_not_match() {
    let filters = RecordFilters::compile(&[r#"{"data": {"rank": [1]}}"#], "data").unwrap();
    let deep = format!(r#"{{"rank": {}1{}}}"#, "[".repeat(128), "]".repeat(128));
    for payload in
        [r#"{"rank": 0, "\ud800": 1}"#, r#"{"rank": "\ud800"}"#, r#"{"rank": 1e99999999999999999999}"#, &deep]
    {
        assert!(filters.matches("{}", Some(payload)).is_err(), "{payload}");
    }
    let other = RecordFilters::compile(&[r#"{"partitionKey": ["k"]}"#], "data").unwrap();
    assert!(!other.matches("{}", Some(r#"{"\ud800": 1}"#)).unwrap(), "the payload is not compared");
}

#[test]
fn what_is_wrong_is_said_with_the_index_of_the_filter() {
    let error = |patterns: &[&str]| RecordFilters::compile(patterns, "body").unwrap_err().to_string();
    let good = r#"{"body": ["x"]}"#;
    assert_eq!(
        error(&[good, r#"{"body": {"a": "x"}}"#]),
        "`[1].body.a` of the filter: it must be a list of values, or an object with fields"
    );
    assert_eq!(error(&["x"]), "`[0]` of the filter: it is not JSON: expected value at line 1 column 1");
    assert_eq!(
        error(&[r#"{"body": ["x"], "body.a": ["x"]}"#]),
        "`[0].body` of the filter: it is compared both as text and as JSON, which no payload is at once"
    );
    assert_eq!(error(&[good; 11]), "the filter: there are 11 filters, and may be 10 (by default 5 on AWS)");
    assert_eq!(
        error(&[&format!(r#"{{"a": ["{}"]}}"#, "x".repeat(4096))]),
        "`[0]` of the filter: it has 4107 bytes, and may have 4096"
    );
    assert!(RecordFilters::compile(&[good], "body").unwrap().matches("[]", Some("x")).is_err());
}
