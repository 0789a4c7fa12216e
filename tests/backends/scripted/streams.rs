//! DynamoDB's streams.

use super::server::{Reply, Scripted};
use backend_dynamodb::DynamodbStreams;
use host_adapters_platform::{Checkpoint, LeaseTable, Position, Shard, ShardReader};
use host_adapters_records::ErrorKind;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Mutex;

const ARN: &str = "arn:aws:dynamodb:us-east-1:1:table/p-t/stream/1";

/// A server with a table and its stream, and a lease table that stores what is written.
pub(super) async fn serve(script: impl Fn(&str, usize, &Value) -> Reply + Send + Sync + 'static) -> Scripted {
    let leases = Mutex::<Map<String, Value>>::default();
    Scripted::start(move |action, before, input| match action {
        "DescribeTable" => Ok(json!({"Table": table()})),
        "Scan" => Ok(json!({"Items": leases.lock().unwrap().values().collect::<Vec<_>>()})),
        "PutItem" | "UpdateItem" => {
            write(&mut leases.lock().unwrap(), input);
            Ok(json!({}))
        }
        action => script(action, before, input),
    })
    .await
}

async fn start(script: impl Fn(&str, usize, &Value) -> Reply + Send + Sync + 'static) -> (Scripted, DynamodbStreams) {
    let server = serve(script).await;
    let streams = DynamodbStreams::new(&server.aws().await, "p-", BTreeSet::from(["t".to_owned()]), "leases", "me");
    (server, streams)
}

