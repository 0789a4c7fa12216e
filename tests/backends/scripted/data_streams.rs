//! Kinesis: requests that it takes in part, and the ends of shards.

use super::server::{Reply, Scripted};
use backend_dynamodb::lease::LeaseRows;
use backend_kinesis::Kinesis;
use host_adapters_platform::{DataStreamBackend, Position, Result, Shard, ShardReader};
use host_adapters_records::ErrorKind;
use host_adapters_records::data_streams::DataRecord;
use serde_json::{Value, json};
use tests::contract::suites::data_streams::record;

const THROTTLED: &str = "ProvisionedThroughputExceededException";

async fn start(script: impl Fn(&str, usize, &Value) -> Reply + Send + Sync + 'static) -> (Scripted, Kinesis) {
    let server = Scripted::start(script).await;
    let aws = server.aws().await;
    let leases = LeaseRows::new(&aws, "leases", "me");
    let streams = Kinesis::new(&aws, "p-", ["s".to_owned()].into(), leases);
    (server, streams)
}

/// Records with the keys `0`, `1`, ….
fn numbered(count: usize) -> Vec<DataRecord> {
    (0..count).map(|n| record(&n.to_string(), "x")).collect()
}

/// The keys of a request's records.
fn keys(request: &Value) -> Vec<String> {
    let records = request["Records"].as_array().unwrap().iter();
    records.map(|record| record["PartitionKey"].as_str().unwrap().to_owned()).collect()
}

/// The answer to a request, by what becomes of each key: a sequence number, or the code of an error.
fn each(request: &Value, answer: impl Fn(&str) -> std::result::Result<String, &'static str>) -> Reply {
    let answer = |key: &String| match answer(key) {
        Ok(sequence) => json!({"SequenceNumber": sequence, "ShardId": "shardId-000000000000"}),
        Err(code) => json!({"ErrorCode": code, "ErrorMessage": "as scripted"}),
    };
    let answers: Vec<_> = keys(request).iter().map(answer).collect();
    let failed = answers.iter().filter(|answer| answer.get("ErrorCode").is_some()).count();
    Ok(json!({"FailedRecordCount": failed, "Records": answers}))
}

fn kinds(put: &[Result<String>]) -> Vec<Option<ErrorKind>> {
    put.iter().map(|put| put.as_ref().err().map(|error| error.kind)).collect()
}

/// The records that were refused go before those that follow, so that their keys stay in order.
pub async fn puts_again_what_was_refused() {
    let (server, streams) = start(|_, before, input| {
        each(input, |key| match (before, key) {
            (0, "1") => Err(THROTTLED),
            (0, "499") | (1, "1") => Err("InternalFailure"),
            _ => Ok(format!("1{key}")),
        })
    })
    .await;
    let put = streams.put_records("s", numbered(502)).await.unwrap();
    let expected: Vec<_> = (0..502).map(|n| Ok(format!("1{n}"))).collect();
    assert_eq!(put, expected);
    let asked: Vec<_> = server.requests("PutRecords").iter().map(keys).collect();
    assert_eq!(asked[0].len(), 500);
    assert_eq!(asked[1..], [vec!["1", "499", "500", "501"], vec!["1"]]);
    assert_eq!(server.requests("PutRecords")[0]["StreamName"], "p-s");
}

/// A record that is refused for good fails alone.
pub async fn answers_each_record_by_itself() {
    let (server, streams) = start(|_, _, input| {
        each(input, |key| match key {
            "1" => Err(THROTTLED),
            "2" => Err("InternalFailure"),
            _ => Ok("7".to_owned()),
        })
    })
    .await;
    let put = streams.put_records("s", numbered(4)).await.unwrap();
    assert_eq!(kinds(&put), [None, Some(ErrorKind::Throttled), Some(ErrorKind::Unavailable), None]);
    assert_eq!(server.requests("PutRecords").len(), 6, "five times again");
}

