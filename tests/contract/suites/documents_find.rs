//! Pages of documents: filters, sorts, projections.

use super::backend::{Backend, COLLECTION};
use super::documents::{campaign, insert, replace};
use host_adapters_platform::Result;
use host_adapters_platform::find::Query;
use host_adapters_platform::limits::document::MAX_PAGE_BYTES;
use host_adapters_records::ErrorKind;
use host_adapters_records::documents::{DocumentPage, FindQuery, SortPath};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub fn query(filter: Value) -> FindQuery {
    FindQuery { filter: filter.to_string(), sort: vec![], projection: vec![], limit: 1000, after: None }
}

pub fn by(paths: &[&str]) -> Vec<SortPath> {
    let path = |path: &&str| match path.strip_prefix('-') {
        Some(path) => SortPath { path: path.to_owned(), descending: true },
        None => SortPath { path: (*path).to_owned(), descending: false },
    };
    paths.iter().map(path).collect()
}

pub async fn page(backend: &impl Backend, query: &FindQuery) -> Result<DocumentPage> {
    backend.documents().find(COLLECTION, Query::parse(query)?).await
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

/// A list sorts by an element, an empty one before everything.
pub async fn sorts_lists_among_other_values(backend: &impl Backend) {
    insert(
        backend,
        &[
            json!({"id": "boolean", "v": true}),
            json!({"id": "null", "v": null}),
            json!({"id": "object", "v": [{"a": 1}]}),
            json!({"id": "none", "v": []}),
            json!({"id": "text", "v": ["b", "c"]}),
            json!({"id": "number", "v": [7, "a"]}),
        ],
    )
    .await;
    for limit in [1, 3, 1000] {
        let sorted = FindQuery { sort: by(&["v"]), limit, ..query(json!({})) };
        let ascending = ["none", "null", "number", "text", "object", "boolean"];
        assert_eq!(ids(&pages(backend, sorted).await), ascending, "pages of {limit}");
    }
}

/// A list in a list is an element as any other, behind objects.
pub async fn sorts_lists_in_lists(backend: &impl Backend) {
    insert(
        backend,
        &[
            json!({"id": "boolean", "v": true}),
            json!({"id": "two", "v": [[2]]}),
            json!({"id": "object", "v": {"a": 1}}),
            json!({"id": "one", "v": [[3], [1, 5]]}),
            json!({"id": "number", "v": 7}),
        ],
    )
    .await;
    for limit in [1, 2, 1000] {
        let sorted = FindQuery { sort: by(&["v"]), limit, ..query(json!({})) };
        let ascending = ["number", "object", "one", "two", "boolean"];
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

/// Two fit, a third does not; one that is too long comes alone.
pub async fn ends_a_page_by_its_bytes(backend: &impl Backend) {
    let record = |n: usize, bytes: usize| json!({"id": n.to_string(), "n": n, "text": "x".repeat(bytes)});
    let sizes = [2, 5, 5, 5, 20, 1].map(|tenths| MAX_PAGE_BYTES / 10 * tenths - 100);
    let documents: Vec<_> = sizes.iter().enumerate().map(|(n, bytes)| record(n, *bytes)).collect();
    insert(backend, &documents).await;
    let mut sorted = FindQuery { sort: by(&["n"]), ..query(json!({})) };
    for expected in [&["0", "1"][..], &["2", "3"], &["4"], &["5"]] {
        let page = page(backend, &sorted).await.unwrap();
        assert_eq!(ids(&parsed(&page)), expected);
        sorted.after = page.next;
    }
    assert_eq!(sorted.after, None);
    let (mut unsorted, mut found) = (query(json!({})), BTreeSet::new());
    loop {
        let page = page(backend, &unsorted).await.unwrap();
        let bytes: usize = page.items.iter().map(String::len).sum();
        assert!(page.items.len() == 1 || bytes <= MAX_PAGE_BYTES, "{} documents, {bytes} bytes", page.items.len());
        found.extend(ids(&parsed(&page)).into_iter().map(str::to_owned));
        unsorted.after = page.next;
        if unsorted.after.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), documents.len());
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
    let missing = backend.documents().find("no-such-collection", Query::parse(&right()).unwrap()).await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NotFound);
}
