//! The ranges of settings: a value outside is named, a value at the edge is right. Names begin with a line of
//! docs/delivery.md.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]
#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

use host_adapters_manifest::{ProvidedVariables, parse};
use host_adapters_sources::SourceSettings;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use host_adapters_sources::kinesis::{KinesisConfig, Timestamp};
use host_adapters_sources::sqs::SqsConfig;
use host_adapters_sources::task::TaskConfig;
use std::path::Path;

/// A manifest without a diagnostic that each test adds to.
const BASE: &str = r#"spin_manifest_version = 2
[application]
name = "test"
[application.tool.host-adapters.queues]
saveEntriesQueue = {}
[application.tool.host-adapters.tables]
demand-table = { stream = true }
[application.tool.host-adapters.data_streams]
scoresStream = {}
[application.tool.host-adapters.event_log]
"prd.events" = {}
"#;

/// What is said against an otherwise plain source with `settings`.
fn diagnostics(kind: &str, settings: &str) -> Vec<String> {
    let name = match kind {
        "sqs" => "queue = \"saveEntriesQueue\"",
        "dynamodb-stream" => "table = \"demand-table\"",
        "kinesis" => "stream = \"scoresStream\"",
        "kafka" => "topic = \"prd.events\"",
        _ => "",
    };
    let more = format!(
        "[component.a]\nsource = \"a.wasm\"\n[[component.a.tool.host-adapters.source]]\ntype = \"{kind}\"\n{name}\n{settings}\n"
    );
    let errors = parse(Path::new("spin.toml"), &format!("{BASE}{more}"), &ProvidedVariables::default()).err();
    errors.into_iter().flat_map(|errors| errors.diagnostics).map(|diagnostic| diagnostic.message).collect()
}

/// The first and last value that is right, and their neighbours that are not.
fn check_range(kind: &str, key: &str, first: i64, last: i64) {
    for right in [first, last] {
        assert_eq!(diagnostics(kind, &format!("{key} = {right}")), [""; 0], "{key} = {right}");
    }
    for wrong in [first - 1, last + 1] {
        let said = diagnostics(kind, &format!("{key} = {wrong}"));
        let expected = format!("{key} is {wrong}; write a whole number from {first} to {last}");
        assert!(said.len() == 1 && said[0].starts_with(&expected), "{key} = {wrong}: {said:?}");
    }
}

#[test]
fn d1_1__more_than_ten_need_a_window() {
    assert_eq!(diagnostics("sqs", "batch_size = 10"), [""; 0]);
    let said = diagnostics("sqs", "batch_size = 11");
    assert!(said.len() == 1 && said[0].contains("batch_window_secs = 1 or more"), "{said:?}");
    assert_eq!(diagnostics("sqs", "batch_size = 25000\nbatch_window_secs = 1"), [""; 0]);
    let range = "write a whole number from 1 to 25000";
    assert!(diagnostics("sqs", "batch_size = 25001\nbatch_window_secs = 1")[0].contains(range));
    assert!(diagnostics("sqs", "batch_size = 0")[0].contains(range));
}

#[test]
fn d1_2__window_is_0_to_300_whole_seconds() {
    check_range("sqs", "batch_window_secs", 0, 300);
    assert!(diagnostics("sqs", "batch_window_secs = 0.5")[0].contains("a whole number"));
}

#[test]
fn d3_2__visibility_is_30_s_by_default_and_at_most_12_h() {
    assert_eq!(SqsConfig::new("q").visibility_timeout_secs, 30);
    check_range("sqs", "visibility_timeout_secs", 1, 43_200);
}

#[test]
fn d3_8__attempts_are_1_to_1000() {
    assert_eq!(SqsConfig::new("q").max_attempts, 3);
    check_range("sqs", "max_attempts", 1, 1_000);
}

#[test]
fn d1_5__ranges() {
    for kind in ["dynamodb-stream", "kinesis", "kafka"] {
        check_range(kind, "batch_size", 1, 10_000);
        check_range(kind, "batch_window_secs", 0, 300);
        check_range(kind, "parallelization_factor", 1, 10);
        for right in ["TRIM_HORIZON", "LATEST"] {
            assert_eq!(diagnostics(kind, &format!("starting_position = \"{right}\"")), [""; 0]);
        }
    }
    assert!(diagnostics("dynamodb-stream", "starting_position = \"AT_TIMESTAMP\"")[0].contains("AT_TIMESTAMP"));
}

