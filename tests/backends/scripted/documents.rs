//! MongoDB.

use super::mongo::Scripted;
use host_adapters_platform::DocumentsBackend;
use host_adapters_platform::filter::Filter;
use host_adapters_platform::find::Query;
use host_adapters_platform::update::Update;
use host_adapters_records::ErrorKind;
use host_adapters_records::documents::{FindQuery, SortPath, UpdateResult};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};

fn id(n: u8) -> ObjectId {
    ObjectId::from_bytes([n; 12])
}

fn query(limit: u32, after: Option<String>) -> Query {
    let sort = |path: &str, descending| SortPath { path: path.to_owned(), descending };
    let sort = vec![sort("score", true), sort("at", false)];
    let query = FindQuery { filter: r#"{"n":1}"#.to_owned(), sort, projection: vec!["id".to_owned()], limit, after };
    Query::parse(&query).unwrap()
}

/// A batch of a cursor; the id 0 means that the cursor has ended.
fn batch(kind: &str, cursor: i64, documents: Vec<Document>) -> Document {
    doc! {"ok": 1, "cursor": {"id": cursor, "ns": "d.p-c", kind: documents}}
}

/// Score and date are equal, so that the `_id` decides.
fn record(n: u8) -> Document {
    doc! {"_id": id(n), "id": format!("r{n}"), "score": 5, "at": DateTime::from_millis(1000)}
}

pub async fn reads_a_page_by_several_batches() {
    let server = Scripted::start(|command, before, _| match (command, before) {
        ("find", _) => batch("firstBatch", 7, vec![record(1)]),
        ("getMore", 0) => batch("nextBatch", 7, vec![]),
        ("getMore", _) => batch("nextBatch", 0, vec![record(2), record(3)]),
        _ => doc! {"ok": 1},
    })
    .await;
    let page = server.client().await.find("c", query(2, None)).await.unwrap();
    assert_eq!(page.items, [r#"{"id":"r1"}"#, r#"{"id":"r2"}"#]);
    assert!(page.next.is_some());
    let sent = server.commands("find").remove(0);
    assert_eq!(sent.get_str("find").unwrap(), "p-c");
    assert_eq!(sent.get_document("filter").unwrap(), &doc! {"n": 1_i64});
    assert_eq!(sent.get_document("sort").unwrap(), &doc! {"score": -1, "at": 1, "_id": 1});
    assert_eq!(sent.get_document("projection").unwrap(), &doc! {"id": 1, "score": 1, "at": 1});
    assert_eq!(sent.get_i64("limit").unwrap(), 3);
    assert_eq!(server.commands("getMore").len(), 2);
}

/// Dates keep their type in the token. Documents that the filter cannot exclude are dropped.
pub async fn goes_on_behind_a_place() {
    let server =
        Scripted::start(|command, _, body| match (command, body.get_document("filter").unwrap().get("$and")) {
            ("find", None) => batch("firstBatch", 0, vec![record(1), record(2)]),
            ("find", Some(_)) => {
                batch("firstBatch", 0, vec![doc! {"_id": id(9), "id": "before", "score": [9, 5]}, record(1), record(2)])
            }
            _ => doc! {"ok": 1},
        })
        .await;
    let client = server.client().await;
    let first = client.find("c", query(1, None)).await.unwrap();
    let second = client.find("c", query(1, first.next)).await.unwrap();
    assert_eq!((second.items, second.next), (vec![r#"{"id":"r2"}"#.to_owned()], None));
    let sent = server.commands("find").remove(1);
    let (score, at) = (Bson::Int64(5), DateTime::from_millis(1000));
    let before = [
        doc! {"score": {"$gt": score.clone()}},
        doc! {"score": score.clone(), "at": {"$lt": at}},
        doc! {"score": score.clone(), "at": null},
        doc! {"score": score, "at": at, "_id": {"$lte": id(1)}},
    ];
    assert_eq!(sent.get_document("filter").unwrap(), &doc! {"$and": [{"n": 1_i64}, {"$nor": before.to_vec()}]});
    let limits: Vec<_> = server.commands("find").iter().map(|sent| sent.get_i64("limit").unwrap()).collect();
    assert_eq!(limits, [2, 2, 8], "never without one; more where what was dropped left the page open");
}

/// Both paths take the same element of a list, which a filter cannot ask for: only the first path is asked for.
pub async fn pages_by_two_paths_through_one_list() {
    let record = |n: u8, gates: &[(&str, i32)]| {
        let gates: Vec<_> = gates.iter().map(|(kind, n)| doc! {"type": *kind, "n": *n}).collect();
        doc! {"_id": id(n), "id": format!("r{n}"), "gates": gates}
    };
    let server = Scripted::start(move |_, _, _| {
        let records = [record(3, &[("a", 5), ("c", 0)]), record(2, &[("a", 7)]), record(1, &[("a", 9), ("b", 1)])];
        batch("firstBatch", 0, records.to_vec())
    })
    .await;
    let client = server.client().await;
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let sort = ["gates.type", "gates.n"].map(|path| SortPath { path: path.to_owned(), descending: false }).into();
        let projection = vec!["id".to_owned()];
        let query = FindQuery { filter: "{}".to_owned(), sort, projection, limit: 1, after };
        let page = client.find("c", Query::parse(&query).unwrap()).await.unwrap();
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [r#"{"id":"r3"}"#, r#"{"id":"r2"}"#, r#"{"id":"r1"}"#]);
    let sent = server.commands("find").remove(1);
    let before = [doc! {"gates.type": {"$lt": "a"}}, doc! {"gates.type": null}];
    assert_eq!(sent.get_document("filter").unwrap(), &doc! {"$and": [{}, {"$nor": before.to_vec()}]});
}

pub async fn updates_in_one_command() {
    let server = Scripted::start(|_, _, _| doc! {"ok": 1, "n": 1, "nModified": 0}).await;
    let update = r#"{"$pull":{"l":{"$lt":5}},"$set":{"a.b":null},"$unset":{"c":""},"$inc":{"n":1}}"#;
    let filter = Filter::parse(r#"{"id":"x","l":{"$exists":true}}"#).unwrap();
    let result = server.client().await.update_one("c", filter, Update::parse(update).unwrap()).await.unwrap();
    assert_eq!(result, UpdateResult { matched: 1, modified: 0 });
    let sent = server.commands("update");
    assert_eq!(sent.len(), 1);
    let change = sent[0].get_array("updates").unwrap()[0].as_document().unwrap();
    assert_eq!(change.get_document("q").unwrap(), &doc! {"id": "x", "l": {"$exists": true}});
    let expected =
        doc! {"$inc": {"n": 1_i64}, "$pull": {"l": {"$lt": 5_i64}}, "$set": {"a.b": null}, "$unset": {"c": ""}};
    assert_eq!(change.get_document("u").unwrap(), &expected);
    assert!(!change.get_bool("upsert").unwrap_or(false) && !change.get_bool("multi").unwrap_or(false));
}

/// BadValue (an integer that would exceed 64 bits), PathNotViable and TypeMismatch are the caller's fault, a server that is
/// stepping down is an outage.
pub async fn tells_refused_updates_from_outages() {
    let server = Scripted::start(|_, before, _| {
        let code = [2, 28, 14, 40, 11_602][before.min(4)];
        doc! {"ok": 1, "n": 0, "nModified": 0, "writeErrors": [{"index": 0, "code": code, "errmsg": "as scripted"}]}
    })
    .await;
    let client = server.client().await;
    for kind in [[ErrorKind::Invalid; 4].as_slice(), &[ErrorKind::Unavailable]].concat() {
        let (filter, update) = (Filter::parse("{}").unwrap(), Update::parse(r#"{"$inc":{"n":1}}"#).unwrap());
        let error = client.update_one("c", filter, update).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains("as scripted"), "{error}");
    }
}
