//! The interface `documents` over the embedded store.

use super::{page, rows};
use crate::Embedded;
use host_adapters_platform::filter::Filter;
use host_adapters_platform::find::Query;
use host_adapters_platform::limits::document::{Document, check_size};
use host_adapters_platform::update::Update;
use host_adapters_platform::{DocumentsBackend, Result};
use host_adapters_records::documents::{DocumentPage, UpdateResult};
use rusqlite::Connection;
use std::ops::ControlFlow;

/// A document with the number of its row.
type Found = Option<(i64, String)>;

fn find(conn: &Connection, collection: i64, filter: &Filter) -> rusqlite::Result<Found> {
    let mut first = None;
    rows::each(conn, collection, filter, 0, |id, text, _| {
        first = Some((id, text.to_owned()));
        ControlFlow::Break(())
    })?;
    Ok(first)
}

fn replace(conn: &Connection, collection: i64, filter: &Filter, document: &str) -> rusqlite::Result<()> {
    match find(conn, collection, filter)? {
        Some((id, _)) => store(conn, id, document),
        None => conn
            .prepare_cached("INSERT INTO documents (collection, document) VALUES (?1, ?2)")?
            .execute((collection, document)),
    }
    .map(drop)
}

fn update(
    conn: &Connection,
    collection: i64,
    filter: &Filter,
    update: &Update,
) -> rusqlite::Result<Result<UpdateResult>> {
    let Some((id, text)) = find(conn, collection, filter)? else {
        return Ok(Ok(UpdateResult { matched: 0, modified: 0 }));
    };
    let changed = match changed(&text, update) {
        Ok(changed) => changed,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(text) = &changed {
        store(conn, id, text)?;
    }
    Ok(Ok(UpdateResult { matched: 1, modified: changed.is_some().into() }))
}

/// The document after the update; `None` if it does not change.
fn changed(text: &str, update: &Update) -> Result<Option<String>> {
    let after = update.apply(text)?;
    after.iter().try_for_each(|text| check_size("a document", text.len()))?;
    Ok(after)
}

fn store(conn: &Connection, id: i64, document: &str) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE documents SET document = ?2 WHERE id = ?1")?.execute((id, document))
}

#[async_trait::async_trait]
impl DocumentsBackend for Embedded {
    async fn find_one(&self, collection: &str, filter: Filter) -> Result<Option<String>> {
        let collection = self.names.collection(collection)?;
        let found = self.store.read(move |conn| find(conn, collection, &filter)).await?;
        Ok(found.map(|(_, document)| document))
    }

    async fn find(&self, collection: &str, query: Query) -> Result<DocumentPage> {
        let collection = self.names.collection(collection)?;
        let after = page::row_after(&query)?;
        self.store.read(move |conn| page::read(conn, collection, &query, after)).await?
    }

    async fn replace_one(&self, collection: &str, filter: Filter, document: Document) -> Result<()> {
        let collection = self.names.collection(collection)?;
        self.store.write(move |conn| replace(conn, collection, &filter, &document.text), |()| {}).await
    }

    async fn update_one(&self, collection: &str, filter: Filter, update: Update) -> Result<UpdateResult> {
        let collection = self.names.collection(collection)?;
        self.store.write(move |conn| self::update(conn, collection, &filter, &update), |_| {}).await?
    }
}
