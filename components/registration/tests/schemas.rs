//! Tests of the documents of `schemas/domain/`: the fixtures conform to them, and so does what the Rust types read and
//! write.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use jsonschema::Validator;
use registration::{campaign::Campaign, entry::Entry, market::Market, user_info::UserInfo};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn json_file(path: PathBuf) -> Value {
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The schema of that name, which is itself checked against the meta-schema. Formats such as `date-time` are asserted.
fn schema(name: &str) -> Validator {
    let schema = json_file(root().join(format!("schemas/domain/{name}.json")));
    assert!(jsonschema::meta::is_valid(&schema), "{name} is not a JSON Schema");
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// All fixtures of a kind, at least one.
fn fixtures(folder: &str) -> Vec<Value> {
    let files = fs::read_dir(root().join("tests/fixtures/domain").join(folder)).unwrap();
    let fixtures: Vec<Value> = files.map(|file| json_file(file.unwrap().path())).collect();
    assert!(!fixtures.is_empty(), "no fixtures in {folder}");
    fixtures
}

#[track_caller]
fn valid(schema: &Validator, document: &Value) {
    let errors: Vec<String> = schema.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{document}: {errors:?}");
}

/// The fixtures of a kind are valid, also after a round trip through the Rust type.
fn keeps_to<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(name: &str, folder: &str) {
    let schema = schema(name);
    for document in fixtures(folder) {
        valid(&schema, &document);
        let read: T = serde_json::from_value(document).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        valid(&schema, &written);
        assert_eq!(serde_json::from_value::<T>(written).unwrap(), read);
    }
}

#[test]
fn campaigns() {
    keeps_to::<Campaign>("campaign", "campaigns");
}

#[test]
fn markets() {
    keeps_to::<Market>("market", "markets");
}

#[test]
fn entries() {
    let schema = schema("entry");
    for document in fixtures("entries") {
        valid(&schema, &document);
        let entry = Entry::from_image(&document).unwrap();
        assert_eq!(entry.date.updated.as_deref(), document.pointer("/date/updated").and_then(Value::as_str));
    }
}

#[test]
fn scoring_records() {
    let schema = schema("scoring-record");
    fixtures("scoring-records").iter().for_each(|document| valid(&schema, document));
}

#[test]
fn user_infos() {
    keeps_to::<UserInfo>("user-info", "users");
}

/// The schema and the type refuse a campaign without one of its required members.
#[test]
fn schema_and_type_require_the_same_of_a_campaign() {
    let (schema, whole) = (schema("campaign"), fixtures("campaigns").remove(0));
    for member in whole.as_object().unwrap().keys() {
        let mut document = whole.clone();
        document.as_object_mut().unwrap().remove(member);
        let read = serde_json::from_value::<Campaign>(document.clone()).is_ok();
        assert_eq!(schema.is_valid(&document), read, "without `{member}`");
    }
}

#[test]
fn violations_in_a_campaign_are_found() {
    let (schema, whole) = (schema("campaign"), fixtures("campaigns").remove(0));
    let violations = [
        ("status", json!("PAUSED")),
        ("date", json!({"open": "yesterday", "close": "2024-01-01T00:00:00Z"})),
        ("fields", json!([{"name": "f", "type": "date"}])),
        ("fields", json!([{"name": "markets", "type": "markets"}])),
        ("gates", json!([{"type": "linked"}])),
    ];
    for (member, violation) in violations {
        let mut document = whole.clone();
        document[member] = violation;
        assert!(!schema.is_valid(&document), "{document}");
    }
    let mut more = whole;
    more["theme"] = json!("dark");
    valid(&schema, &more);
}
