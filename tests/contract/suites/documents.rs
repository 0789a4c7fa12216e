//! Collections of documents: single documents, and what every function refuses.

use super::backend::{Backend, COLLECTION, OTHER_COLLECTION};
use super::documents_find::{by, page, query};
use host_adapters_platform::Result;
use host_adapters_platform::filter::Filter;
use host_adapters_platform::limits::document::Document;
use host_adapters_platform::update::Update;
use host_adapters_records::ErrorKind;
use host_adapters_records::documents::{FindQuery, UpdateResult};
use serde_json::{Value, json};

/// The functions as the platform has them: it checks what it is given, then asks the backend.
pub async fn find_one(backend: &impl Backend, collection: &str, filter: &str) -> Result<Option<String>> {
    backend.documents().find_one(collection, Filter::parse(filter)?).await
}

pub async fn replace_one(backend: &impl Backend, filter: &str, document: &str) -> Result<()> {
    let (filter, document) = (Filter::parse(filter)?, Document::parse(document.to_owned())?);
    backend.documents().replace_one(COLLECTION, filter, document).await
}

pub async fn update_one(backend: &impl Backend, filter: &str, update: &str) -> Result<UpdateResult> {
    backend.documents().update_one(COLLECTION, Filter::parse(filter)?, Update::parse(update)?).await
}

pub async fn find(backend: &impl Backend, filter: Value) -> Option<Value> {
    let found = find_one(backend, COLLECTION, &filter.to_string()).await.unwrap();
    found.map(|text| serde_json::from_str(&text).unwrap())
}

pub async fn replace(backend: &impl Backend, filter: Value, document: &Value) {
    replace_one(backend, &filter.to_string(), &document.to_string()).await.unwrap();
}

pub fn campaign(n: u32) -> Value {
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
    assert_eq!(find_one(backend, OTHER_COLLECTION, "{}").await.unwrap(), None);
    let error = find_one(backend, "no-such-collection", "{}").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.message.contains("no-such-collection"), "{error}");
}

