//! Collections of documents.

use super::backend::{Backend, COLLECTION, OTHER_COLLECTION};
use host_adapters_platform::Result;
use host_adapters_records::ErrorKind;
use host_adapters_records::documents::{DocumentPage, FindQuery, SortPath, UpdateResult};
use serde_json::{Value, json};
use std::collections::BTreeSet;

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

fn query(filter: Value) -> FindQuery {
    FindQuery { filter: filter.to_string(), sort: vec![], projection: vec![], limit: 1000, after: None }
}

fn by(paths: &[&str]) -> Vec<SortPath> {
    let path = |path: &&str| match path.strip_prefix('-') {
        Some(path) => SortPath { path: path.to_owned(), descending: true },
        None => SortPath { path: (*path).to_owned(), descending: false },
    };
    paths.iter().map(path).collect()
}

async fn page(backend: &impl Backend, query: &FindQuery) -> Result<DocumentPage> {
    backend.documents().find(COLLECTION, query.clone()).await
}

fn parsed(page: &DocumentPage) -> Vec<Value> {
    page.items.iter().map(|item| serde_json::from_str(item).unwrap()).collect()
}

/// All pages of a query, in order.
async fn pages(backend: &impl Backend, mut query: FindQuery) -> Vec<Value> {
    let mut all = vec![];
    loop {
        let page = page(backend, &query).await.unwrap();
        assert!(page.items.len() <= query.limit as usize);
        all.extend(parsed(&page));
        let Some(next) = page.next else { return all };
        assert_eq!(page.items.len(), query.limit as usize, "only the last page is not full");
        query.after = Some(next);
    }
}

fn ids(documents: &[Value]) -> Vec<&str> {
    documents.iter().map(|document| document["id"].as_str().unwrap()).collect()
}

async fn insert(backend: &impl Backend, documents: &[Value]) {
    for document in documents {
        replace(backend, json!({"id": document["id"]}), document).await;
    }
}

pub async fn finds_all_that_match(backend: &impl Backend) {
    insert(
        backend,
        &[
            json!({"id": "a", "phoneNumber": "+15551234567", "code": {"marketId": "m1"}, "n": 1}),
            json!({"id": "b", "phoneNumber": "+445551234", "code": {"marketId": "m1"}, "n": 2}),
            json!({"id": "c", "phoneNumber": "+15559999999", "n": 3, "tags": ["x", "+1"]}),
            json!({"id": "d", "phoneNumber": null, "code": {"marketId": "m2"}}),
        ],
    )
    .await;
    for (filter, found) in [
        (json!({}), vec!["a", "b", "c", "d"]),
        (json!({"code.marketId": "m1"}), vec!["a", "b"]),
        (json!({"code.marketId": "m1", "phoneNumber": {"$regex": "^\\+1"}}), vec!["a"]),
        (json!({"tags": {"$regex": "^\\+1"}}), vec!["c"]),
        (json!({"code": {"$exists": false}}), vec!["c"]),
        (json!({"n": {"$gte": 2, "$lt": 3}}), vec!["b"]),
        (json!({"n": {"$ne": 2}}), vec!["a", "c", "d"]),
        (json!({"phoneNumber": null}), vec!["d"]),
        (json!({"id": "b"}), vec!["b"]),
        (json!({"id": "b", "n": 1}), vec![]),
    ] {
        let sorted = FindQuery { sort: by(&["id"]), ..query(filter.clone()) };
        assert_eq!(ids(&pages(backend, sorted).await), found, "{filter}");
    }
}

pub async fn sorts_by_type_and_value(backend: &impl Backend) {
    insert(
        backend,
        &[
            json!({"id": "true", "v": true}),
            json!({"id": "ten", "v": 10}),
            json!({"id": "missing"}),
            json!({"id": "text", "v": "10"}),
            json!({"id": "null", "v": null}),
            json!({"id": "object", "v": {"a": 1}}),
            json!({"id": "two", "v": 2.5}),
            json!({"id": "later text", "v": "2"}),
            json!({"id": "false", "v": false}),
            json!({"id": "less", "v": -1}),
        ],
    )
    .await;
    let ascending = ["missing", "null", "less", "two", "ten", "text", "later text", "object", "false", "true"];
    for limit in [1, 3, 1000] {
        let sorted = |paths: &[&str]| FindQuery { sort: by(paths), limit, ..query(json!({})) };
        assert_eq!(ids(&pages(backend, sorted(&["v", "id"])).await), ascending, "pages of {limit}");
        let mut descending: Vec<_> = ascending.into_iter().rev().collect();
        descending.swap(8, 9);
        assert_eq!(ids(&pages(backend, sorted(&["-v", "id"])).await), descending, "pages of {limit}");
    }
}

/// Ascending order uses the least element of a list, descending order the greatest.
pub async fn sorts_lists_by_an_element(backend: &impl Backend) {
    insert(
        backend,
        &[
            json!({"id": "wide", "n": [1, 9]}),
            json!({"id": "five", "n": 5}),
            json!({"id": "narrow", "n": [4, 6]}),
            json!({"id": "none"}),
            json!({"id": "deep", "n": [3, 2, 4]}),
        ],
    )
    .await;
    for limit in [1, 2, 1000] {
        let sorted = |path| FindQuery { sort: by(&[path]), limit, ..query(json!({})) };
        let (up, down) = (pages(backend, sorted("n")).await, pages(backend, sorted("-n")).await);
        assert_eq!(ids(&up), ["none", "wide", "deep", "narrow", "five"], "pages of {limit}");
        assert_eq!(ids(&down), ["wide", "narrow", "five", "deep", "none"], "pages of {limit}");
    }
}

