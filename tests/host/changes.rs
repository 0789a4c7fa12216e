//! Changes of items, as workers get them from the stream in process and as AWS Lambda hands them over.

use host_adapters_records::table::BatchWrite;
use serde_json::Value;
use tests::programs::project;
use tests::{TestHost, WORKER_TOKEN, wait};

const QUEUE: &str = "saveEntriesQueue";

/// A host whose messages for save-entries stay in their queue.
async fn host() -> TestHost {
    TestHost::with(|app| app.components.get_mut("save-entries").unwrap().sources.clear()).await
}

fn case(name: &str) -> String {
    std::fs::read_to_string(project().join("tests/fixtures/cases").join(name)).unwrap()
}

/// The bodies of the messages, once there are this many.
async fn bodies(host: &TestHost, count: usize) -> Vec<String> {
    let bodies = async || {
        let bodies = host.peek(QUEUE).await.into_iter().map(|message| message["body"].as_str().unwrap().to_owned());
        Some(bodies.collect::<Vec<_>>()).filter(|bodies| bodies.len() == count)
    };
    wait::eventually("the messages", bodies).await
}

/// The item of case 01 as plain JSON.
fn plain_item() -> String {
    let numbers = [
        r#""exact":0.12345678901234567890123456789012345678"#,
        r#""large":9.9999999999999999999999999999999999999E+125"#,
        r#""money":12.50"#,
        r#""score":12345678901234567890"#,
        r#""set":[3804086584686624768,12345678901234567890123]"#,
        r#""snowflake":18446744073709551616"#,
        r#""tiny":1E-130"#,
        r#""trailing":110111111111111110000000000000000000000"#,
    ];
    let others =
        r#""campaignId":"c-1","fields":"{\"email\":\"fan@example.com\"}","globalUserId":"u-1","needsReplication":true"#;
    let keys = r#""pk":"CAMPAIGN#c-1","sk":"USER#u-1","updatedAt":"2026-01-01T00:00:00.000Z""#;
    format!("{{{},{others},{keys}}}", numbers.join(","))
}

/// The entry in a body, whose members stand in another order.
fn is_entry(body: &str, item: &str) -> bool {
    let body: &serde_json::value::RawValue = serde_json::from_str(body).unwrap();
    host_adapters_json::same(host_adapters_json::pointer(body, "/entry").unwrap().get(), item)
}

#[tokio::test]
async fn case_01_numbers_keep_every_digit_over_http_and_from_the_stream() {
    let over_http = host().await;
    let reply = over_http.post("/workers/enqueue-entries", Some(WORKER_TOKEN), case("01-numbers.json")).await;
    assert_eq!((reply.status, &reply.body["count"]["processed"]), (200, &Value::from(1)), "{}", reply.body);
    let from_stream = host().await;
    let put = BatchWrite { table: "demand-table".to_owned(), puts: vec![plain_item()], deletes: Vec::new() };
    assert_eq!(from_stream.platform(&put).await, [None]);
    for host in [over_http, from_stream] {
        let body = bodies(&host, 1).await.remove(0);
        assert!(is_entry(&body, &plain_item()), "{body}");
    }
}

#[tokio::test]
async fn case_07_a_removal_by_time_to_live_is_replicated_like_any_other() {
    let host = host().await;
    let reply = host.post("/workers/enqueue-entries", Some(WORKER_TOKEN), case("07-ttl-removal.json")).await;
    assert_eq!((reply.status, &reply.body["count"]["processed"]), (200, &Value::from(2)), "{}", reply.body);
    for (body, fan) in bodies(&host, 2).await.iter().zip(["t07-expired", "t07-withdrawn"]) {
        assert!(body.contains(r#""operation":"REMOVE""#) && body.contains(fan), "{body}");
    }
}
