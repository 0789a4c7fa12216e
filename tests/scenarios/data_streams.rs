//! A data stream of four shards, from the gateway through the embedded store and the source `kinesis` to a component.
#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

use fake_services::CodeState;
use host_adapters::manifest::{App, SourceConfig};
use host_adapters_platform::{Access, DataStreamAccess, DataStreamSpec, ObjectAccess};
use host_adapters_records::data_streams::{DataRecord, PutRecords};
use host_adapters_sources::kinesis::KinesisConfig;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tests::{OPERATOR_TOKEN, TestHost, entry, programs, wait};

const STREAM: &str = "probedStream";
const WORKER: &str = "enqueue-entries";
const DEAD_LETTERS: &str = "enqueueEntriesDlq";

/// The component that does what its records say reads the stream.
fn with_stream(app: &mut App) {
    app.host.declared.data_streams.insert(STREAM.to_owned(), DataStreamSpec { shards: 4 });
    let tester = app.host.clients.get_mut("tester").unwrap();
    tester.grants.data_streams.insert(STREAM.to_owned(), DataStreamAccess::Put);
    let component = app.components.get_mut(WORKER).unwrap();
    component.source = programs::guest_as("probe", WORKER);
    component.sources = vec![SourceConfig::Kinesis(KinesisConfig::new(STREAM))];
    component.grants.tables.insert("demand-table".to_owned(), Access::Read);
    component.grants.documents.insert("campaigns".to_owned(), Access::Read);
    component.grants.objects.insert("unused".to_owned(), ObjectAccess::default());
    component.grants.data_streams.insert("unused".to_owned(), DataStreamAccess::Put);
    component.grants.topics.insert("unused".to_owned());
    component.grants.services.insert("entry".to_owned());
    component.grants.identity = true;
}

fn record(key: &str, order: &Value) -> DataRecord {
    DataRecord { partition_key: key.to_owned(), data: order.to_string().into_bytes() }
}

/// What the component rejects becomes dead letters in the order in which it was handed over; each says which record it is.
#[tokio::test(flavor = "multi_thread")]
async fn d4_3__four_shards_are_read_in_the_order_of_each_key() {
    let host = TestHost::with(with_stream).await;
    // These keys are of all shards.
    let key = |number: usize| format!("member-{}", number % 10);
    let order = |number: usize| json!({ "do": "reject", "reason": format!("number {number:02}") });
    for first in [0, 24] {
        let records = (first..first + 24).map(|number| record(&key(number), &order(number))).collect();
        let put = host.platform(&PutRecords { stream: STREAM.to_owned(), records }).await;
        assert!(put.iter().all(Result::is_ok), "{put:?}");
    }
    wait::eventually("all records", async || (host.depth(DEAD_LETTERS).await == 48).then_some(())).await;
    let peek = host.http().post(host.gateway_url("/operator/peek")).bearer_auth(OPERATOR_TOKEN);
    let shown = host.send(peek.json(&json!({ "queue": DEAD_LETTERS, "max": 48 }))).await.body;
    let dead = shown["Ok"]["messages"].as_array().unwrap();
    let (mut keys, mut shards): (BTreeMap<String, Vec<String>>, BTreeSet<String>) = Default::default();
    for dead_letter in dead {
        let text = |name: &str| dead_letter["attributes"][name].as_str().unwrap().to_owned();
        keys.entry(text("partitionKey")).or_default().push(text("reason"));
        shards.insert(text("shardId"));
        assert_eq!(text("source"), format!("kinesis:{STREAM}"));
    }
    assert!(keys.values().all(|reasons| reasons.is_sorted()), "{keys:?}");
    assert_eq!(dead.len(), 48);
    assert_eq!(shards.len(), 4, "{shards:?}");
}

