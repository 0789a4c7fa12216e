//! Topics and their subscriptions.

use super::*;
use expect_test::expect;
use host_adapters_platform::FilterScope;

#[test]
fn topics_their_subscriptions_and_grants_are_checked() {
    check(
        r#"
[application.tool.host-adapters.queues."orders.fifo"]
[application.tool.host-adapters.topics."data sns"]
[application.tool.host-adapters.topics.dataSns]
subscriptions = [
  { queue = "saveEntriesQueue", filter = { type = ["A", { prefix = "B" }] }, raw = true },
  { queue = "saveEntriesQueue" },
  { queue = "saveEntryQueue" },
  { queue = "orders.fifo" },
  { filter = { a = ["x"] }, scope = "header" },
]
[application.tool.host-adapters.topics.other]
subscriptions = [{ queue = "saveEntriesQueue", filter = { a = { b = ["x"] } } }]
[component.a]
source = "a.wasm"
[component.a.tool.host-adapters.grants]
topics = ["dataSns", "dataSn"]
"#,
        &expect![[r#"
            spin.toml:3:40: "data sns" cannot be the name of a topic in SNS; write 1 to 256 letters, digits, _ and -
            spin.toml:7:3: "saveEntriesQueue" subscribes to "dataSns" already; put both filters into one, with "$or"
            spin.toml:8:3: unknown queue "saveEntryQueue"; write "saveEntriesQueue", or declare it under [application.tool.host-adapters]
            spin.toml:9:3: "orders.fifo" is a FIFO queue, to which no topic delivers; name another
            spin.toml:10:3: "queue" is missing; write the name of a queue under [application.tool.host-adapters.queues], in application.tool.host-adapters.topics.dataSns.subscriptions
            spin.toml:10:37: scope = "header" is unknown; there is "attributes", "body", in application.tool.host-adapters.topics.dataSns.subscriptions
            spin.toml:13:57: `a.b` of the filter: an attribute has no fields; nested fields are for policies on the body
            spin.toml:17:22: unknown topic "dataSn"; write "dataSns", or declare it under [application.tool.host-adapters]
        "#]],
    );
}

#[test]
fn a_subscription_has_its_filter_as_json() {
    let app = app(r#"
[[application.tool.host-adapters.topics.dataSns.subscriptions]]
queue = "saveEntriesQueue"
scope = "body"
filter.data.score = [{ numeric = [">", 100] }]
[component.a]
source = "a.wasm"
tool.host-adapters.grants = { topics = ["dataSns"] }
"#);
    let declared = app.declared();
    let subscriptions: Vec<_> = declared.topics["dataSns"].subscriptions.iter().collect();
    let [subscription] = subscriptions[..] else { panic!("{subscriptions:?}") };
    assert_eq!((subscription.queue.as_str(), subscription.scope), ("saveEntriesQueue", FilterScope::Body));
    assert_eq!(subscription.filter.text(), Some(r#"{"data":{"score":[{"numeric":[">",100]}]}}"#));
    assert!(!subscription.raw);
    assert!(app.components["a"].grants.topics.contains("dataSns"));
}