#[test]
fn d5_2__ranges() {
    for kind in ["dynamodb-stream", "kinesis", "kafka"] {
        check_range(kind, "maximum_retry_attempts", -1, 10_000);
        check_range(kind, "maximum_record_age_secs", -1, 604_800);
    }
    assert_eq!(DynamodbStreamConfig::new("t").maximum_record_age_secs, -1);
    assert_eq!(KinesisConfig::new("s").maximum_record_age_secs, -1);
}

#[test]
fn d4_20__the_time_is_there_with_at_timestamp_and_only_then() {
    let said = |settings: &str| diagnostics("kinesis", settings);
    let at = "starting_position = \"AT_TIMESTAMP\"\nstarting_position_timestamp = ";
    for right in ["\"2024-01-15T10:30:00Z\"", "\"1970-01-01T00:00:00.001Z\"", "\"2024-01-01T00:00:00.5+02:00\""] {
        assert_eq!(said(&format!("{at}{right}")), [""; 0], "{right}");
    }
    for (settings, expected) in [
        ("starting_position = \"AT_TIMESTAMP\"".to_owned(), "needs a time; write starting_position_timestamp"),
        (
            "starting_position_timestamp = \"2024-01-15T10:30:00Z\"".to_owned(),
            "is only for starting_position = \"AT_TIMESTAMP\"",
        ),
        (format!("{at}\"2999-01-01T00:00:00Z\""), "is in the future"),
        (format!("{at}\"yesterday\""), "\"yesterday\" is not a time; write one as in"),
        (format!("{at}\"1969-12-31T23:59:59Z\""), "is not a time"),
        (format!("{at}\"2024-01-15T10:30:00\""), "is not a time"),
        (format!("{at}7"), "a string"),
    ] {
        let said = said(&settings);
        assert!(said.len() == 1 && said[0].contains(expected), "{settings}: {said:?}");
    }
    assert_eq!(KinesisConfig::new("s").starting_position_timestamp, Timestamp(None));
}

