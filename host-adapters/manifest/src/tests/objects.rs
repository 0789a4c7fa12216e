//! Sources of objects: their bucket, and a queue of their own, because they settle what they do not hand over.

use super::*;
use host_adapters_platform::objects::Notification;

const DECLARED: &str = r#"spin_manifest_version = 2
[application]
name = "test"
[application.tool.host-adapters]
buckets = ["scoring"]
[application.tool.host-adapters.queues]
qa = {}
qb = {}
"qf.fifo" = {}
"#;
const PREFIXED: &str = "type = \"s3\"\nbucket = \"scoring\"\nprefix = \"in/\"\nsuffix = \".csv\"\nqueue = \"qa\"";

/// Two workers with these sources.
fn read(of_a: &str, of_b: &str) -> Result<App, ManifestErrors> {
    let worker = |id: &str, source: &str| {
        format!("[component.{id}]\nsource = \"a.wasm\"\n[[component.{id}.tool.host-adapters.source]]\n{source}\n")
    };
    parse_with(&format!("{DECLARED}{}{}", worker("a", of_a), worker("b", of_b)))
}

fn messages(of_a: &str, of_b: &str) -> Vec<String> {
    let errors = read(of_a, of_b).unwrap_err();
    errors.diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect()
}

/// Checks that one thing is said, which has these texts in it.
fn check_said(of_a: &str, of_b: &str, texts: &[&str]) {
    let said = messages(of_a, of_b);
    assert!(said.len() == 1 && texts.iter().all(|text| said[0].contains(text)), "{said:?}");
}

#[test]
fn queues_are_told_of_what_their_sources_want() {
    let app = read(PREFIXED, "type = \"s3\"\nbucket = \"scoring\"\nqueue = \"qb\"").unwrap();
    let notification = |prefix: &str, suffix: &str, queue: &str| Notification {
        bucket: "scoring".to_owned(),
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
        queue: queue.to_owned(),
    };
    assert_eq!(app.declared().notifications, [notification("in/", ".csv", "qa"), notification("", "", "qb")]);
    assert!(app.dead_letter_queues().contains_key("qaDlq"));
}

#[test]
fn objects_need_a_queue_of_their_own() {
    for other in
        ["type = \"s3\"\nbucket = \"scoring\"\nprefix = \"out/\"\nqueue = \"qa\"", "type = \"sqs\"\nqueue = \"qa\""]
    {
        let said = messages(PREFIXED, other);
        let of_objects = if other.contains("s3") { 2 } else { 1 };
        assert_eq!(said.len(), of_objects, "{said:?}");
        assert!(said.iter().all(|said| said.contains("objects need a queue of their own")), "{said:?}");
    }
}

#[test]
fn what_is_missing_or_unknown_is_named() {
    let plain = "type = \"sqs\"\nqueue = \"qb\"";
    check_said(
        "type = \"s3\"\nbucket = \"scorin\"\nqueue = \"qa\"",
        plain,
        &["unknown bucket \"scorin\"", "\"scoring\""],
    );
    check_said("type = \"s3\"\nbucket = \"scoring\"\nqueue = \"qc\"", plain, &["unknown queue \"qc\""]);
    check_said("type = \"s3\"\nqueue = \"qa\"", plain, &["\"bucket\" is missing"]);
    check_said("type = \"s3\"\nbucket = \"scoring\"", plain, &["\"queue\" is missing"]);
    check_said("type = \"s3\"\nbucket = \"scoring\"\nqueue = \"qf.fifo\"", plain, &["S3 sends nothing to \"qf.fifo\""]);
    check_said(&format!("{PREFIXED}\nbatch_size = 11"), plain, &["batch_window_secs = 1 or more"]);
}
