//! Collections of documents.

use super::backend::{Backend, COLLECTION, OTHER_COLLECTION};
use host_adapters_platform::Result;
use host_adapters_platform::filter::Filter;
use host_adapters_platform::find::Query;
use host_adapters_platform::limits::document::{Document, MAX_PAGE_BYTES};
use host_adapters_platform::update::Update;
use host_adapters_records::ErrorKind;
use host_adapters_records::documents::{DocumentPage, FindQuery, SortPath, UpdateResult};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The functions as the platform has them: it checks what it is given, then asks the backend.
pub async fn find_one(backend: &impl Backend, collection: &str, filter: &str) -> Result<Option<String>> {
    backend.documents().find_one(collection, Filter::parse(filter)?).await
}

pub async fn replace_one(backend: &impl Backend, filter: &str, document: &str) -> Result<()> {
    let (filter, document) = (Filter::parse(filter)?, Document::parse(document.to_owned())?);
    backend.documents().replace_one(COLLECTION, filter, document).await
}

async fn update_one(backend: &impl Backend, filter: &str, update: &str) -> Result<UpdateResult> {
    backend.documents().update_one(COLLECTION, Filter::parse(filter)?, Update::parse(update)?).await
}

async fn find(backend: &impl Backend, filter: Value) -> Option<Value> {
    let found = find_one(backend, COLLECTION, &filter.to_string()).await.unwrap();
    found.map(|text| serde_json::from_str(&text).unwrap())
}

async fn replace(backend: &impl Backend, filter: Value, document: &Value) {
    replace_one(backend, &filter.to_string(), &document.to_string()).await.unwrap();
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
    backend.documents().find(COLLECTION, Query::parse(query)?).await
}

fn parsed(page: &DocumentPage) -> Vec<Value> {
    page.items.iter().map(|item| serde_json::from_str(item).unwrap()).collect()
}

/// All pages of a query, one after the other.
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

/// Ascending by its least element, descending by its greatest.
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

/// A list sorts by an element, an empty one before everything, one in a list as a list.
pub async fn sorts_lists_among_other_values(backend: &impl Backend) {
    insert(
        backend,
        &[
            json!({"id": "boolean", "v": true}),
            json!({"id": "in a list", "v": [[1]]}),
            json!({"id": "null", "v": null}),
            json!({"id": "object", "v": [{"a": 1}]}),
            json!({"id": "none", "v": []}),
            json!({"id": "text", "v": ["b", "c"]}),
            json!({"id": "number", "v": [7, "a"]}),
        ],
    )
    .await;
    let ascending = ["none", "null", "number", "text", "object", "in a list", "boolean"];
    for limit in [1, 3, 1000] {
        let sorted = FindQuery { sort: by(&["v"]), limit, ..query(json!({})) };
        assert_eq!(ids(&pages(backend, sorted).await), ascending, "pages of {limit}");
    }
}

/// All paths through one list take the same element of it.
pub async fn sorts_by_two_paths_through_one_list(backend: &impl Backend) {
    let record = |id: &str, gates: &[(&str, u32)]| {
        let gates: Vec<_> = gates.iter().map(|(kind, n)| json!({"type": kind, "n": n})).collect();
        json!({"id": id, "gates": gates})
    };
    insert(
        backend,
        &[record("1", &[("a", 9), ("b", 1)]), record("2", &[("a", 5), ("c", 0)]), record("3", &[("a", 7)])],
    )
    .await;
    for limit in [1, 2, 1000] {
        let sorted = FindQuery { sort: by(&["gates.type", "gates.n"]), limit, ..query(json!({})) };
        assert_eq!(ids(&pages(backend, sorted).await), ["2", "3", "1"], "pages of {limit}");
    }
}

