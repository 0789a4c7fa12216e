//! The numbers and words of sources, queues and limits at their boundaries, with their lines of docs/delivery.md.

use super::*;
use host_adapters_limits::Limits;

/// Whether a manifest whose worker has `block` as its only source is accepted.
fn source(block: &str) -> bool {
    let more = format!("[component.a]\nsource = \"a.wasm\"\n[[component.a.tool.host-adapters.source]]\n{block}\n");
    parse_with(&format!("{BASE}{more}")).is_ok()
}

#[test]
fn sqs_sources() {
    let rows = [
        ("1.1", "batch_size = 0", false),
        ("1.1", "batch_size = 1", true),
        ("1.1", "batch_size = 10", true),
        ("1.1", "batch_size = 11", false),
        ("1.1", "batch_size = 11\nbatch_window_secs = 0", false),
        ("1.1", "batch_size = 11\nbatch_window_secs = 1", true),
        ("1.1", "batch_size = 25000\nbatch_window_secs = 1", true),
        ("1.1", "batch_size = 25001\nbatch_window_secs = 1", false),
        ("1.2", "batch_window_secs = 300", true),
        ("1.2", "batch_window_secs = 301", false),
        ("1.2", "batch_window_secs = 0.5", false),
        ("1.2", "batch_window_secs = -1", false),
        ("3.2", "visibility_timeout_secs = 0", false),
        ("3.2", "visibility_timeout_secs = 43200", true),
        ("3.2", "visibility_timeout_secs = 43201", false),
        ("3.8", "max_attempts = 0", false),
        // As often as its queue lets it be received.
        ("3.8", "max_attempts = 100", true),
        ("3.8", "max_attempts = 101", false),
        ("3.8", "max_attempts = 1001", false),
        ("", "max_concurrency = 0", false),
        ("", "max_concurrency = 1000", true),
        ("", "on_reject = \"dead-letter\"", true),
        ("", "on_reject = \"keep\"", false),
        ("", "parallelization_factor = 1", false),
    ];
    for (row, settings, accepted) in rows {
        let block = format!("type = \"sqs\"\nqueue = \"saveEntriesQueue\"\n{settings}");
        assert_eq!(source(&block), accepted, "{row}: {settings}");
    }
}

#[test]
fn stream_sources() {
    let rows = [
        ("1.5", "batch_size = 0", false),
        ("1.5", "batch_size = 1000", true),
        ("1.5", "batch_size = 10000", true),
        ("1.5", "batch_size = 10001", false),
        ("1.5", "batch_window_secs = 300", true),
        ("1.5", "batch_window_secs = 301", false),
        ("1.5", "parallelization_factor = 0", false),
        ("1.5", "parallelization_factor = 10", true),
        ("1.5", "parallelization_factor = 11", false),
        ("4.1", "starting_position = \"LATEST\"", true),
        ("4.1", "starting_position = \"AT_TIMESTAMP\"", false),
        ("5.2", "maximum_retry_attempts = -2", false),
        ("5.2", "maximum_retry_attempts = -1", true),
        ("5.2", "maximum_retry_attempts = 10000", true),
        ("5.2", "maximum_retry_attempts = 10001", false),
        ("5.3", "maximum_record_age_secs = -1", true),
        ("5.3", "maximum_record_age_secs = 604800", true),
        ("5.3", "maximum_record_age_secs = 604801", false),
        ("4.18", "strict_order = true", false),
        ("4.18", "strict_order = true\nmaximum_retry_attempts = -1", true),
        ("4.18", "strict_order = true\nmaximum_retry_attempts = -1\nparallelization_factor = 2", false),
        ("5.5", "bisect = false", true),
        ("5.5", "bisect = 0", false),
        ("", "visibility_timeout_secs = 30", false),
    ];
    for (row, settings, accepted) in rows {
        let block = format!("type = \"dynamodb-stream\"\ntable = \"demand-table\"\n{settings}");
        assert_eq!(source(&block), accepted, "{row}: {settings}");
    }
}

#[test]
fn queues() {
    let rows = [
        ("3.2", "visibility_timeout_secs = 43200", true),
        ("3.2", "visibility_timeout_secs = 43201", false),
        ("", "retention_secs = 59", false),
        ("", "retention_secs = 60", true),
        ("", "retention_secs = 1209600", true),
        ("", "retention_secs = 1209601", false),
        ("3.9", "max_receive_count = 0", false),
        ("3.9", "max_receive_count = 1000", true),
        ("3.9", "max_receive_count = 1001", false),
    ];
    for (row, setting, accepted) in rows {
        let more = format!("[application.tool.host-adapters.queues.other]\n{setting}\n");
        assert_eq!(parse_with(&format!("{BASE}{more}")).is_ok(), accepted, "{row}: {setting}");
    }
}

#[test]
fn limits() {
    let limits =
        |tool: &str| app(&format!("[component.a]\nsource = \"a.wasm\"\n{tool}")).components["a"].limits.clone();
    let batch = "[[component.a.tool.host-adapters.source]]\ntype = \"sqs\"\nqueue = \"saveEntriesQueue\"\n";
    let secs = std::time::Duration::from_secs;
    let (request, fed) = (limits(""), limits(batch));
    assert_eq!((request.request_timeout(), request.concurrency()), (secs(30), 16));
    assert_eq!((fed.request_timeout(), fed.concurrency()), (secs(300), 1));

    let written = limits(
        "[component.a.tool.host-adapters]\nmax_instances = 2\nmax_instance_reuse_count = 3\n\
         max_instance_concurrent_reuse_count = 4\nidle_instance_timeout_secs = 5\nrequest_timeout_secs = 6\n\
         max_memory_mb = 7\nmax_cpu_ms = 8\n",
    );
    let expected = Limits {
        max_instances: 2,
        max_instance_reuse_count: 3,
        max_instance_concurrent_reuse_count: Some(4),
        idle_instance_timeout_secs: 5,
        request_timeout_secs: Some(6),
        max_memory_mb: 7,
        max_cpu_ms: 8,
    };
    assert_eq!(written, expected);
    assert_eq!(
        (written.concurrency(), written.idle_instance_timeout(), written.request_timeout()),
        (4, secs(5), secs(6))
    );
    assert_eq!((written.max_memory_bytes(), written.max_cpu()), (7 << 20, std::time::Duration::from_millis(8)));
}

/// docs/delivery.md, 3.13.
#[test]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
fn d3_13__fifo_queues_have_small_batches_and_dead_letters_of_their_type() {
    let rows = [
        ("batch_size = 10", true),
        ("batch_size = 11\nbatch_window_secs = 1", false),
        ("batch_window_secs = 1", false),
        ("dead_letter_queue = \"other.fifo\"", true),
        ("dead_letter_queue = \"other\"", false),
    ];
    let parsed = |dead_letters: &str, settings: &str| {
        parse_with(&format!(
            "{BASE}[application.tool.host-adapters.queues.\"o.fifo\"]\ndead_letter_queue = \"{dead_letters}\"\n\
             [component.a]\nsource = \"a.wasm\"\n[[component.a.tool.host-adapters.source]]\ntype = \"sqs\"\n\
             queue = \"o.fifo\"\n{settings}\n"
        ))
    };
    for (settings, accepted) in rows {
        assert_eq!(parsed("oDlq.fifo", settings).is_ok(), accepted, "{settings}");
    }
    let queues = parsed("oDlq.fifo", "").unwrap().host.declared.queues;
    assert!(queues.contains_key("oDlq.fifo"), "{:?}", queues.keys());
    assert!(parsed("oDlq", "").is_err(), "SQS refuses it");
}
