//! The ranges of settings: a value outside is named, a value at the edge is right.

use crate::rows;
use host_adapters_sources::SourceConfig;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use host_adapters_sources::sqs::SqsConfig;
use serde_json::{Value, json};

/// Sets one key of an otherwise plain source and returns what is said against it.
fn diagnostics(kind: &str, settings: Value) -> Vec<String> {
    let required = if kind == "sqs" { json!({"queue": "q"}) } else { json!({"table": "t"}) };
    let mut source = required.as_object().unwrap().clone();
    source.extend(settings.as_object().unwrap().clone());
    match serde_json::from_value::<SourceConfig>(json!({ kind: source })) {
        Ok(config) => config.diagnostics(),
        Err(error) => vec![error.to_string()],
    }
}

/// The first and last value that is right, and their neighbours that are not.
fn check_range(kind: &str, key: &str, first: i64, last: i64) {
    for right in [first, last] {
        assert_eq!(diagnostics(kind, json!({ key: right })), [""; 0], "{key} = {right}");
    }
    for wrong in [first - 1, last + 1] {
        let said = diagnostics(kind, json!({ key: wrong }));
        assert_eq!(said.len(), 1, "{key} = {wrong}: {said:?}");
    }
}

rows! {
    d1_1__more_than_ten_need_a_window {
        assert_eq!(diagnostics("sqs", json!({"batch_size": 10})), [""; 0]);
        assert_eq!(
            diagnostics("sqs", json!({"batch_size": 11})),
            ["batch_size = 11: above 10 it needs batch_window_secs of at least 1"],
        );
        assert_eq!(diagnostics("sqs", json!({"batch_size": 25_000, "batch_window_secs": 1})), [""; 0]);
        assert_eq!(
            diagnostics("sqs", json!({"batch_size": 25_001, "batch_window_secs": 1})),
            ["batch_size = 25001: must be 1 to 25000"],
        );
        assert_eq!(diagnostics("sqs", json!({"batch_size": 0})), ["batch_size = 0: must be 1 to 25000"]);
    }

    d1_2__window_is_0_to_300_whole_seconds {
        check_range("sqs", "batch_window_secs", 0, 300);
        assert!(diagnostics("sqs", json!({"batch_window_secs": 0.5}))[0].contains("expected u32"));
    }

    d3_2__visibility_is_30_s_by_default_and_at_most_12_h {
        assert_eq!(SqsConfig::new("q").visibility_timeout_secs, 30);
        check_range("sqs", "visibility_timeout_secs", 1, 43_200);
    }

    d3_8__attempts_are_1_to_1000 {
        assert_eq!(SqsConfig::new("q").max_attempts, 3);
        check_range("sqs", "max_attempts", 1, 1_000);
    }

    d1_5__ranges {
        check_range("dynamodb-stream", "batch_size", 1, 10_000);
        check_range("dynamodb-stream", "batch_window_secs", 0, 300);
        check_range("dynamodb-stream", "parallelization_factor", 1, 10);
        for right in ["TRIM_HORIZON", "LATEST"] {
            assert_eq!(diagnostics("dynamodb-stream", json!({"starting_position": right})), [""; 0]);
        }
        assert!(diagnostics("dynamodb-stream", json!({"starting_position": "AT_TIMESTAMP"}))[0].contains("AT_TIMESTAMP"));
    }

    d5_2__ranges {
        check_range("dynamodb-stream", "maximum_retry_attempts", -1, 10_000);
        check_range("dynamodb-stream", "maximum_record_age_secs", -1, 604_800);
        assert_eq!(DynamodbStreamConfig::new("t").maximum_record_age_secs, -1);
    }

    d6_1__dead_letter_queues_are_named_after_their_queue_or_worker {
        assert_eq!(SqsConfig::new("saveEntriesQueue").dead_letter_queue(), "saveEntriesQueueDlq");
        assert_eq!(DynamodbStreamConfig::new("t").dead_letter_queue("enqueue-entries"), "enqueueEntriesDlq");
        assert_eq!(DynamodbStreamConfig::new("t").dead_letter_queue("mark-assigned-codes"), "markAssignedCodesDlq");
        let own = SqsConfig { dead_letter_queue: Some("other".into()), ..SqsConfig::new("q") };
        assert_eq!(own.dead_letter_queue(), "other");
    }

    d1_7__unknown_keys_are_refused {
        assert!(diagnostics("sqs", json!({"batch_sise": 5}))[0].contains("unknown field `batch_sise`"));
        assert!(diagnostics("dynamodb-stream", json!({"queue": "q"}))[0].contains("unknown field `queue`"));
    }
}
