//! `schemas/config/host-adapters.json` agrees with the reader: it has the same blocks and keys, and accepts spin.toml.

use super::project::SPIN_TOML;
use super::*;
use serde_json::Value as Json;
use std::collections::BTreeSet;

const SCHEMA: &str = include_str!("../../../../schemas/config/host-adapters.json");

fn schema() -> Json {
    serde_json::from_str(SCHEMA).unwrap()
}

fn is_valid(text: &str) -> bool {
    let instance: Json = toml_edit::de::from_str(text).unwrap();
    jsonschema::validator_for(&schema()).unwrap().is_valid(&instance)
}

#[test]
fn the_projects_manifest_is_valid() {
    assert!(is_valid(SPIN_TOML));
    assert!(!is_valid(&SPIN_TOML.replace("batch_window_secs = 1\n", "")), "a batch of 25 without a window");
    assert!(!is_valid(&SPIN_TOML.replace("type = \"sqs\"", "type = \"sqz\"")), "an unknown source");
    assert!(!is_valid(&SPIN_TOML.replace("\"redrive\"", "\"take\"")), "an unknown grant");
}

/// The reader lists its keys when a key resembles none of them.
#[test]
fn schema_and_reader_know_the_same_keys() {
    let component = "[component.a]\nsource = \"a.wasm\"\n";
    let source = |kind: &str| format!("{component}[[component.a.tool.host-adapters.source]]\ntype = \"{kind}\"\n");
    let blocks = [
        ("application", "[application]\ntool.host-adapters.".to_owned()),
        ("queue", "[application.tool.host-adapters.queues.q]\n".to_owned()),
        ("table", "[application.tool.host-adapters.tables.t]\n".to_owned()),
        ("topic", "[application.tool.host-adapters.topics.t]\n".to_owned()),
        ("subscription", "[[application.tool.host-adapters.topics.t.subscriptions]]\n".to_owned()),
        ("service", "[application.tool.host-adapters.services.s]\n".to_owned()),
        ("identity", "[application.tool.host-adapters.identity]\n".to_owned()),
        ("client", "[application.tool.host-adapters.clients.c]\n".to_owned()),
        ("grants", format!("{component}[component.a.tool.host-adapters.grants]\n")),
        ("component", format!("{component}[component.a.tool.host-adapters]\n")),
        ("sqs", source("sqs")),
        ("s3", source("s3")),
        ("dynamodb-stream", source("dynamodb-stream")),
        ("kinesis", source("kinesis")),
        ("kafka", source("kafka")),
        ("task", source("task")),
    ];
    for (definition, block) in blocks {
        let errors = parse_with(&format!("{block}zzzzzzzzzzzz = 1\n")).unwrap_err().to_string();
        let line = errors.lines().find(|line| line.contains("zzzzzzzzzzzz")).unwrap_or_else(|| panic!("{errors}"));
        let listed = line.split_once("; there is ").unwrap().1.split_once(", in ").unwrap().0;
        let known: BTreeSet<&str> = listed.split(", ").map(|key| key.trim_matches('"')).collect();
        let schema = schema();
        let properties = schema["$defs"][definition]["properties"].as_object().unwrap();
        assert_eq!(known, properties.keys().map(String::as_str).collect(), "{definition}");
    }
}
