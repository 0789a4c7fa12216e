//! `host-adapters events read`: what a running host's event log holds.

use super::{Outcome, run};
use host_adapters_platform::EventLogAccess;
use host_adapters_platform::event_log::partition_of;
use host_adapters_records::event_log::{LogRecord, Produce};
use serde_json::{Value, json};
use std::time::Duration;
use tests::{OPERATOR_TOKEN, TESTER_TOKEN, TestHost};

/// Of three partitions.
const TOPIC: &str = "prd2011.dmnd.markets";

/// A host whose tester may produce.
async fn host() -> TestHost {
    TestHost::with(|app| {
        let tester = app.host.clients.get_mut("tester").unwrap();
        tester.grants.event_log.insert("prd2011.dmnd.*".to_owned(), EventLogAccess::Produce);
    })
    .await
}

/// Produces a record `<key>:<n>` of each key.
async fn produce(host: &TestHost, n: usize, keys: usize) {
    let record = |key: usize| LogRecord {
        key: format!("campaign-{key}"),
        value: format!("{key}:{n}"),
        headers: vec![("dedup-id".to_owned(), format!("MARKET:{key}:{n}"))],
    };
    let records = (0..keys).map(record).collect();
    let produced = host.platform(&Produce { topic: TOPIC.to_owned(), records }).await;
    assert!(produced.iter().all(Result::is_ok), "{produced:?}");
}

fn gateway(host: &TestHost) -> String {
    format!("http://{}", host.running().addresses.gateway)
}

fn read_as(gateway: &str, token: &str, arguments: &[&str]) -> Outcome {
    run(&[&["events", "read"], arguments, &["--gateway", gateway, "--token", token]].concat())
}

/// The records that a command prints.
fn read(gateway: &str, arguments: &[&str]) -> Vec<Value> {
    let outcome = read_as(gateway, OPERATOR_TOKEN, &[arguments, &["--json"]].concat());
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_read_by_partition_and_offset() {
    let host = host().await;
    let gateway = gateway(&host);
    assert_eq!(read(&gateway, &[TOPIC]), Vec::<Value>::new());
    for n in 0..2 {
        produce(&host, n, 10).await;
    }
    let all = read(&gateway, &[TOPIC, "--limit", "100"]);
    assert_eq!(all.len(), 20);
    let times: Vec<_> = all.iter().map(|record| record["timeMs"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let record = all.iter().find(|record| record["value"] == "3:1").unwrap();
    let partition = partition_of("campaign-3", 3);
    assert_eq!((&record["partition"], &record["key"]), (&json!(partition), &json!("campaign-3")));
    assert_eq!(record["headers"], json!([["dedup-id", "MARKET:3:1"]]));

    let number = partition.to_string();
    let of_partition = read(&gateway, &[TOPIC, "--partition", &number, "--limit", "100"]);
    let expected: Vec<_> = all.iter().filter(|record| record["partition"] == partition).collect();
    assert_eq!(of_partition.iter().collect::<Vec<_>>(), expected);
    let rest = read(&gateway, &[TOPIC, "--partition", &number, "--from", "1", "--limit", "100"]);
    assert_eq!(rest, of_partition[1..]);

    let shown = read_as(&gateway, OPERATOR_TOKEN, &[TOPIC]);
    assert_eq!((shown.code, shown.stdout.lines().count()), (0, 10), "{shown:?}");
    assert!(shown.stdout.contains("  campaign-"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn further_records_are_waited_for() {
    let host = host().await;
    produce(&host, 0, 2).await;
    let gateway = gateway(&host);
    let following = tokio::task::spawn_blocking(move || read(&gateway, &[TOPIC, "--follow", "--limit", "3"]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!following.is_finished(), "it has two records of three");
    produce(&host, 1, 1).await;
    let records = following.await.unwrap();
    assert_eq!((records.len(), &records[2]["value"]), (3, &json!("0:1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_or_not_there_is_refused() {
    let host = host().await;
    for (token, arguments, said) in [
        (TESTER_TOKEN, &[TOPIC][..], r#"event_log = { "prd2011.dmnd.markets" = "read" }"#),
        (OPERATOR_TOKEN, &["prd2011.dmnd.market"], "spin.toml declares none of this name"),
        (OPERATOR_TOKEN, &[TOPIC, "--partition", "3"], "has no partition 3; it has 3, which count from 0"),
    ] {
        let refused = read_as(&gateway(&host), token, arguments);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
}
