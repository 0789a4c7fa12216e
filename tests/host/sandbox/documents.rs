//! A component finds and updates documents: here by the host's functions; composed with gateway-client in
//! `tests/spin`.

use super::probe::{PROBE, Probe, tight};
use super::world::World;
use host_adapters_platform::{Access, Grants};
use host_adapters_records::documents::ReplaceOne;
use host_adapters_records::{Caller, Platform};
use serde_json::{Value, json};
use std::sync::Arc;
use tests::contract::embedded::open;
use tests::contract::suites::backend::COLLECTION;

/// Puts the documents of [`finds_and_updates`] into a collection.
pub async fn seed(platform: &impl Platform, caller: &str, collection: &str) {
    for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
        let document = json!({"id": id, "of": "probe", "n": n, "tags": ["x", "y"]}).to_string();
        let (collection, filter) = (collection.to_owned(), json!({"id": id}).to_string());
        platform
            .documents_replace_one(Caller::client(caller), ReplaceOne { collection, filter, document })
            .await
            .unwrap();
    }
}

/// What a component does with documents, whichever way it reaches them. `tell` hands the probe an order and answers what
/// the probe was told.
pub async fn finds_and_updates(collection: &str, tell: impl AsyncFn(Value) -> String) {
    let tell = async |order| serde_json::from_str::<Value>(&tell(order).await).unwrap();
    let find = async |collection: &str, limit: u32, after: &Value| {
        let query = json!({
            "filter": r#"{"of":"probe"}"#, "sort": [{"path": "n", "descending": true}], "projection": ["id", "tags"], "limit": limit,
            "after": after,
        });
        tell(json!({"do": "find", "collection": collection, "query": query})).await
    };
    let update = async |id: &str, update: Value| {
        let (filter, update) = (json!({"id": id}).to_string(), update.to_string());
        tell(json!({"do": "update-one", "collection": collection, "filter": filter, "update": update})).await
    };
    let items = |answer: &Value| {
        let items = answer["Ok"]["items"].as_array().unwrap_or_else(|| panic!("{answer}"));
        items.iter().map(|item| serde_json::from_str(item.as_str().unwrap()).unwrap()).collect::<Vec<Value>>()
    };

    let first = find(collection, 2, &Value::Null).await;
    assert_eq!(items(&first), [json!({"id": "c", "tags": ["x", "y"]}), json!({"id": "b", "tags": ["x", "y"]})]);
    let change =
        json!({"$set": {"date.notified": "now"}, "$unset": {"of": ""}, "$pull": {"tags": "x"}, "$inc": {"n": 7}});
    assert_eq!(update("c", change).await, json!({"Ok": {"matched": 1, "modified": 1}}));
    assert_eq!(update("a", json!({"$pull": {"tags": "x"}})).await, json!({"Ok": {"matched": 1, "modified": 1}}));
    assert_eq!(update("a", json!({"$pull": {"tags": "x"}})).await, json!({"Ok": {"matched": 1, "modified": 0}}));
    assert_eq!(update("nobody", json!({"$inc": {"n": 1}})).await, json!({"Ok": {"matched": 0, "modified": 0}}));
    let second = find(collection, 2, &first["Ok"]["next"]).await;
    assert_eq!(items(&second), [json!({"id": "a", "tags": ["y"]})]);
    assert_eq!(second["Ok"]["next"], Value::Null);
    assert_eq!(items(&find(collection, 2, &Value::Null).await).len(), 2, "`c` is no longer of the probe's");

    let refused = |answer: Value| {
        let word = |name: &str| answer["Err"][name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (word("kind"), word("message"))
    };
    let (kind, message) = refused(find(collection, 0, &Value::Null).await);
    assert_eq!((kind.as_str(), message.as_str()), ("Invalid", "a limit of 0; it is 1 to 1000"));
    let (kind, message) = refused(update("a", json!({"$set": {"n": 1, "n.m": 1}})).await);
    assert!(kind == "Invalid" && message.contains("conflict"), "{kind}: {message}");
    let (kind, message) = refused(find("nobody-s", 1, &Value::Null).await);
    assert!(kind == "Denied" && message.contains("nobody-s"), "{kind}: {message}");
}

#[tokio::test]
async fn a_component_finds_and_updates_documents() {
    let opened = open().await;
    let documents = [(COLLECTION.to_owned(), Access::ReadWrite)].into();
    let platform = Arc::new(opened.platform(PROBE, Grants { documents, ..Grants::default() }));
    seed(&*platform, PROBE, COLLECTION).await;
    let probe = Probe::start_in(World::with(platform), tight()).await;
    finds_and_updates(COLLECTION, async |order| probe.told(order).await).await;
}
