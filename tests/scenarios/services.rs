//! What the workers do about the answers of the services: no record pays for another, and none ends by a refusal.

use super::change;
use fake_services::{Faults, Service};
use host_adapters::manifest::App;
use serde_json::{Value, json};
use tests::{TestHost, entry, impatient, wait, without_stream};

const CAMPAIGN: &str = "campaign-123";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";

fn item(fan: &str) -> Value {
    entry(CAMPAIGN, fan, &json!({ "email": "fan@example.com" }), UPDATED)
}

fn fans(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("fan-{n}")).collect()
}

/// A host whose messages come back after three seconds, and whose save-entries gets them from the test alone.
async fn host() -> TestHost {
    TestHost::with(settings).await
}

pub(super) fn settings(app: &mut App) {
    without_stream(app);
    impatient(app);
}

/// Waits for the only dead letter of a queue, and for the queue to be empty.
async fn dead_letter(host: &TestHost, queue: &str) -> Value {
    let dead = format!("{queue}Dlq");
    let dead_letters = wait::eventually(&dead, async || Some(host.peek(&dead).await).filter(|it| !it.is_empty())).await;
    host.drained(queue).await;
    assert_eq!(host.depth(&dead).await, 1, "{dead_letters:?}");
    dead_letters[0].clone()
}

/// The value of a dead letter's attribute, whatever its type.
pub(super) fn attribute<'a>(dead_letter: &'a Value, name: &str) -> &'a str {
    let value = &dead_letter["attributes"][name];
    value.as_str().or_else(|| value["value"]["text"].as_str()).unwrap_or_default()
}

#[tokio::test]
async fn point_2_a_refused_entry_becomes_a_dead_letter_and_costs_no_other() {
    a_refused_entry(&host().await).await;
}

pub(super) async fn a_refused_entry(host: &TestHost) {
    host.faults(Service::Entry, Faults { poison: vec!["fan-7".to_owned()], refusal: 422, ..Faults::default() });
    let items: Vec<_> = fans(20).iter().map(|fan| item(fan)).collect();
    host.put_entries(&items).await;
    let bodies: Vec<_> = items.iter().enumerate().map(|(n, item)| change("INSERT", item, &n.to_string())).collect();
    host.queue("saveEntriesQueue", &bodies).await;
    let given_up = dead_letter(host, "saveEntriesQueue").await;
    assert_eq!(given_up["body"], bodies[7], "the whole record");
    assert_eq!(attribute(&given_up, "reason"), "the entry service refused with status 422: refused on demand");
    for fan in fans(20) {
        assert_eq!(host.entry(CAMPAIGN, &fan).await.is_object(), fan != "fan-7", "{fan}");
        assert_eq!(host.flagged(CAMPAIGN, &fan).await, fan == "fan-7", "{fan}");
    }
    assert_eq!(host.paused("save-entries").await, None, "no outage");
}

#[tokio::test]
async fn point_2_a_refused_deletion_becomes_a_dead_letter_and_costs_no_other() {
    let host = host().await;
    for fan in ["good", "bad"] {
        host.send_past_host(CAMPAIGN, &item(fan)).await;
    }
    host.faults(Service::Entry, Faults { poison: vec!["bad".to_owned()], refusal: 409, ..Faults::default() });
    let bodies = ["good", "bad"].map(|fan| change("REMOVE", &item(fan), fan));
    host.queue("saveEntriesQueue", &bodies).await;
    let dead_letter = dead_letter(&host, "saveEntriesQueue").await;
    assert_eq!(dead_letter["body"], bodies[1]);
    assert_eq!(
        [host.entry(CAMPAIGN, "good").await.is_null(), host.entry(CAMPAIGN, "bad").await.is_null()],
        [true, false]
    );
}

#[tokio::test]
async fn point_2_a_refused_score_becomes_a_dead_letter_and_costs_no_other() {
    let host = host().await;
    for fan in fans(5) {
        host.send_past_host(CAMPAIGN, &item(&fan)).await;
    }
    let operations = vec!["refreshScores".to_owned()];
    host.faults(Service::Entry, Faults { operations, poison: vec!["fan-3".to_owned()], ..Faults::default() });
    let body = |fan: &String| json!({ "campaignId": CAMPAIGN, "globalUserId": fan }).to_string();
    let bodies: Vec<_> = fans(5).iter().map(body).collect();
    host.queue("retryScoreQueue", &bodies).await;
    let dead_letter = dead_letter(&host, "retryScoreQueue").await;
    assert_eq!(dead_letter["body"], bodies[3]);
    assert_eq!(attribute(&dead_letter, "reason"), "the entry service refused with status 400: refused on demand");
}

/// Among good answers, a 500 is the record's own.
#[tokio::test]
async fn point_6_one_refused_profile_becomes_a_dead_letter_and_costs_no_other() {
    tokio::join!(one_refused_profile(400), one_refused_profile(500));
}