pub async fn refuses_to_sort_by_two_lists(backend: &impl Backend) {
    insert(backend, &[json!({"id": "a", "l": [1], "m": [2], "n": 3}), json!({"id": "b", "l": 1, "m": [3]})]).await;
    let sorted = |paths: [&str; 2]| FindQuery { sort: by(&paths), ..query(json!({})) };
    assert_eq!(ids(&pages(backend, sorted(["n", "l"])).await), ["b", "a"]);
    for paths in [["l", "m"], ["m", "-l"]] {
        let error = page(backend, &sorted(paths)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        assert!(error.message.contains("parallel arrays"), "{error}");
    }
}

/// Best score first, ties by the earliest registration: as selections read them.
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

/// Two fit, a third does not; one that is too long comes alone.
pub async fn ends_a_page_by_its_bytes(backend: &impl Backend) {
    let record = |n: usize, bytes: usize| json!({"id": n.to_string(), "n": n, "text": "x".repeat(bytes)});
    let sizes = [2, 5, 5, 5, 20, 1].map(|tenths| MAX_PAGE_BYTES / 10 * tenths - 100);
    let documents: Vec<_> = sizes.iter().enumerate().map(|(n, bytes)| record(n, *bytes)).collect();
    insert(backend, &documents).await;
    for sort in [&["n"][..], &[]] {
        let mut query = FindQuery { sort: by(sort), ..query(json!({})) };
        for expected in [&["0", "1"][..], &["2", "3"], &["4"], &["5"]] {
            let page = page(backend, &query).await.unwrap();
            assert_eq!(ids(&parsed(&page)), expected, "sorted by {sort:?}");
            query.after = page.next;
        }
        assert_eq!(query.after, None);
    }
    let projected = FindQuery { projection: vec!["n".to_owned()], ..query(json!({})) };
    let page = page(backend, &projected).await.unwrap();
    assert_eq!((page.items.len(), page.next), (6, None), "what is left out does not count");
}

/// What no page ended with, or a page of another backend.
pub async fn refuses_foreign_places(backend: &impl Backend) {
    insert(backend, &[campaign(1), campaign(2)]).await;
    let refused = |error: host_adapters_records::Error| (error.kind, error.message);
    let find_after = async |id: Value, key: Value| {
        let after = json!({"sort": ["+n"], "key": [key], "id": id}).to_string();
        page(backend, &FindQuery { sort: by(&["n"]), after: Some(after), ..query(json!({})) }).await.map_err(refused)
    };
    let expected =
        (ErrorKind::Invalid, "`after` is not a place in these documents; pass `next` of the page before".to_owned());
    for id in [
        json!(null),
        json!("7"),
        json!(true),
        json!(1.5),
        json!([]),
        json!([7]),
        json!({}),
        json!({"row": 7}),
        json!({"$oid": "7"}),
        json!({"_id": {"$oid": "no id"}}),
        json!({"_id": {"$date": "today"}}),
        json!({"_id": {"$gt": ""}}),
        json!({"_id": 1, "x": 1}),
    ] {
        assert_eq!(find_after(id.clone(), json!(1)).await.unwrap_err(), expected, "{id}");
    }
    let mine = [json!(0), json!({"_id": {"$oid": "0".repeat(24)}})];
    let mut accepted = 0;
    for id in mine {
        match find_after(id.clone(), json!(1)).await {
            Ok(page) => {
                assert_eq!(page.items.len(), 2, "{id}");
                accepted += 1;
            }
            Err(error) => assert_eq!(error, expected, "{id}"),
        }
    }
    assert_eq!(accepted, 1, "each backend has places of its own");
}

pub async fn pages_while_others_write(backend: &impl Backend) {
    let record = |n: u32| json!({"id": format!("{n:02}"), "n": n});
    insert(backend, &(10..20).map(record).collect::<Vec<_>>()).await;
    let mut sorted = FindQuery { sort: by(&["n"]), limit: 4, ..query(json!({})) };
    let first = page(backend, &sorted).await.unwrap();
    assert_eq!(ids(&parsed(&first)), ["10", "11", "12", "13"]);
    // Before the place: new ones, and the very document that the page ended with moves away.
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
    let missing = backend.documents().find("no-such-collection", Query::parse(&right()).unwrap()).await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NotFound);
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

async fn update(backend: &impl Backend, id: &str, update: &Value) -> Result<(u64, u64)> {
    let filter = json!({"id": id}).to_string();
    let UpdateResult { matched, modified } = update_one(backend, &filter, &update.to_string()).await?;
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
    assert_eq!(find(backend, json!({"id": "nobody"})).await, None, "none is made");
}

/// The filter and the update are one step.
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
    assert_eq!(find(backend, json!({"id": "a"})).await, Some(document), "nothing of a refused update is done");
}

/// Null is not taken for 0.
pub async fn refuses_to_increase_null(backend: &impl Backend) {
    insert(backend, &[json!({"id": "a", "none": null})]).await;
    let error = update(backend, "a", &json!({"$inc": {"none": 1}})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert!(error.message.contains("none"), "{error}");
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
