//! API usage's example events, as the document prints them, over HTTP at `/workers/<id>`.

use expect_test::{Expect, expect};
use fake_services::Service;
use serde_json::{Value, json};
use tests::workers::{self, fixture};
use tests::{Fan, TestHost, WORKER_TOKEN, entry, wait, without_stream};

fn check(answer: &Value, expected: Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(answer).unwrap());
}

async fn post(host: &TestHost, worker: &str, event: &Value) -> Value {
    let reply = host.post(&format!("/workers/{worker}"), Some(WORKER_TOKEN), event.to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

#[tokio::test]
async fn upsert_users() {
    let host = TestHost::start().await;
    check(
        &post(&host, "upsert-users", &fixture("upsert-users", "sqs")).await,
        expect![[r#"
        {
          "batchItemFailures": [],
          "count": {
            "failed": 0,
            "processed": 1,
            "received": 1,
            "rejected": 0
          },
          "rejected": []
        }"#]],
    );
    check(
        &host.profile("user-123").await,
        expect![[r#"
        {
          "email": "user@example.com",
          "firstName": "John",
          "globalUserId": "user-123",
          "lastName": "Smith",
          "phoneNumber": "+15551234567"
        }"#]],
    );
}

/// The table has the entry as in the example's image, and it has not changed since.
#[tokio::test]
async fn save_entries_queue() {
    let host = TestHost::with(without_stream).await;
    let event = fixture("save-entries", "sqs");
    host.put_entry(&event["Records"][0]["body"]["entry"]).await;
    check(
        &post(&host, "save-entries", &event).await,
        expect![[r#"
            {
              "batchItemFailures": [],
              "count": {
                "failed": 0,
                "processed": 1,
                "received": 1,
                "rejected": 0
              },
              "rejected": []
            }"#]],
    );
    check(
        &host.entry("campaign-123", "user-456").await,
        expect![[r#"
        {
          "campaignId": "campaign-123",
          "date": {
            "created": "2024-01-15T10:30:00Z",
            "updated": "2024-01-15T10:30:00.000Z"
          },
          "fields": {
            "email": "fan@example.com"
          },
          "globalUserId": "user-456",
          "score": 850,
          "version": "2024-01-15T10:30:00.000Z"
        }"#]],
    );
    assert!(!host.flagged("campaign-123", "user-456").await);
}

/// Without the entry in the table, the record is stale.
#[tokio::test]
async fn save_entries_queue_of_an_entry_that_is_gone() {
    let host = TestHost::with(without_stream).await;
    check(
        &post(&host, "save-entries", &fixture("save-entries", "sqs")).await,
        expect![[r#"
        {
          "batchItemFailures": [],
          "count": {
            "failed": 0,
            "processed": 0,
            "received": 1,
            "rejected": 1
          },
          "rejected": [
            {
              "itemIdentifier": "msg-456",
              "reason": "stale: the item was removed after this record",
              "skipped": true
            }
          ]
        }"#]],
    );
    assert_eq!(host.entry("campaign-123", "user-456").await, Value::Null);
}

/// The example has neither a date nor a time. It is queued, then saved, in the version of when it was handled.
#[tokio::test]
async fn enqueue_entries() {
    let host = TestHost::with(without_stream).await;
    let event = fixture("enqueue-entries", "dynamodb-stream");
    let item = json!({
        "pk": "CAMPAIGN#campaign-123", "sk": "USER#user-456", "campaignId": "campaign-123", "globalUserId": "user-456",
        "fields": "{\"email\":\"fan@example.com\"}", "needsReplication": true,
    });
    host.put_entry(&item).await;
    let before = now();
    check(
        &post(&host, "enqueue-entries", &event).await,
        expect![[r#"
        {
          "batchItemFailures": [],
          "count": {
            "failed": 0,
            "processed": 1,
            "received": 1,
            "rejected": 0
          },
          "rejected": []
        }"#]],
    );
    let mut saved = saved(&host, "campaign-123", "user-456").await;
    let version = saved["version"].take();
    let version = version.as_str().unwrap();
    assert!(before.as_str() <= version && version <= now().as_str(), "{version}");
    assert_eq!(saved["date"].take(), json!({ "updated": version }));
    let expected = json!({
        "campaignId": "campaign-123", "globalUserId": "user-456", "fields": { "email": "fan@example.com" },
        "date": null, "version": null,
    });
    assert_eq!(saved, expected);
    wait::eventually("no flag", async || (!host.flagged("campaign-123", "user-456").await).then_some(())).await;
    host.drained("saveEntriesQueue").await;
    assert_eq!(host.depth("saveEntriesQueueDlq").await, 0);
}

/// The same by the table's own stream, whose event has a time: that is the version. A removal comes after it.
#[tokio::test]
async fn point_4_an_entry_without_a_date_is_replicated_in_the_version_of_its_change() {
    let host = TestHost::start().await;
    let undated = |market: &str| {
        json!({
            "pk": "CAMPAIGN#campaign-123", "sk": "USER#user-456", "campaignId": "campaign-123",
            "globalUserId": "user-456", "fields": json!({ "market": market }).to_string(), "needsReplication": true,
        })
    };
    let before = now();
    host.put_entry(&undated("A")).await;
    let first = saved(&host, "campaign-123", "user-456").await;
    let version = first["version"].as_str().unwrap();
    assert!(before[..19] <= version[..19] && version <= now().as_str(), "{version}");
    host.put_entry(&undated("B")).await;
    wait::eventually("the change", async || {
        let held = host.entry("campaign-123", "user-456").await;
        let newer = held["version"].as_str().is_some_and(|it| it >= version);
        (held["fields"]["market"] == "B" && newer && !host.flagged("campaign-123", "user-456").await).then_some(())
    })
    .await;
    host.remove_entry("campaign-123", "user-456").await;
    wait::eventually("the removal", async || host.entry("campaign-123", "user-456").await.is_null().then_some(()))
        .await;
    host.drained("saveEntriesQueue").await;
    assert_eq!(host.depth("saveEntriesQueueDlq").await, 0);
}

/// Waits for an entry at the Entry Service.
async fn saved(host: &TestHost, campaign: &str, fan: &str) -> Value {
    wait::eventually("the entry", async || Some(host.entry(campaign, fan).await).filter(Value::is_object)).await
}

fn now() -> String {
    worker_kit::log::timestamp(std::time::SystemTime::now().into())
}

/// A record in AWS's own shape, for a queue of which the documents print no example.
#[tokio::test]
async fn retry_score() {
    let host = TestHost::start().await;
    host.put_entry(&entry("campaign-123", "user-456", &json!({}), "2024-01-15T10:30:00.000Z")).await;
    host.replicated("campaign-123", "user-456", "2024-01-15T10:30:00.000Z").await;
    check(
        &post(&host, "retry-score", &fixture("retry-score", "aws")).await,
        expect![[r#"
        {
          "batchItemFailures": [],
          "count": {
            "failed": 0,
            "processed": 1,
            "received": 1,
            "rejected": 0
          },
          "rejected": []
        }"#]],
    );
    assert_eq!(host.answers(Service::Entry).await["refreshScores 200"], 1);
}

#[tokio::test]
async fn batch_workers_take_the_worker_token_only() {
    let host = TestHost::start().await;
    let fan = host.signer.sign(&Fan { id: "user-123", email: "user@example.com" }.claims());
    let event = fixture("upsert-users", "sqs").to_string();
    let app = workers::app();
    let batch_workers = workers::of(&app).filter(|worker| !worker.sources.is_empty());
    for worker in batch_workers.map(|worker| &worker.id) {
        for token in [None, Some("guess"), Some(fan.as_str())] {
            let reply = host.post(&format!("/workers/{worker}"), token, event.clone()).await;
            assert_eq!(
                (reply.status, &reply.body["error"]["code"]),
                (401, &json!("UNAUTHORIZED")),
                "{worker} {token:?}"
            );
            assert!(!reply.body.to_string().contains(WORKER_TOKEN));
        }
    }
    assert_eq!(host.profile("user-123").await, Value::Null, "nothing was handled");
}

#[tokio::test]
async fn a_host_without_a_worker_token_takes_no_batches_over_http() {
    let host = TestHost::with(|app| {
        for component in app.components.values_mut() {
            component.variables.remove("worker_token");
        }
    })
    .await;
    for token in [None, Some(""), Some(WORKER_TOKEN)] {
        let reply = host.post("/workers/save-entries", token, fixture("save-entries", "sqs").to_string()).await;
        assert_eq!((reply.status, &reply.body["error"]["code"]), (403, &json!("FORBIDDEN")), "{token:?}");
    }
}

/// The examples' response, key for key. Variables and AppSync event are the same request.
#[tokio::test]
async fn check_eligibility() {
    let host = TestHost::start().await;
    host.put_campaign("artist-presale-2024").await;
    let jane = Fan { id: "global-user-123", email: "fan@example.com" };
    let expected = json!({
        "isEligible": true,
        "campaignId": "campaign-789",
        "fields": {
            "email": "fan@example.com", "markets": ["market-123", "market-456"], "ticket_count": 2, "opt_in": true,
        },
        "linkedCampaignId": null,
    });
    for event in [
        fixture("check-eligibility", "variables"),
        fixture("check-eligibility", "variables")["input"].clone(),
        fixture("check-eligibility", "variables")["input"]["body"].clone(),
        fixture("check-eligibility", "appsync"),
    ] {
        let reply = host.eligibility(jane, &event).await;
        assert_eq!((reply.status, reply.body), (200, expected.clone()), "{event}");
    }
}