async fn one_refused_profile(refusal: u16) {
    let host = host().await;
    host.faults(Service::User, Faults { poison: vec!["fan-4".to_owned()], refusal, ..Faults::default() });
    let bodies: Vec<_> = fans(10).iter().map(|fan| json!({ "globalUserId": fan }).to_string()).collect();
    host.queue("userInfoQueue", &bodies).await;
    let dead_letter = dead_letter(&host, "userInfoQueue").await;
    assert_eq!(dead_letter["body"], bodies[4]);
    let reason = format!("the user service refused with status {refusal}: refused on demand");
    assert_eq!(attribute(&dead_letter, "reason"), reason);
    for fan in fans(10) {
        assert_eq!(host.profile(&fan).await.is_object(), fan != "fan-4", "{fan}");
    }
}

#[tokio::test]
async fn point_6_a_member_of_a_wrong_type_is_left_out_and_the_rest_of_the_profile_stored() {
    let host = host().await;
    let body = r#"{"globalUserId":"fan-1","firstName":["Jane"],"lastName":"Doe","postalCode":90210,"locale":1e999}"#;
    host.queue("userInfoQueue", &[body.to_owned()]).await;
    let mut profile =
        wait::eventually("the profile", async || Some(host.profile("fan-1").await).filter(Value::is_object)).await;
    profile.as_object_mut().unwrap().remove("updatedAt");
    assert_eq!(profile, json!({ "globalUserId": "fan-1", "lastName": "Doe" }));
    host.drained("userInfoQueue").await;
    assert_eq!(host.depth("userInfoQueueDlq").await, 0);
}

/// API usage: `// Returns: { success: boolean, upsertedCount: number }`.
#[tokio::test]
async fn point_3_entries_are_replicated_to_a_service_that_answers_as_the_documents_print() {
    an_answer_as_printed(&TestHost::with(impatient).await).await;
}

pub(super) async fn an_answer_as_printed(host: &TestHost) {
    host.faults(Service::Entry, Faults { without_results: true, ..Faults::default() });
    host.put_entries(&fans(30).iter().map(|fan| item(fan)).collect::<Vec<_>>()).await;
    for fan in fans(30) {
        host.replicated(CAMPAIGN, &fan, UPDATED).await;
    }
    host.remove_entry(CAMPAIGN, "fan-0").await;
    wait::eventually("the deletion", async || host.entry(CAMPAIGN, "fan-0").await.is_null().then_some(())).await;
    // One that it does not take: it says how many it took, not which.
    let mut bad = item("bad");
    bad["linkedFrom"] = "longer than the contract allows ".repeat(10).into();
    host.put_entries(&[item("good"), bad]).await;
    let given_up = dead_letter(host, "saveEntriesQueue").await;
    assert!(given_up["body"].as_str().unwrap().contains("longer than the contract allows"), "{given_up}");
    let reason = attribute(&given_up, "reason");
    assert!(
        reason.starts_with("the entry service answered success: false and 0 of 1 done, not which: status 200: {"),
        "{reason}"
    );
    host.replicated(CAMPAIGN, "good", UPDATED).await;
    assert!(host.flagged(CAMPAIGN, "bad").await);
}

#[tokio::test]
async fn point_5_an_older_profile_does_not_overwrite_a_newer_one() {
    let host = host().await;
    let profile = |phone: &str, updated_at: &str| {
        json!({ "globalUserId": "fan-1", "phoneNumber": phone, "updatedAt": updated_at }).to_string()
    };
    let newer = profile("+14155550122", "2024-01-15T10:30:00.002Z");
    host.queue("userInfoQueue", &[newer]).await;
    let phone = async || host.profile("fan-1").await["phoneNumber"].clone();
    wait::eventually("the newer", async || (phone().await == "+14155550122").then_some(())).await;
    // As after a failed attempt, or from a dead letter that was sent back.
    host.queue("userInfoQueue", &[profile("+14155550121", "2024-01-15T10:30:00.001Z")]).await;
    host.drained("userInfoQueue").await;
    assert_eq!(phone().await, "+14155550122");
    assert_eq!(host.profile("fan-1").await["updatedAt"], "2024-01-15T10:30:00.002Z");
    assert_eq!(host.depth("userInfoQueueDlq").await, 0, "it is done");
}

/// Without `updatedAt`, a profile is as old as its message.
#[tokio::test]
async fn point_5_the_newest_of_a_fans_messages_counts_however_often_the_service_fails() {
    let host = host().await;
    host.faults(Service::User, Faults { unavailable: 0.5, cut_after: 0.1, seed: 7, ..Faults::default() });
    let fans = fans(20);
    for change in 0..3 {
        let body =
            |fan: &String| json!({ "globalUserId": fan, "phoneNumber": format!("+1415555012{change}") }).to_string();
        host.queue("userInfoQueue", &fans.iter().map(body).collect::<Vec<_>>()).await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    host.drained("userInfoQueue").await;
    host.faults(Service::User, Faults::default());
    assert_eq!(host.depth("userInfoQueueDlq").await, 0);
    for fan in fans {
        assert_eq!(host.profile(&fan).await["phoneNumber"], "+14155550122", "{fan}");
    }
}