pub async fn refuses_wrong_calls(backend: &impl Backend) {
    for (filter, word) in
        [("", "JSON"), ("[]", "object"), (r#"{"$where":"1"}"#, "$where"), (r#"{"a":{"$near":1}}"#, "$near")]
    {
        let error = find_one(backend, COLLECTION, filter).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.contains(word), "{filter}: {error}");
    }
    let nested = format!("{}1{}", r#"{"a":"#.repeat(101), "}".repeat(101));
    for document in ["", "[]", r#"{"$set":{"a":1}}"#, r#"{"a":[{"$oid":"x"}]}"#, r#"{"_id":1}"#, &nested] {
        let error = replace_one(backend, "{}", document).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{document}");
    }
}

pub async fn insert(backend: &impl Backend, documents: &[Value]) {
    for document in documents {
        replace(backend, json!({"id": document["id"]}), document).await;
    }
}

/// In filters, sorts, projections and updates alike.
pub async fn refuses_wrong_paths(backend: &impl Backend) {
    let document = json!({"id": "a", "n": 1});
    insert(backend, std::slice::from_ref(&document)).await;
    let (deep, long) = (vec!["a"; 101].join("."), "a".repeat(1025));
    for path in ["", ".", "a..b", "a.", ".a", "$a", "a.$b", "a\0", "_id", "_id.a", &deep, &long] {
        let right = || query(json!({}));
        let results = [
            find_one(backend, COLLECTION, &json!({"$and": [{path: 1}]}).to_string()).await.map(drop),
            page(backend, &FindQuery { sort: by(&["n", path]), ..right() }).await.map(drop),
            page(backend, &FindQuery { projection: vec![path.to_owned()], ..right() }).await.map(drop),
            update(backend, "a", &json!({"$set": {path: 1}})).await.map(drop),
            update(backend, "a", &json!({"$unset": {path: ""}})).await.map(drop),
        ];
        for (place, result) in results.into_iter().enumerate() {
            let error = result.expect_err(&format!("{path}, {place}"));
            assert_eq!(error.kind, ErrorKind::Invalid, "{path}, {place}: {error}");
        }
    }
    assert_eq!(find(backend, json!({"id": "a"})).await, Some(document));
}

pub async fn update(backend: &impl Backend, id: &str, update: &Value) -> Result<(u64, u64)> {
    let filter = json!({"id": id}).to_string();
    let UpdateResult { matched, modified } = update_one(backend, &filter, &update.to_string()).await?;
    Ok((matched, modified))
}

/// Numbers come back as they were, of whole documents and of those that an update changes elsewhere.
pub async fn keeps_every_digit(backend: &impl Backend) {
    let numbers = [
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "1",
        "1.0",
        "1e2",
        "12.50",
        "1E-130",
        "-0.5",
        "0.30000000000000004",
        "0.1234567890123456",
        "1.7976931348623157e308",
    ];
    let list = numbers.join(",");
    let text = format!(r#"{{"id":"a","n":0,"all":[{list}],"deep":{{"all":[{list}],"n":0}}}}"#);
    replace_one(backend, r#"{"id":"a"}"#, &text).await.unwrap();
    let expected = |n: u32| text.replace(r#""n":0"#, &format!(r#""n":{n}"#)).parse::<Value>().unwrap();
    assert_eq!(find(backend, json!({"id": "a"})).await, Some(expected(0)));
    for change in [json!({"$set": {"n": 1, "deep.n": 1}}), json!({"$inc": {"n": 1, "deep.n": 1}})] {
        assert_eq!(update(backend, "a", &change).await.unwrap(), (1, 1), "{change}");
    }
    assert_eq!(find(backend, json!({"id": "a"})).await, Some(expected(2)));
    for number in numbers {
        let found = find_one(backend, COLLECTION, &format!(r#"{{"deep.all":{number}}}"#)).await.unwrap();
        assert!(found.is_some(), "{number}");
    }
    for number in ["9007199254740992", "9007199254740994", "9223372036854775806", "0.12345678901234561"] {
        let found = find_one(backend, COLLECTION, &format!(r#"{{"deep.all":{number}}}"#)).await.unwrap();
        assert_eq!(found, None, "{number}");
    }
}

/// Of others digits would be lost: they are refused, and the error names the member.
pub async fn refuses_numbers_that_lose_digits(backend: &impl Backend) {
    let document = json!({"id": "a", "n": 1, "l": [1]});
    insert(backend, std::slice::from_ref(&document)).await;
    for number in [
        "9223372036854775808",
        "18446744073709551616",
        "0.12345678901234567890123456789012345678",
        "9.9999999999999999999999999999999999999E+125",
        "1e-400",
    ] {
        let results = [
            find_one(backend, COLLECTION, &format!(r#"{{"n":{{"$gt":{number}}}}}"#)).await.map(drop),
            replace_one(backend, "{}", &format!(r#"{{"id":"b","deep":{{"n":[{number}]}}}}"#)).await,
            update_one(backend, "{}", &format!(r#"{{"$set":{{"n":{number}}}}}"#)).await.map(drop),
            update_one(backend, "{}", &format!(r#"{{"$inc":{{"n":{number}}}}}"#)).await.map(drop),
            update_one(backend, "{}", &format!(r#"{{"$pull":{{"l":{{"n":{number}}}}}}}"#)).await.map(drop),
        ];
        for (place, result) in results.into_iter().enumerate() {
            let error = result.expect_err(&format!("{number}, {place}"));
            assert_eq!(error.kind, ErrorKind::Invalid, "{number}, {place}: {error}");
            let named = if place == 0 { "$gt" } else { "n" };
            assert!(error.message.contains(&format!("`{named}`")), "{number}, {place}: {error}");
        }
    }
    assert_eq!(find(backend, json!({"id": "a"})).await, Some(document));
}
