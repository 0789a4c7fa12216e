//! A component publishes to a topic.

use super::probe::{PROBE, Probe, tight};
use super::world::World;
use host_adapters_platform::Grants;
use serde_json::{Value, json};
use std::sync::Arc;
use tests::contract::embedded::open;
use tests::contract::suites::queue::receive;
use tests::contract::suites::topics::{LONE_QUEUE, LONE_TOPIC};

#[tokio::test]
async fn a_component_publishes() {
    let opened = open().await;
    let grants = Grants { topics: [LONE_TOPIC.to_owned()].into(), ..Grants::default() };
    let probe = Probe::start_in(World::with(Arc::new(opened.platform(PROBE, grants))), tight()).await;
    let publish = async |topic: &str, messages: Value| {
        let order = json!({"do": "publish", "topic": topic, "messages": messages});
        serde_json::from_str::<Value>(&probe.told(order).await).unwrap()
    };
    let attribute = json!({"name": "type", "data_type": "String", "value": {"Text": "MARKET"}});
    let message = |body: &str| json!({"body": body, "attributes": [attribute]});
    let answer = publish(LONE_TOPIC, json!([message("ü"), message("")])).await;
    let [taken, refused] = answer["Ok"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert!(taken["Ok"].is_string(), "{taken}");
    assert_eq!(refused["Err"]["kind"], "Invalid", "{refused}");
    let received = receive(&opened, LONE_QUEUE, 10, 30).await;
    let [found] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!((found.body.as_str(), found.attributes[0].as_text()), ("ü", Some("MARKET")));
    assert_eq!(publish("other", json!([message("x")])).await["Err"]["kind"], "Denied");
}
