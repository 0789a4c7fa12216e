//! A page of documents in the order of a sort; `_id` tells equal ones apart.
//!
//! The next page is found by the sort key and the `_id` of the last document, not by a count, which others' writes would
//! shift. MongoDB compares within one type when it filters and across types when it sorts, and it sorts a list by one
//! element but filters by any. So the filter leaves out what certainly comes before, and the rest is dropped here.

use crate::json;
use host_adapters_platform::find::{Place, Query};
use host_adapters_records::documents::DocumentPage;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::error::Result;
use serde_json::{Value, json as value};

/// Adds to a filter that what comes before the page is not wanted.
pub(crate) fn filter(filter: Document, query: &Query) -> Document {
    match query.after.as_ref().map(|after| before(query, after)) {
        Some(before) if !before.is_empty() => doc! {"$and": [filter, {"$nor": before}]},
        _ => filter,
    }
}

/// Filters of documents that come before a place or are at it: equal at the first paths, before it at the next. Each
/// holds for some that come before, and for none that come after: what a list contains is at least its first element.
fn before(query: &Query, after: &Place) -> Vec<Document> {
    let (mut all, mut equal) = (Vec::new(), Document::new());
    let with = |equal: &Document, path: &str, condition: Bson| {
        let mut filter = equal.clone();
        filter.insert(path, condition);
        filter
    };
    for ((path, descending), key) in query.sort.paths().zip(&after.key) {
        let Some(key) = scalar(key) else { return all };
        let operator = if descending { "$gt" } else { "$lt" };
        all.push(with(&equal, &path, doc! {operator: key.clone()}.into()));
        if !descending && key != Bson::Null {
            all.push(with(&equal, &path, Bson::Null));
        }
        equal.insert(path, key);
    }
    all.extend(scalar(&after.id).map(|id| with(&equal, "_id", doc! {"$lte": id}.into())));
    all
}

/// Reads the page.
pub(crate) async fn read(
    collection: &Collection<Document>,
    filter: Document,
    query: &Query,
    projection: &[String],
) -> Result<DocumentPage> {
    // One more tells whether there is a next page.
    let enough = query.limit + 1;
    let mut find = collection.find(filter).sort(sort(query)).batch_size(u32::try_from(enough).unwrap_or(u32::MAX));
    if !query.projection.keeps_all() {
        find = find.projection(needed(query, projection));
    }
    if query.after.is_none() {
        find = find.limit(i64::try_from(enough).unwrap_or(i64::MAX));
    }
    let mut cursor = find.await?;
    let mut page = DocumentPage { items: Vec::new(), next: None };
    let mut last = None;
    while cursor.advance().await? {
        let mut document: Document = cursor.deserialize_current()?;
        let place = place(query, &mut document);
        if !query.is_after(&place) {
            continue;
        }
        if page.items.len() == query.limit {
            page.next = last.map(|place: Place| place.token(&query.sort));
            break;
        }
        page.items.push(query.projection.apply(json(Bson::Document(document))).to_string());
        last = Some(place);
    }
    Ok(page)
}

fn sort(query: &Query) -> Document {
    let paths = query.sort.paths().map(|(path, descending)| (path, Bson::from(if descending { -1 } else { 1 })));
    paths.chain([("_id".to_owned(), Bson::from(1))]).collect()
}

/// What is to be read: what is kept, and what is sorted by. MongoDB refuses paths that lead into each other.
fn needed(query: &Query, projection: &[String]) -> Document {
    let sorted = query.sort.paths().map(|(path, _)| before_a_position(&path).to_owned());
    let paths: Vec<_> = projection.iter().cloned().chain(sorted).collect();
    let covered = |path: &str| {
        paths.iter().any(|other| path.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('.')))
    };
    paths.iter().filter(|path| !covered(path)).map(|path| (path.clone(), Bson::from(1))).collect()
}

/// A projection takes the number of an element for a name; so the whole list is read.
fn before_a_position(path: &str) -> &str {
    let is_number = |segment: &str| segment.bytes().all(|byte| byte.is_ascii_digit());
    let dots = path.match_indices('.').map(|(dot, _)| dot);
    let position =
        dots.into_iter().find(|dot| path.get(dot + 1..).and_then(|rest| rest.split('.').next()).is_some_and(is_number));
    position.and_then(|dot| path.get(..dot)).unwrap_or(path)
}

/// Takes the `_id` out of a document.
fn place(query: &Query, document: &mut Document) -> Place {
    let id = typed(&document.remove("_id").unwrap_or(Bson::Null));
    let key =
        if query.sort.is_empty() { Vec::new() } else { query.sort.key(&typed(&Bson::Document(document.clone()))) };
    Place { key, id }
}

/// As JSON in which ids and dates, which [`json`] makes strings, keep their types and with them their order.
fn typed(bson: &Bson) -> Value {
    match bson {
        Bson::Document(fields) => fields.iter().map(|(name, value)| (name.clone(), typed(value))).collect(),
        Bson::Array(values) => values.iter().map(typed).collect(),
        Bson::ObjectId(id) => value!({"$oid": id.to_hex()}),
        Bson::DateTime(time) => value!({"$date": time.timestamp_millis()}),
        other => json(other.clone()),
    }
}

/// What a filter can compare as a sort does: not lists and objects.
fn scalar(typed: &Value) -> Option<Bson> {
    match typed {
        Value::Null => Some(Bson::Null),
        Value::Bool(bool) => Some((*bool).into()),
        Value::Number(number) => number.as_i64().map(Bson::from).or(number.as_f64().map(Bson::from)),
        Value::String(text) => Some(text.into()),
        Value::Object(fields) => match (fields.get("$oid"), fields.get("$date")) {
            (Some(id), None) => ObjectId::parse_str(id.as_str()?).ok().map(Bson::from),
            (None, Some(time)) => Some(DateTime::from_millis(time.as_i64()?).into()),
            _ => None,
        },
        Value::Array(_) => None,
    }
}