/// A record that traps is halved off and given up; those behind it in its shard are handled.
#[tokio::test(flavor = "multi_thread")]
async fn d5_5__a_poison_record_of_a_data_stream_is_given_up_alone() {
    let host = TestHost::with(|app| {
        with_stream(app);
        let config = KinesisConfig { maximum_retry_attempts: 0, ..KinesisConfig::new(STREAM) };
        app.components.get_mut(WORKER).unwrap().sources = vec![SourceConfig::Kinesis(config)];
    })
    .await;
    let order = |number: usize| match number {
        5 => json!({ "do": "trap" }),
        9 => json!({ "do": "reject", "reason": "the last" }),
        _ => json!({ "do": "ack" }),
    };
    let records = (0..10).map(|number| record("one-key", &order(number))).collect();
    let put = host.platform(&PutRecords { stream: STREAM.to_owned(), records }).await;
    let sequence = put[5].clone().unwrap();
    wait::eventually("two dead letters", async || (host.depth(DEAD_LETTERS).await == 2).then_some(())).await;
    let dead = host.peek(DEAD_LETTERS).await;
    let poison = &dead[0];
    assert_eq!(poison["attributes"]["sourceMessageId"], sequence);
    let envelope: Value = serde_json::from_str(poison["body"].as_str().unwrap()).unwrap();
    assert_eq!(envelope["payload"], order(5));
    assert_eq!(envelope["KinesisBatchInfo"]["stream"], format!("kinesis:{STREAM}"));
    assert_eq!(dead[1]["attributes"]["reason"], "the last");
}

/// A value as DynamoDB writes it.
fn tagged(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            json!({ "M": map.iter().map(|(name, value)| (name.clone(), tagged(value))).collect::<serde_json::Map<_, _>>() })
        }
        Value::Bool(it) => json!({ "BOOL": it }),
        Value::String(it) => json!({ "S": it }),
        other => panic!("{other}?"),
    }
}

/// The change of an item as DynamoDB puts it into a Kinesis stream.
fn change(item: &Value, micros: u64) -> Value {
    let image = tagged(item)["M"].clone();
    json!({
        "awsRegion": "us-east-1", "eventID": "2f0bb6ac", "eventName": "INSERT", "userIdentity": null,
        "recordFormat": "application/json", "tableName": "demand-table", "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": micros, "ApproximateCreationDateTimePrecision": "MICROSECOND",
            "Keys": { "pk": image["pk"], "sk": image["sk"] }, "NewImage": image, "SizeBytes": 99,
        },
    })
}

/// As on AWS where the table has a Kinesis stream for DynamoDB. One change comes twice.
#[tokio::test(flavor = "multi_thread")]
async fn d4_24__changes_in_a_data_stream_reach_the_workers_of_changes() {
    const CHANGES: &str = "changesOfDemandTable";
    const UPDATED: &str = "2024-01-15T10:30:00.000Z";
    let host = TestHost::with(|app| {
        app.host.declared.data_streams.insert(CHANGES.to_owned(), DataStreamSpec { shards: 1 });
        let tester = app.host.clients.get_mut("tester").unwrap();
        tester.grants.data_streams.insert(CHANGES.to_owned(), DataStreamAccess::Put);
        for worker in [WORKER, "mark-assigned-codes"] {
            let component = app.components.get_mut(worker).unwrap();
            component.sources = vec![SourceConfig::Kinesis(KinesisConfig::new(CHANGES))];
        }
    })
    .await;
    let fans = ["stream-1", "stream-2"];
    let mut items = fans.map(|fan| entry("campaign-123", fan, &json!({ "email": "fan@example.com" }), UPDATED));
    let codes = host.reserve_codes("campaign-123", "m", 2).await;
    for (name, value) in [("verdict", json!(true)), ("marketId", json!("m")), ("accessCode", json!(codes[1]))] {
        items[0][name] = value;
    }
    host.put_entries(&items).await;
    let micros = 1_705_314_600_000_000;
    let changes = [change(&items[0], micros), change(&items[1], micros + 1), change(&items[0], micros)];
    let records = changes.iter().map(|change| record("any", change)).collect();
    let put = host.platform(&PutRecords { stream: CHANGES.to_owned(), records }).await;
    assert!(put.iter().all(Result::is_ok), "{put:?}");
    for fan in fans {
        host.replicated("campaign-123", fan, UPDATED).await;
    }
    let source = format!("kinesis:{CHANGES}");
    for worker in [WORKER, "mark-assigned-codes"] {
        let handled = async || {
            let acked = host.metric("registration_acked_total", &[("worker", worker), ("source", &source)]).await;
            (acked >= 2.0).then_some(acked)
        };
        let acked = wait::eventually("the changes are handled", handled).await;
        assert!((acked - 2.0).abs() < f64::EPSILON, "{worker}: {acked}");
    }
    let known = host.fakes.codes().codes("campaign-123");
    let states = codes.iter().map(|code| known.iter().find(|known| known.code == *code).unwrap().state);
    assert_eq!(states.collect::<Vec<_>>(), [CodeState::Reserved, CodeState::Assigned], "the code of the change");
}
