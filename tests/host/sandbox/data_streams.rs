//! A component puts records.

use super::probe::{PROBE, Probe, tight};
use super::world::World;
use host_adapters_platform::{DataStreamAccess, Grants, Position};
use serde_json::{Value, json};
use std::sync::Arc;
use tests::contract::embedded::open;
use tests::contract::suites::backend::{Backend, DATA_STREAM};

#[tokio::test]
async fn a_component_puts_records() {
    let opened = open().await;
    let data_streams = [(DATA_STREAM.to_owned(), DataStreamAccess::Put)].into();
    let platform = Arc::new(opened.platform(PROBE, Grants { data_streams, ..Grants::default() }));
    let probe = Probe::start_in(World::with(platform), tight()).await;
    let put = async |stream: &str, records: Value| {
        let order = json!({"do": "put-records", "stream": stream, "records": records});
        serde_json::from_str::<Value>(&probe.told(order).await).unwrap()
    };
    let record = |key: &str| json!({"partition_key": key, "data": [0, 255]});
    let answer = put(DATA_STREAM, json!([record("ü"), record("")])).await;
    let [taken, refused] = answer["Ok"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!(refused["Err"]["kind"], "Invalid", "{refused}");
    let mut found = Vec::new();
    let reader = opened.data_stream_reader();
    for shard in reader.shards(DATA_STREAM).await.unwrap() {
        found.extend(reader.records(DATA_STREAM, &shard.id, &Position::TrimHorizon, 10).await.unwrap().records);
    }
    let [found] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((found.partition_key.as_str(), found.data.as_slice()), ("ü", [0, 255].as_slice()));
    assert_eq!(taken["Ok"], *found.sequence);
    assert_eq!(put("other", json!([record("k")])).await["Err"]["kind"], "Denied");
}
