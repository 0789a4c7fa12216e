//! A page of documents in the order of a sort; `_id` tells equal ones apart.
//!
//! The next page is found by the sort key and the `_id` of the last document, not by a count, which others' writes would
//! shift. MongoDB compares within one type when it filters and across types when it sorts, and it sorts a list by one
//! element but filters by any. So the filter leaves out what certainly comes before, and the rest is dropped here.

use crate::{bson, error, json};
use host_adapters_json::Decimal;
use host_adapters_platform::Result;
use host_adapters_platform::find::{PageBuilder, Place, Query, foreign_place};
use host_adapters_records::documents::DocumentPage;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use serde_json::{Value, json as value};
use std::collections::BTreeSet;

/// How much more is asked for when too much of what came had to be dropped.
const GROWTH: usize = 4;

/// Finds the page. MongoDB is always asked for a limited number of documents, because it refuses to sort any number of
/// them in its memory; so it is asked again, for more, in the rare case that those dropped here leave the page open.
pub(crate) async fn find(name: &str, collection: &Collection<Document>, query: &Query) -> Result<DocumentPage> {
    query.after.iter().try_for_each(check)?;
    let filter = filter(bson(query.filter.source())?, query);
    let mut limit = query.limit + 1;
    loop {
        let (page, read) = read(name, collection, filter.clone(), query, limit).await?;
        if page.is_full() || read < limit {
            return Ok(page.build());
        }
        limit = limit.saturating_mul(GROWTH);
    }
}

/// Whether a place is one of [`place`]'s.
fn check(after: &Place) -> Result<()> {
    let id = after.id.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("_id"));
    if id.into_iter().chain(&after.key).filter(|value| is_typed(value)).count() == 1 + after.key.len() {
        return Ok(());
    }
    Err(foreign_place())
}

/// Whether [`typed`] makes such values.
fn is_typed(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().all(is_typed),
        Value::Object(fields) if fields.keys().any(|name| name.starts_with('$')) => scalar(value).is_some(),
        Value::Object(fields) => fields.values().all(is_typed),
        _ => true,
    }
}

/// Adds to a filter the condition that excludes everything before the page.
fn filter(filter: Document, query: &Query) -> Document {
    match query.after.as_ref().map(|after| before(query, after)) {
        Some(before) if !before.is_empty() => doc! {"$and": [filter, {"$nor": before}]},
        _ => filter,
    }
}

/// Filters of documents that come before a place or are at it: equal at the first paths, before it at the next. Each
/// holds for some that come before, and for none that come after: what a list contains is at least its first element. They
/// end with a path that may lead through the list of an earlier one, where each could hold for another element.
fn before(query: &Query, after: &Place) -> Vec<Document> {
    let (mut all, mut equal, mut roots) = (Vec::new(), Document::new(), BTreeSet::new());
    let with = |equal: &Document, path: &str, condition: Bson| {
        let mut filter = equal.clone();
        filter.insert(path, condition);
        filter
    };
    for ((path, descending), key) in query.sort.paths().zip(&after.key) {
        let Some(key) = scalar(key).filter(|_| roots.insert(root(&path).to_owned())) else { return all };
        if key != Bson::Null {
            let operator = if descending { "$gt" } else { "$lt" };
            all.push(with(&equal, &path, doc! {operator: key.clone()}.into()));
            if !descending {
                all.push(with(&equal, &path, Bson::Null));
            }
        }
        equal.insert(path, key);
    }
    all.extend(after.id.get("_id").and_then(scalar).map(|id| with(&equal, "_id", doc! {"$lte": id}.into())));
    all
}

fn root(path: &str) -> &str {
    path.split_once('.').map_or(path, |(root, _)| root)
}

/// Reads the page from the first `limit` documents; answers also how many of them there were.
async fn read<'a>(
    name: &str,
    collection: &Collection<Document>,
    filter: Document,
    query: &'a Query,
    limit: usize,
) -> Result<(PageBuilder<'a>, usize)> {
    let failed = |failed| error(name, &failed);
    let mut find = collection.find(filter).sort(sort(query)).limit(i64::try_from(limit).unwrap_or(i64::MAX));
    find = find.batch_size(u32::try_from(limit).unwrap_or(u32::MAX));
    if !query.projection.keeps_all() {
        find = find.projection(needed(query));
    }
    let mut cursor = find.await.map_err(failed)?;
    let (mut page, mut read) = (PageBuilder::new(query), 0);
    while cursor.advance().await.map_err(failed)? {
        read += 1;
        let mut document: Document = cursor.deserialize_current().map_err(failed)?;
        let place = place(query, &mut document)?;
        if query.is_after(&place)
            && page.add(place, query.projection.apply(json(Bson::Document(document))).to_string()).is_break()
        {
            break;
        }
    }
    Ok((page, read))
}

fn sort(query: &Query) -> Document {
    let paths = query.sort.paths().map(|(path, descending)| (path, Bson::from(if descending { -1 } else { 1 })));
    paths.chain([("_id".to_owned(), Bson::from(1))]).collect()
}

/// What is to be read: what is kept, and what is sorted by. MongoDB refuses paths that lead into each other.
fn needed(query: &Query) -> Document {
    let sorted = query.sort.paths().map(|(path, _)| before_a_position(&path).to_owned());
    let paths: Vec<_> = query.projection.paths().into_iter().chain(sorted).collect();
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

/// Takes the `_id` out of a document. It is put into a separate object, which distinguishes this backend's places from
/// others'.
fn place(query: &Query, document: &mut Document) -> Result<Place> {
    let id = value!({"_id": typed(&document.remove("_id").unwrap_or(Bson::Null))});
    let key =
        if query.sort.is_empty() { Vec::new() } else { query.sort.key(&typed(&Bson::Document(document.clone())))? };
    Ok(Place { key, id })
}

/// As JSON in which ids, dates and long decimals, which [`json`] makes strings, keep their types and with them their order.
fn typed(bson: &Bson) -> Value {
    match bson {
        Bson::Document(fields) => fields.iter().map(|(name, value)| (name.clone(), typed(value))).collect(),
        Bson::Array(values) => values.iter().map(typed).collect(),
        Bson::ObjectId(id) => value!({"$oid": id.to_hex()}),
        Bson::DateTime(time) => value!({"$date": time.timestamp_millis()}),
        Bson::Decimal128(number) => match json(Bson::Decimal128(*number)) {
            // Too long for a number.
            Value::String(text) if Decimal::parse(&text).is_some() => value!({ "$numberDecimal": text }),
            Value::String(_) => Value::Null,
            number => number,
        },
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
        Value::Object(fields) => match fields.iter().next().map(|(name, value)| (name.as_str(), value)) {
            Some(("$oid", id)) => ObjectId::parse_str(id.as_str()?).ok().map(Bson::from),
            Some(("$date", time)) => Some(DateTime::from_millis(time.as_i64()?).into()),
            Some(("$numberDecimal", number)) => Some(Bson::Decimal128(number.as_str()?.parse().ok()?)),
            _ => None,
        },
        Value::Array(_) => None,
    }
}
