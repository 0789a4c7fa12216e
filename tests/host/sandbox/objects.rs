//! A component writes, reads and lists objects.

use super::probe::{PROBE, Probe, tight};
use super::world::World;
use host_adapters_platform::{Grants, ObjectAccess};
use serde_json::{Value, json};
use std::sync::Arc;
use tests::contract::embedded::open;
use tests::contract::suites::backend::BUCKET;

#[tokio::test]
async fn a_component_writes_reads_and_lists_objects() {
    let opened = open().await;
    let objects = [(format!("{BUCKET}/reports/"), ObjectAccess { read: true, write: true, list: true })].into();
    let platform = Arc::new(opened.platform(PROBE, Grants { objects, ..Grants::default() }));
    let probe = Probe::start_in(World::with(platform), tight()).await;
    let tell = async |order: Value| serde_json::from_str::<Value>(&probe.told(order).await).unwrap();
    let read = async |key: &str, length: u32| {
        let range = json!({"offset": 3, "length": length});
        tell(json!({"do": "read-object", "bucket": BUCKET, "key": key, "range": range})).await
    };
    let put = json!({"do": "put-object", "bucket": BUCKET, "key": "reports/ü", "content": "0123456789"});
    let etag = tell(put).await["Ok"].take();
    assert!(etag.is_string());
    assert_eq!(read("reports/ü", 4).await, json!({"Ok": "3456"}));
    assert_eq!(read("reports/ü", 4 << 20).await, json!({"Ok": "3456789"}));
    let page = tell(json!({"do": "list-objects", "bucket": BUCKET, "prefix": "reports/"})).await;
    let [item] = page["Ok"]["items"].as_array().unwrap().as_slice() else { panic!("{page}") };
    assert_eq!((&item["key"], &item["size"], &item["etag"]), (&json!("reports/ü"), &json!(10), &etag));
    for (key, length, kind) in
        [("reports/none", 1, "NotFound"), ("reports/ü", 1_000_000_000, "TooLarge"), ("other/ü", 1, "Denied")]
    {
        let answer = read(key, length).await;
        assert_eq!(answer["Err"]["kind"], kind, "{answer}");
    }
}
