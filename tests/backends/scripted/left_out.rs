//! Case 05: changes that cannot be handed to a worker, because the table has changed since it was checked. An operator
//! sees them, and later changes are handed over.

use super::streams::{foreign, record, serve};
use backend_dynamodb::DynamodbStreams;
use fake_services::{FakeServices, Options};
use host_adapters_platform::{Position, ShardReader};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use tests::{Child, client, programs, variables, wait};

const CONFIG: &str = "\
[tables]
type = \"dynamodb\"
region = \"us-east-1\"
credentials = { access_key_id = \"test\", secret_access_key = { env = \"SECRET\" } }
";

/// The value of a counter of the source.
async fn counted(host: &Child, name: &str) -> Option<u64> {
    let shown = client().get(format!("{}/metrics", host.gateway)).send().await.unwrap().text().await.unwrap();
    let mut lines = shown.lines().filter(|line| line.starts_with(name));
    lines.find(|line| line.contains("dynamodb-stream:demand-table"))?.rsplit(' ').next()?.parse().ok()
}

/// A position that the stream has dropped counts once, however often it is asked for.
#[tokio::test]
async fn records_that_the_stream_dropped_before_they_were_read_are_counted() {
    let metrics = tests::metrics();
    let server = serve(|action, _, input| match action {
        "DescribeStream" => Ok(json!({"StreamDescription": {"StreamArn": "arn", "Shards": [{"ShardId": "only"}]}})),
        "GetShardIterator" if input["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER" => {
            Err("TrimmedDataAccessException")
        }
        "GetShardIterator" => Ok(json!({"ShardIterator": "oldest"})),
        _ => Ok(json!({"Records": [], "NextShardIterator": null})),
    })
    .await;
    let streams = DynamodbStreams::new(&server.aws().await, "", ["trimmed".to_owned()].into(), "leases", "me");
    for sequence in ["1", "1", "2"] {
        let read = streams.records("trimmed", "only", &Position::After(sequence.to_owned()), 10).await.unwrap();
        assert_eq!(read.records.len(), 0);
    }
    let shown = metrics.render();
    let mut lines = shown.lines().filter(|line| line.starts_with("registration_left_out_total"));
    let line = lines.find(|line| line.contains("dynamodb-stream:trimmed")).unwrap_or_default();
    assert!(line.contains("reason=\"trimmed\"") && line.ends_with(" 2"), "{shown}");
}

#[tokio::test]
async fn case_05_a_record_that_no_worker_can_be_handed_is_counted_and_said() {
    let server = serve(|action, before, _| match action {
        "DescribeStream" => Ok(json!({"StreamDescription": {"Shards": [{"ShardId": "only"}]}})),
        "GetShardIterator" => Ok(json!({"ShardIterator": "first"})),
        "GetRecords" if before == 0 => {
            // An entry's change, which no filter of spin.toml leaves out.
            let mut entry = record("3");
            for item in ["Keys", "NewImage"] {
                entry["dynamodb"][item]["sk"]["S"] = "USER#3".into();
            }
            Ok(json!({"Records": [foreign("1"), foreign("2"), entry], "NextShardIterator": "next"}))
        }
        "GetRecords" => Ok(json!({"Records": [], "NextShardIterator": "next"})),
        _ => Ok(json!({})),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    std::fs::write(place("runtime-config.toml"), format!("{CONFIG}endpoint = \"{}\"\n", server.url())).unwrap();
    std::fs::write(place("jwks.json"), r#"{"keys":[]}"#).unwrap();
    let fakes = FakeServices::start(Options::default()).await.unwrap();
    let environment = [
        ("HOST_ADAPTERS_RUNTIME_CONFIG", place("runtime-config.toml").display().to_string()),
        ("SECRET", "no server here checks it".to_owned()),
    ];
    let environment: BTreeMap<_, _> = environment.map(|(name, value)| (name.to_owned(), value)).into();
    let variables = variables(&fakes, &place("jwks.json"));
    let (manifest, log) = (programs::project().join("spin.toml"), File::create(place("log")).unwrap());
    let host = Child::of(&manifest, folder.path(), &variables, &environment, log.into()).await;

    let handed_over = wait::eventually("the change behind them", async || {
        counted(&host, "registration_received_total").await.filter(|received| *received > 0)
    });
    assert_eq!(handed_over.await, 1);
    assert_eq!(counted(&host, "registration_left_out_total").await, Some(2));
    let log = std::fs::read_to_string(place("log")).unwrap();
    let said: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["message"].as_str().is_some_and(|it| it.starts_with("records left out")))
        .collect();
    let [line] = said.as_slice() else { panic!("one line for each reason: {said:?}") };
    assert_eq!(
        (&line["level"], &line["data"]["source"], &line["data"]["reason"]),
        (
            &json!("ERROR"),
            &json!("dynamodb-stream:demand-table"),
            &json!("a change whose key is not the strings `pk` and `sk`")
        )
    );
}
