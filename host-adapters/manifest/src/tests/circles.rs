//! Dead letter queues form no circles, and no component has a source twice.

use super::*;
use expect_test::expect;

#[test]
fn case_10_a_queue_that_is_its_own_dead_letter_queue() {
    check(
        r#"
[application.tool.host-adapters.queues.inline]
visibility_timeout_secs = 30
dead_letter_queue = "inline"
[component.a]
source = "a.wasm"
[[component.a.tool.host-adapters.source]]
type = "sqs"
queue = "saveEntriesQueue"
dead_letter_queue = "saveEntriesQueue"
"#,
        &expect![[r#"
            spin.toml:4:21: queue "inline" is its own dead letter queue: messages that are given up would circulate forever; name another queue
            spin.toml:10:21: queue "saveEntriesQueue" is its own dead letter queue: messages that are given up would circulate forever; name another queue
        "#]],
    );
}

#[test]
fn case_10_a_circle_of_two_or_more_is_reported_once() {
    check(
        r#"
[application.tool.host-adapters.queues.one]
dead_letter_queue = "two"
[application.tool.host-adapters.queues.two]
dead_letter_queue = "three"
[application.tool.host-adapters.queues.three]
[application.tool.host-adapters.queues.four]
[component.a]
source = "a.wasm"
[[component.a.tool.host-adapters.source]]
type = "sqs"
queue = "three"
dead_letter_queue = "one"
[[component.a.tool.host-adapters.source]]
type = "sqs"
queue = "four"
[[component.a.tool.host-adapters.source]]
type = "sqs"
queue = "fourDlq"
dead_letter_queue = "four"
"#,
        &expect![[r#"
            spin.toml:3:21: dead letters circulate forever: "one" → "two" → "three" → "one"; name a dead letter queue outside this cycle
            spin.toml:16:9: dead letters circulate forever: "four" → "fourDlq" → "four"; name a dead letter queue outside this cycle
        "#]],
    );
}

#[test]
fn case_10_a_dead_letter_queue_may_have_a_worker() {
    let queue =
        |queue: &str| format!("[[component.a.tool.host-adapters.source]]\ntype = \"sqs\"\nqueue = \"{queue}\"\n");
    let (first, second, third) =
        (queue("saveEntriesQueue"), queue("saveEntriesQueueDlq"), queue("saveEntriesQueueDlqDlq"));
    let app = app(&format!("[component.a]\nsource = \"a.wasm\"\n{first}{second}{third}"));
    assert_eq!(app.components["a"].sources.len(), 3);
}

#[test]
fn case_10_a_source_twice_in_a_component_is_refused() {
    check(
        r#"
[component.a]
source = "a.wasm"
[[component.a.tool.host-adapters.source]]
type = "dynamodb-stream"
table = "demand-table"
[[component.a.tool.host-adapters.source]]
type = "dynamodb-stream"
table = "demand-table"
starting_position = "LATEST"
[component.b]
source = "b.wasm"
[[component.b.tool.host-adapters.source]]
type = "dynamodb-stream"
table = "demand-table"
"#,
        &expect![[r#"
            spin.toml:9:9: "a" has the source dynamodb-stream:demand-table already; remove one of the two
        "#]],
    );
}

/// The queue that is missing is never taken for the dead letter queue that its source alone makes.
#[test]
fn a_dead_letter_queue_is_not_suggested_for_a_source() {
    check(
        r#"
[component.a]
source = "a.wasm"
[[component.a.tool.host-adapters.source]]
type = "sqs"
queue = "retryQueue"
"#,
        &expect![[r#"
            spin.toml:6:9: unknown queue "retryQueue"; there is "saveEntriesQueue", or declare it under [application.tool.host-adapters]
        "#]],
    );
}
