//! Use cases, scenario 3: a race does not cause stale replication. Times and markets are the documents' own.

use super::change;
use serde_json::{Value, json};
use tests::{TestHost, entry, log, wait, without_stream};

const CAMPAIGN: &str = "campaign-123";
const FAN: &str = "user-456";
const QUEUE: &str = "saveEntriesQueue";

/// The fan's entry with markets [A, B] at 10:00:00, and with [A, C] at 10:00:05.
fn images() -> [Value; 2] {
    let image = |time: &str, markets: &[&str]| {
        let mut image = entry(CAMPAIGN, FAN, &json!({ "markets": markets }), &format!("2024-01-01T{time}Z"));
        image["date"]["created"] = "2024-01-01T10:00:00Z".into();
        image
    };
    [image("10:00:00", &["A", "B"]), image("10:00:05", &["A", "C"])]
}

#[tokio::test]
async fn scenario_3_event_2_first_and_the_stale_event_1_is_skipped() {
    let host = TestHost::with(without_stream).await;
    let [first, second] = images();
    host.put_entry(&first).await;
    host.put_entry(&second).await;
    let labels = [("worker", "save-entries"), ("source", "sqs:saveEntriesQueue"), ("reason", "stale")];
    let skipped = host.metric("registration_skipped_total", &labels).await;
    let rejected = host.metric("registration_rejected_total", &labels).await;

    host.queue(QUEUE, &[change("MODIFY", &second, "event2")]).await;
    host.replicated(CAMPAIGN, FAN, "2024-01-01T10:00:05.000Z").await;
    let replicated_at = host.item(CAMPAIGN, FAN).await["replicatedAt"].clone();
    let ids = host.queue(QUEUE, &[change("MODIFY", &first, "event1")]).await;
    host.drained(QUEUE).await;

    let lines =
        wait::eventually("a line for event1", async || Some(log::lines("id", &ids[0])).filter(|l| !l.is_empty()));
    let lines = lines.await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((&lines[0]["level"], &lines[0]["message"]), (&json!("WARN"), &json!("record skipped")));
    assert_eq!(lines[0]["worker"], "save-entries");
    assert_eq!(lines[0]["reason"], "stale: the item changed after this record");
    assert!(host.metric("registration_skipped_total", &labels).await >= skipped + 1.0, "counted");
    assert_eq!(host.metric("registration_rejected_total", &labels).await, rejected, "nothing is wrong with it");

    assert_eq!(host.versions(CAMPAIGN, FAN), [("2024-01-01T10:00:05.000Z".to_owned(), true)], "nothing stale was sent");
    assert_eq!(host.entry(CAMPAIGN, FAN).await["fields"], json!({ "markets": ["A", "C"] }));
    let item = host.item(CAMPAIGN, FAN).await;
    assert_eq!((&item["needsReplication"], &item["replicatedAt"]), (&json!(false), &replicated_at), "left as it was");
    assert_eq!(host.depth("saveEntriesQueueDlq").await, 0);
}

/// In order: the record of the first change is stale, and the last one is replicated.
#[tokio::test]
async fn scenario_3_event_1_first_has_the_same_result() {
    let host = TestHost::with(without_stream).await;
    let [first, second] = images();
    host.put_entry(&first).await;
    host.put_entry(&second).await;
    host.queue(QUEUE, &[change("MODIFY", &first, "event1"), change("MODIFY", &second, "event2")]).await;
    host.replicated(CAMPAIGN, FAN, "2024-01-01T10:00:05.000Z").await;
    host.drained(QUEUE).await;
    assert_eq!(host.versions(CAMPAIGN, FAN), [("2024-01-01T10:00:05.000Z".to_owned(), true)]);
}

/// The same two writes through the table's stream, and then the removal of the entry.
#[tokio::test]
async fn scenario_3_by_the_stream_ends_with_the_newest_and_a_removal_with_nothing() {
    let host = TestHost::start().await;
    let [first, second] = images();
    host.put_entry(&first).await;
    host.put_entry(&second).await;
    host.replicated(CAMPAIGN, FAN, "2024-01-01T10:00:05.000Z").await;
    host.remove_entry(CAMPAIGN, FAN).await;
    wait::eventually("the entry's deletion", async || host.entry(CAMPAIGN, FAN).await.is_null().then_some(())).await;
    host.drained(QUEUE).await;
    let mut delayed = first;
    delayed["date"]["updated"] = "2024-01-01T10:00:00.000Z".into();
    host.send_past_host(CAMPAIGN, &delayed).await;
    assert_eq!(host.entry(CAMPAIGN, FAN).await, Value::Null, "a delayed POST does not bring it back");
    assert_eq!(host.depth("saveEntriesQueueDlq").await, 0);
}
