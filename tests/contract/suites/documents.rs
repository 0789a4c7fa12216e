//! Collections of documents.

use super::backend::{Backend, COLLECTION, OTHER_COLLECTION};
use host_adapters_records::ErrorKind;
use serde_json::{Value, json};

async fn find(backend: &impl Backend, filter: Value) -> Option<Value> {
    let found = backend.documents().find_one(COLLECTION, &filter.to_string()).await.unwrap();
    found.map(|text| serde_json::from_str(&text).unwrap())
}

async fn replace(backend: &impl Backend, filter: Value, document: &Value) {
    backend.documents().replace_one(COLLECTION, &filter.to_string(), &document.to_string()).await.unwrap();
}

fn campaign(n: u32) -> Value {
    json!({
        "id": format!("campaign-{n}"), "slug": format!("artist-{n}"), "status": if n.is_multiple_of(2) { "ACTIVE" } else { "CLOSED" },
        "date": {"open": format!("2024-01-{n:02}T00:00:00Z")}, "gates": [{"type": "invite"}], "n": n, "name": "Ünïcode 👍",
    })
}

pub async fn finds_by_index_and_scan(backend: &impl Backend) {
    for n in 1..=9 {
        replace(backend, json!({"id": format!("campaign-{n}")}), &campaign(n)).await;
    }
    for (filter, found) in [
        (json!({"id": "campaign-7"}), Some(7)),
        (json!({"slug": "artist-3"}), Some(3)),
        (json!({"slug": {"$eq": "artist-3"}, "status": "CLOSED"}), Some(3)),
        (json!({"slug": "artist-3", "status": "ACTIVE"}), None),
        (json!({"$and": [{"id": "campaign-4"}, {"n": {"$gte": 4}}]}), Some(4)),
        (json!({"$or": [{"id": "campaign-6"}, {"id": "nobody"}]}), Some(6)),
        (json!({"n": 5.0}), Some(5)),
        (json!({"date.open": {"$gt": "2024-01-08T00:00:00Z"}}), Some(9)),
        (json!({"gates.type": "invite", "n": {"$in": [8, 80]}}), Some(8)),
        (json!({"n": {"$gt": 2, "$lt": 4}}), Some(3)),
        (json!({"missing": {"$exists": true}}), None),
        (json!({"status": {"$ne": "CLOSED"}, "n": {"$lte": 2}}), Some(2)),
        (json!({"id": "nobody"}), None),
        (json!({"id": "a\u{0}b"}), None),
    ] {
        assert_eq!(find(backend, filter.clone()).await, found.map(campaign), "{filter}");
    }
}

pub async fn replaces_or_inserts(backend: &impl Backend) {
    replace(backend, json!({"id": "campaign-1"}), &campaign(1)).await;
    let changed = json!({"id": "campaign-1", "slug": "moved"});
    replace(backend, json!({"id": "campaign-1"}), &changed).await;
    assert_eq!(find(backend, json!({"id": "campaign-1"})).await, Some(changed.clone()));
    assert_eq!(find(backend, json!({"slug": "artist-1"})).await, None, "the index follows");
    assert_eq!(find(backend, json!({"slug": "moved"})).await, Some(changed));
}

pub async fn keeps_collections_apart(backend: &impl Backend) {
    replace(backend, json!({"id": "campaign-1"}), &campaign(1)).await;
    assert_eq!(backend.documents().find_one(OTHER_COLLECTION, "{}").await.unwrap(), None);
    let error = backend.documents().find_one("no-such-collection", "{}").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.message.contains("no-such-collection"), "{error}");
}

pub async fn refuses_wrong_calls(backend: &impl Backend) {
    for (filter, word) in
        [("", "JSON"), ("[]", "object"), (r#"{"$where":"1"}"#, "$where"), (r#"{"a":{"$near":1}}"#, "$near")]
    {
        let error = backend.documents().find_one(COLLECTION, filter).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.contains(word), "{filter}: {error}");
    }
    for document in ["", "[]", r#"{"$set":{"a":1}}"#] {
        let error = backend.documents().replace_one(COLLECTION, "{}", document).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{document}");
    }
}