/// Nothing more is asked for in an outage. What was taken before, stays so.
pub async fn ends_with_an_outage() {
    let (server, streams) = start(|_, before, input| match before {
        0 => each(input, |_| Ok("7".to_owned())),
        _ => Err("KMSDisabledException"),
    })
    .await;
    let put = streams.put_records("s", numbered(1_600)).await.unwrap();
    let (taken, left) = put.split_at(500);
    assert!(taken.iter().all(Result::is_ok));
    assert!(kinds(left).iter().all(|kind| *kind == Some(ErrorKind::Unavailable)), "{:?}", left[0]);
    assert_eq!(server.requests("PutRecords").len(), 2);
}

/// The operator makes streams.
pub async fn takes_a_missing_stream_for_an_outage() {
    let (_server, streams) = start(|_, _, _| Err("ResourceNotFoundException")).await;
    let put = streams.put_records("s", numbered(1)).await.unwrap();
    assert_eq!(kinds(&put), [Some(ErrorKind::Unavailable)]);
}

fn shard(id: &str, parents: &[&str], keys: std::ops::RangeInclusive<u128>) -> Shard {
    Shard { id: id.to_owned(), parents: parents.iter().map(ToString::to_string).collect(), hash_keys: Some(keys) }
}

/// Two pages. The second has the shard that two were merged into.
pub async fn lists_all_pages_of_shards() {
    let listed = |id: &str, from: &str, to: &str| {
        json!({
            "ShardId": id, "HashKeyRange": {"StartingHashKey": from, "EndingHashKey": to},
            "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": "2"},
        })
    };
    let all = u128::MAX.to_string();
    let (server, streams) = start(move |_, _, input| match input["NextToken"].as_str() {
        None => Ok(json!({"Shards": [listed("left", "0", "99"), listed("right", "100", &all)], "NextToken": "more"})),
        Some("more") => {
            let mut merged = listed("merged", "0", &all);
            merged["ParentShardId"] = json!("left");
            merged["AdjacentParentShardId"] = json!("right");
            Ok(json!({ "Shards": [merged] }))
        }
        Some(other) => panic!("{other}"),
    })
    .await;
    let expected = [
        shard("left", &[], 0..=99),
        shard("right", &[], 100..=u128::MAX),
        shard("merged", &["left", "right"], 0..=u128::MAX),
    ];
    assert_eq!(streams.shards("s").await.unwrap(), expected);
    let names: Vec<_> = server.requests("ListShards").into_iter().map(|mut input| input["StreamName"].take()).collect();
    assert_eq!(names, [json!("p-s"), Value::Null], "a token stands alone");
}

fn data(sequence: &str) -> Value {
    json!({
        "SequenceNumber": sequence, "PartitionKey": "k", "Data": "eA==", "ApproximateArrivalTimestamp": 1_705_312_800.5,
    })
}

/// The requested iterator, as `<type> <sequence number or time>`.
fn asked(input: &Value) -> String {
    let position = input["StartingSequenceNumber"].as_str().map(str::to_owned);
    let position = position.unwrap_or_else(|| input.get("Timestamp").map(ToString::to_string).unwrap_or_default());
    format!("{} {position}", input["ShardIteratorType"].as_str().unwrap()).trim_end().to_owned()
}

fn after(sequence: &str) -> Position {
    Position::After(sequence.to_owned())
}

/// With the shards that continue from it.
pub async fn ends_with_a_closed_shard() {
    let (_server, streams) = start(|action, before, input| match action {
        "GetShardIterator" => Ok(json!({"ShardIterator": asked(input)})),
        _ if before == 0 => Ok(json!({"Records": [data("1")], "NextShardIterator": "last", "MillisBehindLatest": 5})),
        _ => {
            let keys = json!({"StartingHashKey": "0", "EndingHashKey": "9"});
            let child = |id: &str| json!({"ShardId": id, "ParentShards": ["parent"], "HashKeyRange": keys});
            let children = [child("left"), child("right")];
            Ok(json!({"Records": [data("2")], "MillisBehindLatest": 0, "ChildShards": children}))
        }
    })
    .await;
    let first = streams.page("s", "parent", &Position::TrimHorizon, 10).await.unwrap();
    assert!(first.more, "5 ms behind");
    let first = first.read();
    assert_eq!((first.records[0].time_ms, first.records[0].data.as_slice()), (1_705_312_800_500, b"x".as_slice()));
    let last = streams.page("s", "parent", &first.next.unwrap(), 10).await.unwrap();
    assert_eq!((last.count, last.next.clone(), last.more), (1, None, false), "its last records come with its end");
}

