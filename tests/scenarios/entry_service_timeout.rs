//! Use case 2, "Entry Service Timeout": "Retry code assignment 3 times, mark failed records in `batchItemFailures`".

use fake_services::{Faults, Service};
use host_adapters::manifest::App;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tests::{TestHost, WORKER_TOKEN, entry, impatient, wait};

const CAMPAIGN: &str = "campaign-123";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";
const WINNERS: [&str; 3] = ["anna", "ben", "cleo"];
const LOSER: &str = "dora";

/// The host waits a second for an answer of the Entry Service. A machine that stalls for longer makes good calls time out,
/// too; they are made again.
fn hasty(app: &mut App) {
    impatient(app);
    let entry = app.host.services.iter_mut().find(|service| service.name == "entry").unwrap();
    entry.settings.attempt_timeout_secs = 1;
}

/// Assigning codes takes a minute from now on.
fn slow_down(host: &TestHost) {
    let operations = vec!["assignCodes".to_owned()];
    host.faults(Service::Entry, Faults { operations, slow: 1.0, slow_ms: 60_000, ..Faults::default() });
}

/// A host with four entries, and the messages of their selection, by fan: three have won these codes.
async fn host() -> (TestHost, BTreeMap<&'static str, String>, Vec<(&'static str, String)>) {
    let host = TestHost::with(hasty).await;
    let fans = || WINNERS.into_iter().chain([LOSER]);
    let fields = json!({ "email": "fan@example.com", "markets": ["m"] });
    host.put_entries(&fans().map(|fan| entry(CAMPAIGN, fan, &fields, UPDATED)).collect::<Vec<_>>()).await;
    for fan in fans() {
        host.replicated(CAMPAIGN, fan, UPDATED).await;
    }
    let codes: BTreeMap<_, _> =
        WINNERS.into_iter().zip(host.reserve_codes(CAMPAIGN, "m", WINNERS.len()).await).collect();
    let message = |fan: &'static str| {
        let mut body = json!({ "taskId": "task-1", "campaignId": CAMPAIGN, "marketId": "m", "globalUserId": fan });
        body["verdict"] = codes.contains_key(fan).into();
        if let Some(code) = codes.get(fan) {
            body["code"] = code.as_str().into();
        }
        (fan, body.to_string())
    };
    let messages = fans().map(message).collect();
    (host, codes, messages)
}

/// Verdict and code of a fan's item.
async fn told(host: &TestHost, fan: &str) -> (Value, Value) {
    let item = host.item(CAMPAIGN, fan).await;
    (item["verdict"].clone(), item["accessCode"].clone())
}

/// Checks that the winners have these codes, in the table and in the Entry Service, and nobody else has one.
async fn assert_won(host: &TestHost, codes: &BTreeMap<&'static str, String>) {
    for (fan, code) in codes {
        assert_eq!(told(host, fan).await, (json!(true), json!(code)), "{fan}");
    }
    assert_eq!(told(host, LOSER).await, (json!(false), Value::Null));
    let given = host.fakes.entries().codes(CAMPAIGN).into_iter().map(|won| (won.global_user_id, won.code));
    let expected = codes.iter().map(|(fan, code)| ((*fan).to_owned(), code.clone()));
    assert_eq!(given.collect::<BTreeMap<_, _>>(), expected.collect());
}

async fn time_outs(host: &TestHost) -> f64 {
    host.metric("registration_service_requests_total", &[("service", "entry"), ("status", "time-out")]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_that_time_out_three_times_are_batch_item_failures_and_are_assigned_later() {
    let (host, codes, messages) = host().await;
    let record = |(id, body): &(&str, String)| json!({ "messageId": id, "body": body });
    let event = json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() }).to_string();
    let save = async || {
        let reply = host.post("/workers/save-selections", Some(WORKER_TOKEN), event.clone()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let failures = reply.body["batchItemFailures"].as_array().unwrap().iter();
        failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    slow_down(&host);
    let before = time_outs(&host).await;
    assert_eq!(save().await, WINNERS, "the loser's verdict is written");
    assert!(time_outs(&host).await >= before + 3.0, "one request, tried three times");
    for fan in WINNERS {
        assert_eq!(told(&host, fan).await, (Value::Null, Value::Null), "{fan}");
    }
    assert_eq!(told(&host, LOSER).await, (json!(false), Value::Null));

    host.faults(Service::Entry, Faults::default());
    wait::eventually("a response without failures", async || save().await.is_empty().then_some(())).await;
    assert_won(&host, &codes).await;
}

/// From the queue the messages come again by themselves, and use up no attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selections_wait_while_the_entry_service_times_out_and_keep_their_codes() {
    let (host, codes, messages) = host().await;
    slow_down(&host);
    host.queue("saveSelectionQueue", &messages.into_iter().map(|(_, body)| body).collect::<Vec<_>>()).await;
    let reason = wait::eventually("the pause", async || host.paused("save-selections").await).await;
    assert!(reason.contains("entry"), "{reason}");
    host.faults(Service::Entry, Faults::default());
    host.drained("saveSelectionQueue").await;
    assert_eq!(host.depth("saveSelectionQueueDlq").await, 0);
    assert_won(&host, &codes).await;
}
