//! MongoDB.

use super::mongo::Scripted;
use host_adapters_platform::DocumentsBackend;
use host_adapters_records::ErrorKind;
use host_adapters_records::documents::{FindQuery, SortPath, UpdateResult};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};

fn id(n: u8) -> ObjectId {
    ObjectId::from_bytes([n; 12])
}

fn query(limit: u32, after: Option<String>) -> FindQuery {
    let sort = |path: &str, descending| SortPath { path: path.to_owned(), descending };
    let sort = vec![sort("score", true), sort("at", false)];
    FindQuery { filter: r#"{"n":1}"#.to_owned(), sort, projection: vec!["id".to_owned()], limit, after }
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
    assert!(!sent.contains_key("limit"), "some documents may have to be dropped");
}

pub async fn updates_in_one_command() {
    let server = Scripted::start(|_, _, _| doc! {"ok": 1, "n": 1, "nModified": 0}).await;
    let update = r#"{"$pull":{"l":{"$lt":5}},"$set":{"a.b":null},"$unset":{"c":""},"$inc":{"n":1}}"#;
    let result = server.client().await.update_one("c", r#"{"id":"x","l":{"$exists":true}}"#, update).await.unwrap();
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

/// PathNotViable and TypeMismatch are the caller's fault; a server that is stepping down is an outage.
pub async fn tells_refused_updates_from_outages() {
    let server = Scripted::start(|_, before, _| {
        let code = [28, 14, 40, 11_602][before.min(3)];
        doc! {"ok": 1, "n": 0, "nModified": 0, "writeErrors": [{"index": 0, "code": code, "errmsg": "as scripted"}]}
    })
    .await;
    let client = server.client().await;
    for kind in [ErrorKind::Invalid, ErrorKind::Invalid, ErrorKind::Invalid, ErrorKind::Unavailable] {
        let error = client.update_one("c", "{}", r#"{"$inc":{"n":1}}"#).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains("as scripted"), "{error}");
    }
}
