//! The outcome of records that fail: dead letters with the whole record and the reason, and pauses that use up no
//! attempt.
#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

use super::statuses::{RETRY_SCORE, SAVE_ENTRIES, UPSERT_USERS, hasty};
use axum::Router;
use axum::http::StatusCode;
use fake_services::Faults;
use host_adapters::manifest::{App, SourceConfig};
use host_adapters_delivery::OnReject;
use host_adapters_delivery::dead_letter::DeadLetter;
use host_adapters_platform::{Access, DataStreamAccess, ObjectAccess, Received};
use host_adapters_records::Attribute;
use host_adapters_sources::event_of;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tests::{OPERATOR_TOKEN, TestHost, entry, impatient, log, programs, serve, wait, without_stream};

const USERS: &str = "userInfoQueue";

/// The file of a case.
fn case(name: &str) -> Value {
    let path = programs::project().join("tests/fixtures/cases").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Waits for this many dead letters.
async fn dead_letters(host: &TestHost, queue: &str, count: usize) -> Vec<Value> {
    let what = format!("{count} messages in {queue}");
    wait::eventually(&what, async || Some(host.peek(queue).await).filter(|found| found.len() >= count)).await
}

#[tokio::test]
async fn case_03_unreadable_bodies_become_dead_letters_with_their_bodies_and_reasons() {
    unreadable_bodies(&TestHost::start().await).await;
}

/// The case's own messages.
pub(super) async fn unreadable_bodies(host: &TestHost) {
    let input = case("03-unreadable-bodies.json");
    let bodies: Vec<String> = input["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["body"].as_str().unwrap().to_owned())
        .collect();
    let ids = host.queue(USERS, &bodies).await;
    let dead = dead_letters(host, "userInfoQueueDlq", 2).await;
    host.drained(USERS).await;
    assert_eq!(host.profile("t03-good").await["firstName"], "Zoe");
    assert_eq!(host.profile("t03-cut-emoji").await, Value::Null);
    for (body, id) in bodies.iter().zip(&ids).take(2) {
        let dead_letter = dead.iter().find(|dead_letter| dead_letter["body"] == **body);
        let attributes = &dead_letter.unwrap_or_else(|| panic!("{body}: {dead:?}"))["attributes"];
        assert!(attributes["reason"].as_str().is_some_and(|reason| reason.contains("userInfo")), "{attributes}");
        assert_eq!(attributes["sourceMessageId"], **id);
        let lines = log::lines("id", id);
        assert_eq!((lines.len(), &lines[0]["level"]), (1, &Value::from("ERROR")), "{lines:?}");
    }
    assert_eq!(dead.len(), 2);
}

const CAMPAIGN: &str = "campaign-123";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";

fn sized(fan: &str, bytes: usize) -> Value {
    entry(CAMPAIGN, fan, &json!({ "email": "fan@example.com", "note": "n".repeat(bytes) }), UPDATED)
}

/// With spin.toml as it is.
#[tokio::test]
async fn case_08_a_large_entry_and_its_deletion_are_replicated() {
    large_entry(&TestHost::start().await).await;
}

/// An entry of 270 kB, then its deletion.
pub(super) async fn large_entry(host: &TestHost) {
    host.put_entry(&sized("large", 270_000)).await;
    host.replicated(CAMPAIGN, "large", UPDATED).await;
    let held = host.entry(CAMPAIGN, "large").await;
    assert_eq!(held["fields"]["note"].as_str().map(str::len), Some(270_000));
    host.remove_entry(CAMPAIGN, "large").await;
    wait::eventually("the deletion", async || host.entry(CAMPAIGN, "large").await.is_null().then_some(())).await;
    for queue in ["enqueueEntriesDlq", "saveEntriesQueueDlq"] {
        assert_eq!(host.depth(queue).await, 0, "{queue}");
    }
}

#[tokio::test]
async fn case_08_a_change_of_large_images_is_given_up_whole() {
    large_images(&TestHost::with(probing).await).await;
}

/// A worker that does what the records say, in the place of enqueue-entries.
pub(super) fn probing(app: &mut App) {
    let component = app.components.get_mut("enqueue-entries").unwrap();
    component.source = programs::guest_as("probe", "enqueue-entries");
    component.grants.tables.insert("demand-table".to_owned(), Access::Read);
    component.grants.documents.insert("campaigns".to_owned(), Access::Read);
    component.grants.objects.insert("unused".to_owned(), ObjectAccess::default());
    component.grants.data_streams.insert("unused".to_owned(), DataStreamAccess::Put);
    component.grants.topics.insert("unused".to_owned());
    component.grants.services.insert("entry".to_owned());
    component.grants.identity = true;
}

/// Two images of 200 kB, given up, on a host of [`probing`].
pub(super) async fn large_images(host: &TestHost) {
    let item = |fill: &str| {
        let mut item = sized("large", 0);
        item["do"] = "reject".into();
        item["reason"] = "not a change of mine".into();
        item["fill"] = fill.repeat(200_000).into();
        item
    };
    host.put_entry(&item("a")).await;
    host.put_entry(&item("b")).await;
    let dead = dead_letters(host, "enqueueEntriesDlq", 2).await;
    let modify = dead.iter().find(|dead_letter| dead_letter["body"].as_str().unwrap().contains("MODIFY")).unwrap();
    let envelope: Value = serde_json::from_str(modify["body"].as_str().unwrap()).unwrap();
    assert_eq!((&envelope["payload"]["oldImage"], &envelope["payload"]["newImage"]), (&item("a"), &item("b")));
    assert_eq!(modify["attributes"]["reason"], "not a change of mine");
}

/// A table keeps characters that no queue takes. Rejected records are dropped, and these are not.
#[tokio::test]
async fn d12_4__case_08_point_1_what_no_queue_takes_is_given_up_at_once_and_whole() {
    what_no_queue_takes(&TestHost::with(dropping).await).await;
}

/// Rejected changes of entries are dropped.
pub(super) fn dropping(app: &mut App) {
    for source in &mut app.components.get_mut("enqueue-entries").unwrap().sources {
        if let SourceConfig::DynamodbStream(config) = source {
            config.on_reject = OnReject::Drop;
        }
    }
}

/// An entry with a character that no queue takes, on a host of [`dropping`].
pub(super) async fn what_no_queue_takes(host: &TestHost) {
    let mut large = sized("refused", 0);
    large["fields"] = json!({ "note": "\u{fffe}" }).to_string().into();
    host.put_entries(&[large.clone(), sized("good", 10)]).await;
    host.replicated(CAMPAIGN, "good", UPDATED).await;
    let dead = dead_letters(host, "enqueueEntriesDlq", 1).await;
    let attributes = &dead[0]["attributes"];
    let reason = attributes["reason"].as_str().unwrap();
    assert!(reason.starts_with("invalid: ") && reason.contains("U+FFFE"), "{reason}");
    assert_eq!(attributes["attempt"], "1", "at once");
    let envelope: Value = serde_json::from_str(dead[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(envelope["payloadEncoding"], "base64-json");
    let message = Received {
        body: dead[0]["body"].as_str().unwrap().to_owned(),
        attributes: vec![Attribute::text("source", "dynamodb-stream:demand-table")],
        ..Received::default()
    };
    let event = event_of(&DeadLetter::read("enqueueEntriesDlq", message, &[])).unwrap();
    let change: Value = event.json().unwrap();
    assert_eq!(change["newImage"], large);
    assert_eq!(dead.len(), 1);
}

/// The path of the upstream is wrong, so every request is answered with 404: an outage, in which nothing is given up.
#[tokio::test]
async fn point_2_point_16_a_wrong_path_pauses_the_source_and_gives_nothing_up() {
    const RECORDS: usize = 30;
    let requests = Arc::<AtomicUsize>::default();
    let counted = requests.clone();
    let no_such_path = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(StatusCode::NOT_FOUND)
    };
    let upstream = serve(Router::new().fallback(no_such_path)).await;
    let host = TestHost::with(|app| {
        without_stream(app);
        impatient(app);
        let entry = app.host.services.iter_mut().find(|service| service.name == "entry").unwrap();
        entry.upstream = host_adapters::manifest::Value::plain(upstream);
    })
    .await;
    let items: Vec<_> = (0..RECORDS).map(|n| sized(&format!("fan-{n}"), 1)).collect();
    let bodies: Vec<_> = items.iter().map(|item| super::change("INSERT", item, "event")).collect();
    host.put_entries(&items).await;
    host.queue("saveEntriesQueue", &bodies).await;
    let reason = wait::eventually("the pause", async || host.paused("save-entries").await).await;
    assert!(
        reason.contains("service:entry POST /{campaignId}/entries: every request is answered with 404"),
        "{reason}"
    );
    // Refused batches are halved, so an attempt of a record makes two requests at most.
    wait::eventually("more requests than three attempts make", async || {
        (requests.load(Ordering::Relaxed) > 3 * 2 * RECORDS).then_some(())
    })
    .await;
    assert!(host.paused("save-entries").await.is_some());
    let depths = (host.depth("saveEntriesQueue").await, host.depth("saveEntriesQueueDlq").await);
    assert_eq!(depths, (RECORDS as u64, 0));
}

/// One record for each kind of failure that can end a record (429 cannot, 2.3): what it is, its worker and body, the faults, and what its
/// dead letter says. Secrets are in `host-adapters/outbound`.
pub(super) async fn every_kind_of_failure(host: &TestHost) {
    let refusing = |fan: &str, refusal: u16| Faults { poison: vec![fan.to_owned()], refusal, ..Faults::default() };
    let mut invalid = sized("invalid", 1);
    invalid["linkedFrom"] = "longer than the contract allows ".repeat(10).into();
    host.put_entries(std::slice::from_ref(&invalid)).await;
    let (user, entry) = ("the user service ", "the entry service ");
    let profile = |fan: &str| json!({ "globalUserId": fan }).to_string();
    let score = json!({ "campaignId": CAMPAIGN, "globalUserId": "unknown" }).to_string();
    let partial = Faults { without_results: true, ..Faults::default() };
    let kinds = [
        (
            "refused",
            UPSERT_USERS,
            profile("refused"),
            refusing("refused", 422),
            [user, "status 422: refused on demand"],
        ),
        ("broken", UPSERT_USERS, profile("broken"), refusing("broken", 500), [user, "status 500: refused on demand"]),
        ("a page", UPSERT_USERS, profile("page"), refusing("page", 200), [user, "status 200: <!DOCTYPE html>"]),
        (
            "invalid",
            SAVE_ENTRIES,
            super::change("INSERT", &invalid, "1"),
            Faults::default(),
            [entry, "status 200, and of the record: invalid: "],
        ),
        ("partial", SAVE_ENTRIES, super::change("INSERT", &invalid, "2"), partial, [entry, "status 200: {"]),
        ("unknown", RETRY_SCORE, score, Faults::default(), [entry, "status 200, and of the record: unknown: "]),
    ];
    for (what, caller, body, faults, told) in kinds {
        caller.faults(host, faults);
        let trace = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016x}-01", what.len());
        caller.send(host, &body, &trace).await;
        let dead_letter = match what {
            // Alone they would be an outage.
            "broken" | "a page" => caller.dead_letter_among_others(host, &body, &trace).await,
            _ => {
                let queue = format!("{}Dlq", caller.queue);
                let found =
                    async || host.peek(&queue).await.into_iter().find(|dead_letter| dead_letter["body"] == *body);
                wait::eventually(what, found).await
            }
        };
        let attributes = &dead_letter["attributes"];
        let reason = attributes["reason"].as_str().unwrap();
        assert!(told.iter().all(|part| reason.contains(part)), "{what}: {reason}");
        let details: Value = serde_json::from_str(attributes["details"].as_str().unwrap()).unwrap();
        assert!(details["attempted"].as_array().is_some_and(|times| times.len() >= 3), "{what}: {details}");
        assert_eq!(details["traceparent"], trace, "{what}");
        host.faults(caller.service, Faults::default());
        host.drained(caller.queue).await;
    }
}

#[tokio::test]
async fn point_15_a_dead_letter_has_service_status_first_line_times_and_trace_for_every_kind_of_failure() {
    every_kind_of_failure(&TestHost::with(hasty).await).await;
}

/// An operator's work on a dead letter is logged, because nothing else is left of it.
#[tokio::test]
async fn d12_6__a_dropped_dead_letter_leaves_a_line_in_the_log() {
    let host = TestHost::start().await;
    host.queue(USERS, &["{".to_owned()]).await;
    let dead = dead_letters(&host, "userInfoQueueDlq", 1).await;
    let id = dead[0]["id"].as_str().unwrap();
    let request = host.http().post(host.gateway_url("/operator/dead-letters/drop")).bearer_auth(OPERATOR_TOKEN);
    let reply = host.send(request.json(&json!({ "queue": "userInfoQueueDlq", "ids": [id] }))).await;
    assert_eq!(reply.body["Ok"]["outcomes"][0]["outcome"], "dropped", "{}", reply.body);
    let lines = log::lines("dead_letter", id);
    assert_eq!((lines.len(), &lines[0]["outcome"]), (1, &json!("dropped")), "{lines:?}");
    assert_eq!(host.depth("userInfoQueueDlq").await, 0);
}
