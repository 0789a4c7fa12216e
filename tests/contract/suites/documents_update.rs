//! Updates of documents by operators.

use super::backend::Backend;
use super::documents::{find, insert, update, update_one};
use host_adapters_records::ErrorKind;
use serde_json::json;

pub async fn updates_by_operators(backend: &impl Backend) {
    insert(backend, &[json!({
        "id": "a", "slug": "s", "n": 1, "date": {"open": 1}, "tags": ["x", "y", "x"], "gates": [{"type": "idv", "n": 1}, {"type": "idv", "n": 9}],
    })])
    .await;
    for (change, result) in [
        (json!({"$set": {"date.notified": "now", "new.deep": [1]}, "$inc": {"n": 2, "m": -1}}), (1, 1)),
        (json!({"$set": {"date.notified": "now"}}), (1, 0)),
        (json!({"$pull": {"tags": "x"}}), (1, 1)),
        (json!({"$pull": {"tags": "x"}}), (1, 0)),
        (json!({"$pull": {"gates": {"type": "idv", "n": {"$gt": 5}}}}), (1, 1)),
        (json!({"$set": {"gates.0.n": 3}, "$unset": {"date.open": "", "nothing": ""}}), (1, 1)),
        (json!({"$unset": {"nothing": ""}}), (1, 0)),
        (json!({"$inc": {"n": 0.5}}), (1, 1)),
        (json!({"$set": {"slug": "t"}}), (1, 1)),
    ] {
        assert_eq!(update(backend, "a", &change).await.unwrap(), result, "{change}");
    }
    let expected = json!({
        "id": "a", "slug": "t", "n": 3.5, "m": -1, "date": {"notified": "now"}, "new": {"deep": [1]}, "tags": ["y"],
        "gates": [{"type": "idv", "n": 3}],
    });
    assert_eq!(find(backend, json!({"slug": "t"})).await, Some(expected), "the index follows");
    assert_eq!(update(backend, "nobody", &json!({"$set": {"n": 1}})).await.unwrap(), (0, 0));
    assert_eq!(find(backend, json!({"id": "nobody"})).await, None, "no document is made");
}

/// The filter and the update are applied in one step.
pub async fn updates_once_among_many(backend: &impl Backend) {
    insert(backend, &[json!({"id": "a", "n": 0, "times": ["t"]})]).await;
    let filter = json!({"id": "a", "times": "t"}).to_string();
    let change = json!({"$pull": {"times": "t"}, "$inc": {"n": 1}}).to_string();
    let calls = (0..8).map(|_| update_one(backend, &filter, &change));
    let results = futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(results.iter().map(|result| result.modified).sum::<u64>(), 1);
    assert_eq!(find(backend, json!({"id": "a"})).await, Some(json!({"id": "a", "n": 1, "times": []})));
}

pub async fn refuses_wrong_updates(backend: &impl Backend) {
    let document = json!({"id": "a", "s": "x", "l": [1], "none": null});
    insert(backend, std::slice::from_ref(&document)).await;
    for (change, word) in [
        (json!({}), "operator"),
        (json!({"s": 1}), "s"),
        (json!({"$push": {"l": 1}}), "$push"),
        (json!({"$set": {"a": 1, "a.b": 2}}), "conflict"),
        (json!({"$set": {"l.$": 1}}), "l.$"),
        (json!({"$set": {"_id": 1}}), "_id"),
        (json!({"$set": {"s.x": 1}}), "x"),
        (json!({"$inc": {"s": 1}}), "s"),
        (json!({"$inc": {"s": "1"}}), "s"),
        (json!({"$pull": {"s": 1}}), "$pull"),
    ] {
        let error = update(backend, "a", &change).await.expect_err(&change.to_string());
        assert_eq!(error.kind, ErrorKind::Invalid, "{change}: {error}");
        assert!(error.message.contains(word), "{change}: {error}");
    }
    assert_eq!(find(backend, json!({"id": "a"})).await, Some(document), "a refused update changes nothing");
}

/// Null does not count as 0.
pub async fn refuses_to_increase_null(backend: &impl Backend) {
    insert(backend, &[json!({"id": "a", "none": null})]).await;
    let error = update(backend, "a", &json!({"$inc": {"none": 1}})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert!(error.message.contains("none"), "{error}");
}

pub async fn adds_to_numbers(backend: &impl Backend) {
    insert(
        backend,
        &[json!({"id": "a", "most": i64::MAX - 1, "large": 9_007_199_254_740_993_i64, "tenth": 0.1, "n": 1})],
    )
    .await;
    let change = json!({"$inc": {"most": 1, "large": 2, "tenth": 0.2, "n": -3, "new": 1.5}});
    assert_eq!(update(backend, "a", &change).await.unwrap(), (1, 1));
    let expected = json!({
        "id": "a", "most": i64::MAX, "large": 9_007_199_254_740_995_i64, "tenth": 0.1 + 0.2, "n": -2, "new": 1.5,
    });
    assert_eq!(find(backend, json!({"id": "a"})).await, Some(expected.clone()));
    assert_eq!(update(backend, "a", &json!({"$inc": {"n": 0}})).await.unwrap(), (1, 0));
    assert_eq!(find(backend, json!({"id": "a"})).await, Some(expected));
}

/// Integers do not wrap around, and do not become doubles.
pub async fn refuses_to_exceed_integers(backend: &impl Backend) {
    let document = json!({"id": "a", "most": i64::MAX, "least": i64::MIN});
    insert(backend, std::slice::from_ref(&document)).await;
    for change in [json!({"$inc": {"most": 1}}), json!({"$inc": {"least": -1}})] {
        let error = update(backend, "a", &change).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{change}: {error}");
    }
    assert_eq!(find(backend, json!({"id": "a"})).await, Some(document));
}

/// Doubles do not become infinite.
pub async fn refuses_to_exceed_doubles(backend: &impl Backend) {
    let document = json!({"id": "a", "most": 1.7e308, "least": -1.7e308, "l": [{"n": 1.7e308}], "n": 1.5});
    insert(backend, std::slice::from_ref(&document)).await;
    for change in [
        json!({"$inc": {"most": 1.7e308}}),
        json!({"$inc": {"least": -1.7e308}}),
        json!({"$inc": {"n": 1, "l.0.n": 1.7e308}}),
    ] {
        let error = update(backend, "a", &change).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{change}: {error}");
    }
    assert_eq!(find(backend, json!({"id": "a"})).await, Some(document));
    assert_eq!(update(backend, "nobody", &json!({"$inc": {"most": 1.7e308}})).await.unwrap(), (0, 0));
    assert_eq!(
        update(backend, "a", &json!({"$inc": {"n": 1.7e308, "most": -1.7e308, "new": 1.7e308}})).await.unwrap(),
        (1, 1)
    );
}