/// The table, as the service describes it.
fn table() -> Value {
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    json!({
        "LatestStreamArn": ARN, "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        "AttributeDefinitions": [attribute("pk"), attribute("sk")],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    })
}

/// Applies a write of the lease table, by the placeholders in it.
fn write(leases: &mut Map<String, Value>, input: &Value) {
    let key = input.pointer("/Item/leaseKey/S").or(input.pointer("/Key/leaseKey/S")).unwrap().as_str().unwrap();
    let row = leases.entry(key).or_insert_with(|| input["Item"].clone()).as_object_mut().unwrap();
    let columns = [(":host", "leaseOwner"), (":next", "leaseCounter"), (":checkpoint", "checkpoint")];
    for (placeholder, column) in columns {
        if let Some(value) = input["ExpressionAttributeValues"].get(placeholder) {
            row.insert(column.to_owned(), value.clone());
        }
    }
}

/// Two pages: a parent, then its two children.
fn shards(input: &Value) -> Value {
    let (shards, last) = match input["ExclusiveStartShardId"].as_str() {
        None => (json!([{"ShardId": "parent", "ParentShardId": "long gone"}]), json!("parent")),
        Some(after) => {
            assert_eq!(after, "parent");
            let child = |id: &str| json!({"ShardId": id, "ParentShardId": "parent"});
            (json!([child("left"), child("right")]), Value::Null)
        }
    };
    json!({"StreamDescription": {"StreamArn": ARN, "Shards": shards, "LastEvaluatedShardId": last}})
}

pub(super) fn record(sequence: &str) -> Value {
    let key = json!({"pk": {"S": "p"}, "sk": {"S": sequence}});
    json!({"eventName": "INSERT", "dynamodb": {"SequenceNumber": sequence, "Keys": key, "NewImage": key}})
}

/// The change of a table with another key.
pub(super) fn foreign(sequence: &str) -> Value {
    let mut foreign = record(sequence);
    foreign["dynamodb"]["Keys"] = json!({"id": {"S": "p"}});
    foreign
}

/// The requested iterator, as `<type> <sequence number>`.
fn asked(input: &Value) -> String {
    let word = |field| input[field].as_str().unwrap_or_default();
    format!("{} {}", word("ShardIteratorType"), word("SequenceNumber")).trim_end().to_owned()
}

fn after(sequence: &str) -> Position {
    Position::After(sequence.to_owned())
}

pub async fn lists_all_pages_of_shards() {
    let (_server, streams) = start(|_, _, input| Ok(shards(input))).await;
    let shard =
        |id: &str, parent: &str| Shard { id: id.to_owned(), parents: vec![parent.to_owned()], ..Shard::default() };
    let expected = [shard("parent", "long gone"), shard("left", "parent"), shard("right", "parent")];
    assert_eq!(streams.shards("t").await.unwrap(), expected);
}

pub async fn holds_parents_before_children() {
    let (_server, streams) = start(|_, _, input| Ok(shards(input))).await;
    let listed = streams.shards("t").await.unwrap();
    for _ in 0..2 {
        let leases = streams.hold("t", "w", &listed).await.unwrap();
        assert_eq!((leases.owned, leases.done), (vec!["parent".to_owned()], vec![]));
    }
    streams.set_checkpoint("t", "parent", "w", &Checkpoint::ShardEnd).await.unwrap();
    let leases = streams.hold("t", "w", &listed).await.unwrap();
    assert_eq!(leases.done, ["parent"]);
    assert!(["left", "right"].iter().all(|child| leases.owned.contains(&(*child).to_owned())), "{leases:?}");
}

pub async fn renews_an_expired_iterator() {
    let (server, streams) = start(|action, _, input| match action {
        "DescribeStream" => Ok(shards(input)),
        "GetShardIterator" => Ok(json!({"ShardIterator": asked(input)})),
        _ => match input["ShardIterator"].as_str().unwrap() {
            "TRIM_HORIZON" => Ok(json!({"Records": [record("1")], "NextShardIterator": "expired"})),
            "expired" => Err("ExpiredIteratorException"),
            "AFTER_SEQUENCE_NUMBER 1" => Ok(json!({"Records": [record("2")], "NextShardIterator": "next"})),
            other => panic!("{other}"),
        },
    })
    .await;
    let first = streams.records("t", "parent", &Position::TrimHorizon, 10).await.unwrap();
    assert_eq!(first.next, Some(after("1")));
    let second = streams.records("t", "parent", &after("1"), 10).await.unwrap();
    assert_eq!((second.records[0].sequence.as_str(), second.next), ("2", Some(after("2"))));
    assert_eq!(server.requests("GetShardIterator").len(), 2);
}

/// Records older than a day are gone, and so is the checkpoint's position: reading continues with the oldest record.
pub async fn goes_on_behind_trimmed_records() {
    let (_server, streams) = start(|action, _, input| match action {
        "DescribeStream" => Ok(shards(input)),
        "GetShardIterator" if input["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER" => {
            Err("TrimmedDataAccessException")
        }
        "GetShardIterator" => Ok(json!({"ShardIterator": asked(input)})),
        _ => Ok(json!({"Records": [record("9")], "NextShardIterator": "next"})),
    })
    .await;
    let read = streams.records("t", "parent", &after("1"), 10).await.unwrap();
    assert_eq!((read.records[0].sequence.as_str(), read.next), ("9", Some(after("9"))));
}

pub async fn ends_with_a_closed_shard() {
    let (_server, streams) = start(|action, before, input| match action {
        "DescribeStream" => Ok(shards(input)),
        "GetShardIterator" => Ok(json!({"ShardIterator": asked(input)})),
        _ if before == 0 => Ok(json!({"Records": [record("1")], "NextShardIterator": "last"})),
        _ => Ok(json!({"Records": [record("2")]})),
    })
    .await;
    let first = streams.records("t", "parent", &Position::TrimHorizon, 10).await.unwrap();
    let last = streams.records("t", "parent", &first.next.unwrap(), 10).await.unwrap();
    assert_eq!((last.records.len(), last.next), (1, None), "its last records come with its end");
}

pub async fn case_07_tells_who_removed_an_item() {
    let removed = |identity: Value| {
        let mut record = record("1");
        record["eventName"] = json!("REMOVE");
        record["userIdentity"] = identity;
        record
    };
    let by_dynamodb = json!({"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"});
    let records = json!([removed(by_dynamodb), removed(Value::Null)]);
    let (_server, streams) = start(move |action, _, input| match action {
        "DescribeStream" => Ok(shards(input)),
        "GetShardIterator" => Ok(json!({"ShardIterator": asked(input)})),
        _ => Ok(json!({"Records": records, "NextShardIterator": "next"})),
    })
    .await;
    let read = streams.records("t", "parent", &Position::TrimHorizon, 10).await.unwrap();
    let identities: Vec<_> = read.records.into_iter().map(|change| change.user_identity).collect();
    let service = r#"{"principalId":"dynamodb.amazonaws.com","type":"Service"}"#;
    assert_eq!(identities, [Some(service.to_owned()), None]);
}

/// The position continues. `left_out.rs` beside this file has what an operator sees of it.
pub async fn leaves_out_what_is_not_a_change_of_ours() {
    let (_server, streams) = start(move |action, _, input| match action {
        "DescribeStream" => Ok(shards(input)),
        "GetShardIterator" => Ok(json!({"ShardIterator": asked(input)})),
        _ => Ok(json!({"Records": [foreign("1"), record("2"), foreign("3")], "NextShardIterator": "next"})),
    })
    .await;
    let read = streams.records("t", "parent", &Position::TrimHorizon, 10).await.unwrap();
    assert_eq!((read.records[0].sequence.as_str(), read.records.len(), read.next), ("2", 1, Some(after("3"))));
}

/// A stream whose view was changed is not read on: without images its records would be handed over in vain.
pub async fn refuses_a_stream_without_images() {
    let mut table = table();
    table["StreamSpecification"]["StreamViewType"] = json!("KEYS_ONLY");
    let server = Scripted::start(move |_, _, _| Ok(json!({ "Table": table }))).await;
    let streams = DynamodbStreams::new(&server.aws().await, "p-", BTreeSet::from(["t".to_owned()]), "leases", "me");
    let error = streams.shards("t").await.unwrap_err();
    assert!(error.kind == ErrorKind::Invalid && error.message.contains("p-t: its stream shows KEYS_ONLY"), "{error}");
}

pub async fn reports_a_lasting_throttle() {
    let (_server, streams) = start(|action, _, input| match action {
        "DescribeStream" => Ok(shards(input)),
        "GetShardIterator" => Ok(json!({"ShardIterator": asked(input)})),
        _ => Err("LimitExceededException"),
    })
    .await;
    let error = streams.records("t", "parent", &Position::TrimHorizon, 10).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled);
}
