//! A service that is down costs no attempt and leaves `needsReplication` set; a record that cannot be replicated
//! becomes a dead letter and keeps its flag.

use super::change;
use fake_services::{Faults, Service};
use serde_json::{Value, json};
use tests::{TestHost, entry, impatient, wait, without_stream};

const CAMPAIGN: &str = "campaign-123";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";
const QUEUE: &str = "saveEntriesQueue";
const DEAD: &str = "saveEntriesQueueDlq";
/// The attempts of the host for one request of a worker.
const REQUEST_ATTEMPTS: u64 = 3;
/// The receives after which a message of saveEntriesQueue becomes a dead letter.
const ATTEMPTS: u64 = 3;

fn item(fan: &str) -> Value {
    entry(CAMPAIGN, fan, &json!({ "email": "fan@example.com" }), UPDATED)
}

async fn refused(host: &TestHost, status: u16) -> u64 {
    host.answers(Service::Entry).await.get(&format!("upsertEntries {status}")).copied().unwrap_or_default()
}

#[tokio::test]
async fn req_005_an_outage_pauses_the_source_and_it_recovers_by_itself() {
    let host = TestHost::start().await;
    host.faults(Service::Entry, Faults { unavailable: 1.0, ..Faults::default() });
    for fan in ["fan-1", "fan-2"] {
        host.put_entry(&item(fan)).await;
    }
    let paused = wait::eventually("the pause", async || host.paused("save-entries").await).await;
    assert!(paused.contains("service:entry"), "{paused}");

    // There are more calls than a message has attempts, and still it does not become a dead letter.
    wait::eventually("a probe after the last attempt", async || {
        (refused(&host, 503).await > REQUEST_ATTEMPTS * ATTEMPTS).then_some(())
    })
    .await;
    assert_eq!(host.depth(DEAD).await, 0);
    for fan in ["fan-1", "fan-2"] {
        let item = host.item(CAMPAIGN, fan).await;
        assert_eq!((&item["needsReplication"], item.get("replicatedAt")), (&json!(true), None), "{fan}");
    }
    // Other sources of the host continue.
    host.queue("userInfoQueue", &[json!({ "globalUserId": "fan-1" }).to_string()]).await;
    wait::eventually("a profile meanwhile", async || host.profile("fan-1").await.is_object().then_some(())).await;

    host.faults(Service::Entry, Faults::default());
    for fan in ["fan-1", "fan-2"] {
        host.replicated(CAMPAIGN, fan, UPDATED).await;
    }
    host.drained(QUEUE).await;
    wait::eventually("the end of the pause", async || host.paused("save-entries").await.is_none().then_some(())).await;
    assert_eq!(host.depth(DEAD).await, 0);
}

/// A response that cannot be read is not an outage while others can: the service is there. It is unknown whether the
/// entry was stored.
#[tokio::test]
async fn req_007_a_record_that_fails_for_good_keeps_its_flag_and_is_a_dead_letter() {
    let host = TestHost::with(|app| {
        without_stream(app);
        impatient(app);
    })
    .await;
    let operations = vec!["upsertEntries".to_owned()];
    let faults = Faults { operations, poison: vec!["unlucky".to_owned()], refusal: 200, ..Faults::default() };
    host.faults(Service::Entry, faults);
    host.put_entries(&[item("unlucky"), item("lucky")]).await;
    let body = change("INSERT", &item("unlucky"), "event-1");
    let ids = host.queue(QUEUE, &[body.clone(), change("INSERT", &item("lucky"), "event-2")]).await;

    let dead_letters =
        wait::eventually("the dead letter", async || Some(host.peek(DEAD).await).filter(|it| !it.is_empty()));
    let dead_letters = dead_letters.await;
    assert_eq!(dead_letters.len(), 1, "the record beside it is done: {dead_letters:?}");
    assert_eq!(dead_letters[0]["body"], body, "the payload is kept as it was");
    let attributes = &dead_letters[0]["attributes"];
    assert_eq!(attributes["worker"], "save-entries");
    assert_eq!(attributes["attempt"], ATTEMPTS.to_string());
    assert_eq!(attributes["sourceMessageId"], ids[0]);
    assert!(attributes["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{attributes}");
    assert_eq!(attributes["digest"].as_str().map(str::len), Some(64), "the component's SHA-256: {attributes}");

    assert!(host.flagged(CAMPAIGN, "unlucky").await, "still to be replicated");
    assert_eq!(host.item(CAMPAIGN, "unlucky").await.get("replicatedAt"), None);
    host.drained(QUEUE).await;
    assert_eq!(host.paused("save-entries").await, None, "no outage");
}

/// An entry that the service refuses for good is retried like any other, then it is a dead letter. The flag stays set for
/// operators.
#[tokio::test]
async fn req_007_an_entry_that_the_service_will_never_take_keeps_its_flag() {
    let host = TestHost::with(|app| {
        without_stream(app);
        impatient(app);
    })
    .await;
    let mut bad = item("bad");
    bad["linkedFrom"] = "longer than the contract allows ".repeat(10).into();
    host.put_entry(&bad).await;
    host.put_entry(&item("good")).await;
    let bodies = [change("INSERT", &bad, "event-1"), change("INSERT", &item("good"), "event-2")];
    host.queue(QUEUE, &bodies).await;
    host.replicated(CAMPAIGN, "good", UPDATED).await;
    host.drained(QUEUE).await;
    let dead_letters = host.peek(DEAD).await;
    assert_eq!(dead_letters.len(), 1, "{dead_letters:?}");
    assert_eq!(dead_letters[0]["body"], bodies[0]);
    let reason = super::services::attribute(&dead_letters[0], "reason");
    assert!(
        reason.starts_with("the entry service answered with status 200, and of the record: invalid: ")
            && reason.contains("/linkedFrom"),
        "{reason}"
    );
    assert!(host.flagged(CAMPAIGN, "bad").await, "still to be replicated");
    assert_eq!(host.entry(CAMPAIGN, "bad").await, Value::Null);
}