/// The best score first, ties by the earliest registration: the order in which selections read them.
pub async fn pages_through_ties(backend: &impl Backend) {
    let record =
        |n: u32| json!({"id": format!("{n:02}"), "score": n / 8, "at": {"date": format!("2024-01-{:02}", n % 3)}});
    insert(backend, &(0..24).map(record).collect::<Vec<_>>()).await;
    let expected = {
        let mut all: Vec<u32> = (0..24).collect();
        all.sort_by_key(|n| (std::cmp::Reverse(n / 8), n % 3));
        all.into_iter().map(|n| (n / 8, n % 3)).collect::<Vec<_>>()
    };
    for limit in [1, 5, 24, 25] {
        let sort = by(&["-score", "at.date"]);
        let found = pages(backend, FindQuery { sort, limit, ..query(json!({})) }).await;
        let keys: Vec<_> = ids(&found).iter().map(|id| id.parse::<u32>().unwrap()).map(|n| (n / 8, n % 3)).collect();
        assert_eq!(keys, expected, "pages of {limit}");
        let unsorted = pages(backend, FindQuery { limit, ..query(json!({})) }).await;
        for found in [&found, &unsorted] {
            assert_eq!(ids(found).into_iter().collect::<BTreeSet<_>>().len(), 24, "each once, in pages of {limit}");
        }
    }
}

pub async fn pages_while_others_write(backend: &impl Backend) {
    let record = |n: u32| json!({"id": format!("{n:02}"), "n": n});
    insert(backend, &(10..20).map(record).collect::<Vec<_>>()).await;
    let mut sorted = FindQuery { sort: by(&["n"]), limit: 4, ..query(json!({})) };
    let first = page(backend, &sorted).await.unwrap();
    assert_eq!(ids(&parsed(&first)), ["10", "11", "12", "13"]);
    // Before the start of the next page, documents are added and the last one of the page is moved.
    insert(backend, &[record(1), record(2)]).await;
    replace(backend, json!({"id": "13"}), &json!({"id": "13", "n": 0})).await;
    sorted.after = first.next;
    let rest = pages(backend, sorted).await;
    assert_eq!(ids(&rest), ["14", "15", "16", "17", "18", "19"]);
}

pub async fn keeps_what_the_projection_names(backend: &impl Backend) {
    insert(backend, &[json!({
        "id": "a", "n": 1, "date": {"open": "x", "close": "y"}, "gates": [{"type": "idv", "level": 2}, 7], "order": {"by": 3},
    })])
    .await;
    for (paths, kept) in [
        (vec!["id"], json!({"id": "a"})),
        (vec!["date.open", "n", "missing"], json!({"date": {"open": "x"}, "n": 1})),
        (vec!["gates.type", "order"], json!({"gates": [{"type": "idv"}], "order": {"by": 3}})),
    ] {
        let projection = paths.into_iter().map(str::to_owned).collect();
        let query = FindQuery { projection, sort: by(&["order.by", "-gates.0.level"]), ..query(json!({})) };
        assert_eq!(parsed(&page(backend, &query).await.unwrap()), [kept]);
    }
}

pub async fn refuses_wrong_queries(backend: &impl Backend) {
    insert(backend, &[campaign(1), campaign(2)]).await;
    let right = || FindQuery { sort: by(&["n"]), limit: 1, ..query(json!({})) };
    let next = page(backend, &right()).await.unwrap().next;
    let text = |text: &str| Some(text.to_owned());
    for wrong in [
        FindQuery { limit: 0, ..right() },
        FindQuery { limit: 1001, ..right() },
        FindQuery { filter: r#"{"$where": "1"}"#.to_owned(), ..right() },
        FindQuery { filter: r#"{"n": {"$regex": "^+"}}"#.to_owned(), ..right() },
        FindQuery { sort: by(&["a..b"]), ..right() },
        FindQuery { sort: by(&["a", "-a"]), ..right() },
        FindQuery { sort: by(&["_id"]), ..right() },
        FindQuery { projection: vec!["a".to_owned(), "a.b".to_owned()], ..right() },
        FindQuery { after: text(""), ..right() },
        FindQuery { after: text("7"), ..right() },
        FindQuery { after: text(r#"{"sort":["+n"],"key":[],"id":1}"#), ..right() },
        FindQuery { after: next, sort: by(&["-n"]), ..right() },
    ] {
        let error = page(backend, &wrong).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{wrong:?}: {error}");
    }
    let missing = backend.documents().find("no-such-collection", right()).await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NotFound);
}

async fn update(backend: &impl Backend, id: &str, update: &Value) -> Result<(u64, u64)> {
    let filter = json!({"id": id}).to_string();
    let UpdateResult { matched, modified } =
        backend.documents().update_one(COLLECTION, &filter, &update.to_string()).await?;
    Ok((matched, modified))
}

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
    let calls = (0..8).map(|_| backend.documents().update_one(COLLECTION, &filter, &change));
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