/// Otherwise each of them would get a part of the records.
#[test]
fn d16_6__a_group_is_one_workers() {
    assert_eq!(diagnostics("kafka", "group = \"audit\""), [""; 0]);
    assert!(diagnostics("kafka", "group = \"\"")[0].starts_with("group is empty"));
    let source = |id: &str, group: &str| {
        format!(
            "[component.{id}]\nsource = \"a.wasm\"\n[[component.{id}.tool.host-adapters.source]]\ntype = \"kafka\"\n\
             topic = \"prd.events\"\n{group}\n"
        )
    };
    let said = |first: &str, second: &str| {
        let text = format!("{BASE}{}{}", source("a", first), source("b", second));
        parse(Path::new("spin.toml"), &text, &ProvidedVariables::default()).err().map(|errors| errors.to_string())
    };
    assert_eq!(said("", ""), None);
    assert_eq!(said("group = \"one\"", "group = \"two\""), None);
    for (first, second, group) in [("group = \"g\"", "group = \"g\"", "g"), ("group = \"b\"", "", "b")] {
        let said = said(first, second).unwrap();
        let expected =
            format!("\"a\" reads kafka:prd.events in the group \"{group}\", too; give each a group of its own");
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn d4_25__a_filter_is_checked() {
    for (kind, right) in [
        ("dynamodb-stream", r##"filter = { dynamodb.Keys.sk.S = [{ prefix = "USER#" }], eventName = ["INSERT"] }"##),
        (
            "dynamodb-stream",
            r#"filter = '{"$or": [{"dynamodb": {"OldImage": {"n": {"NULL": [true]}}}}, {"eventName": ["REMOVE"]}]}'"#,
        ),
        ("kinesis", "filter = { data.rank = [0] }"),
        ("kinesis", r#"filter = { data = [{ prefix = "rank" }] }"#),
        ("kafka", r#"filter = { value.type = ["MARKET"] }"#),
    ] {
        assert_eq!(diagnostics(kind, right), [""; 0], "{right}");
    }
    for (kind, wrong, expected) in [
        (
            "dynamodb-stream",
            "filter = { dynamodb.Keys.sk.S = \"x\" }",
            "`dynamodb.Keys.sk.S` of the filter: it must be a list",
        ),
        (
            "dynamodb-stream",
            "filter = { Keys.sk = [\"x\"] }",
            "the filter names \"Keys\"; there is \"dynamodb\", \"eventName\", \"userIdentity\"",
        ),
        (
            "dynamodb-stream",
            "filter = '{\"$or\": [{\"eventName\": [\"INSERT\"]}, {\"a\": [1]}]}'",
            "the filter names \"a\"",
        ),
        ("kinesis", "filter = { partitionKey = [\"x\"] }", "the filter names \"partitionKey\"; there is \"data\""),
        ("kafka", "filter = { key = [\"x\"] }", "the filter names \"key\"; there is \"value\""),
        ("kinesis", "filter = {}", "the filter: it is empty"),
        ("kinesis", "filter = 7", "filter is not JSON"),
    ] {
        let said = diagnostics(kind, wrong);
        assert!(said.len() == 1 && said[0].starts_with(expected), "{wrong}: {said:?}");
    }
}

#[test]
fn a_stream_is_declared() {
    let said = diagnostics("kinesis", "batch_size = 1");
    assert_eq!(said, [""; 0]);
    let more = "[component.a]\nsource = \"a.wasm\"\n[[component.a.tool.host-adapters.source]]\ntype = \"kinesis\"\nstream = \"scoreStream\"\n";
    let errors = parse(Path::new("spin.toml"), &format!("{BASE}{more}"), &ProvidedVariables::default()).unwrap_err();
    assert!(errors.to_string().contains("unknown data stream \"scoreStream\"; write \"scoresStream\""), "{errors}");
}

#[test]
fn d4_18__strict_order_names_all_settings_that_would_break_it() {
    let strict = "strict_order = true\nmaximum_retry_attempts = -1";
    assert_eq!(diagnostics("dynamodb-stream", strict), [""; 0]);
    assert_eq!(diagnostics("dynamodb-stream", "strict_order = false\nparallelization_factor = 2"), [""; 0]);
    for (settings, needed) in [
        ("strict_order = true", "maximum_retry_attempts = -1"),
        (&format!("{strict}\nparallelization_factor = 2"), "parallelization_factor = 1"),
        (&format!("{strict}\nmaximum_record_age_secs = 60"), "maximum_record_age_secs = -1"),
        (
            "strict_order = true\nparallelization_factor = 2\nmaximum_retry_attempts = 3\nmaximum_record_age_secs = 60",
            "parallelization_factor = 1, maximum_retry_attempts = -1, maximum_record_age_secs = -1",
        ),
    ] {
        let said = diagnostics("dynamodb-stream", settings);
        assert!(said.len() == 1 && said[0].starts_with(&format!("strict_order = true needs {needed}")), "{said:?}");
    }
}

#[test]
fn d6_1__dead_letter_queues_are_named_after_their_queue_or_worker() {
    assert_eq!(SqsConfig::new("saveEntriesQueue").dead_letter_queue("w").unwrap(), "saveEntriesQueueDlq");
    assert_eq!(DynamodbStreamConfig::new("t").dead_letter_queue("enqueue-entries").unwrap(), "enqueueEntriesDlq");
    assert_eq!(
        DynamodbStreamConfig::new("t").dead_letter_queue("mark-assigned-codes").unwrap(),
        "markAssignedCodesDlq"
    );
    assert_eq!(KinesisConfig::new("s").dead_letter_queue("save-fan-scores").unwrap(), "saveFanScoresDlq");
    let own = SqsConfig { dead_letter_queue: Some("other".into()), ..SqsConfig::new("q") };
    assert_eq!(own.dead_letter_queue("w").unwrap(), "other");
}

#[test]
fn d1_7__unknown_keys_are_refused() {
    assert!(diagnostics("sqs", "batch_sise = 5")[0].contains("unknown key \"batch_sise\""));
    assert!(diagnostics("dynamodb-stream", "queue = \"q\"")[0].contains("unknown key \"queue\""));
}

#[test]
fn d13_2__side_by_side_are_1_to_1000() {
    check_range("task", "max_concurrency", 1, 1_000);
    assert_eq!(TaskConfig::default().max_concurrency, 4);
}

#[test]
fn d13_4__attempts_are_1_to_100() {
    check_range("task", "max_attempts", 1, 100);
    assert_eq!(TaskConfig::default().max_attempts, 3);
}

#[test]
fn d13_5__wall_time_is_15_minutes_by_default() {
    let wall_time = |settings: &str| {
        let manifest = format!(
            "{BASE}[component.a]\nsource = \"a.wasm\"\n[component.a.tool.host-adapters]\n{settings}\n\
             [[component.a.tool.host-adapters.source]]\ntype = \"task\"\n"
        );
        let app = parse(Path::new("spin.toml"), &manifest, &ProvidedVariables::default()).unwrap();
        assert!(app.declared().tasks.contains("a") && app.dead_letter_queues().is_empty());
        app.components["a"].limits.request_timeout().as_secs()
    };
    assert_eq!((wall_time(""), wall_time("request_timeout_secs = 60")), (900, 60));
}

#[test]
fn d13_7__heartbeats_are_1_to_3600_seconds_apart() {
    check_range("task", "heartbeat_secs", 1, 3_600);
    assert_eq!(TaskConfig::default().heartbeat_secs, 10);
}