pub async fn renews_an_expired_iterator() {
    let (server, streams) = start(|action, _, input| match action {
        "GetShardIterator" => Ok(json!({"ShardIterator": asked(input)})),
        _ => match input["ShardIterator"].as_str().unwrap() {
            "TRIM_HORIZON" => Ok(json!({"Records": [data("1")], "NextShardIterator": "expired"})),
            "expired" => Err("ExpiredIteratorException"),
            "AFTER_SEQUENCE_NUMBER 1" => Ok(json!({"Records": [data("2")], "NextShardIterator": "next"})),
            other => panic!("{other}"),
        },
    })
    .await;
    let first = streams.records("s", "shard", &Position::TrimHorizon, 10).await.unwrap();
    assert_eq!(first.next, Some(after("1")));
    let second = streams.records("s", "shard", &after("1"), 10).await.unwrap();
    assert_eq!((second.records[0].sequence.as_str(), second.next), ("2", Some(after("2"))));
    assert_eq!(server.requests("GetShardIterator").len(), 2);
}

/// A shard is scanned piece by piece, and some hold nothing: a time remains the position.
pub async fn goes_on_through_pages_without_records() {
    let (server, streams) = start(|action, before, input| match action {
        "GetShardIterator" => Ok(json!({"ShardIterator": asked(input)})),
        _ if before == 0 => Ok(json!({"Records": [], "NextShardIterator": "next", "MillisBehindLatest": 1000})),
        _ => Ok(json!({"Records": [data("2")], "NextShardIterator": "last", "MillisBehindLatest": 0})),
    })
    .await;
    let from = Position::AtTimestamp(1_705_312_800_500);
    let first = streams.page("s", "shard", &from, 10).await.unwrap();
    assert_eq!((first.count, first.more, first.next.as_ref()), (0, true, Some(&from)));
    let second = streams.page("s", "shard", &from, 10).await.unwrap();
    assert_eq!((second.more, second.next.as_ref()), (false, Some(&after("2"))));
    let iterators: Vec<_> =
        server.requests("GetRecords").into_iter().map(|mut input| input["ShardIterator"].take()).collect();
    assert_eq!(iterators, ["AT_TIMESTAMP 1705312800.5", "next"]);
}

/// Kinesis has no number for the end of a shard: what came in the last minutes is read, and none of it is handed over.
pub async fn finds_the_end_of_a_shard() {
    let (_server, streams) = start(|action, before, input| match action {
        "GetShardIterator" => {
            assert_eq!(input["ShardIteratorType"], "AT_TIMESTAMP");
            Ok(json!({"ShardIterator": "first"}))
        }
        _ if before == 0 => Ok(json!({"Records": [data("1")], "NextShardIterator": "next", "MillisBehindLatest": 10})),
        _ => Ok(json!({"Records": [data("2")], "NextShardIterator": "next", "MillisBehindLatest": 0})),
    })
    .await;
    let end = streams.records("s", "shard", &Position::Latest, 10).await.unwrap();
    assert_eq!((end.records, end.next), (vec![], Some(after("2"))));
}

pub async fn reports_a_lasting_throttle() {
    let (_server, streams) = start(|action, _, input| match action {
        "GetShardIterator" => Ok(json!({"ShardIterator": asked(input)})),
        _ => Err(THROTTLED),
    })
    .await;
    let error = streams.records("s", "shard", &Position::TrimHorizon, 10).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled);
    let put = streams.put_records("s", numbered(2)).await.unwrap();
    assert_eq!(kinds(&put), [Some(ErrorKind::Throttled); 2]);
}
