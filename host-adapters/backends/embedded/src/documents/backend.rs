//! Documents over the embedded store. `id` and `slug` have an index each; any other filter looks at the whole
//! collection, oldest document first.

use crate::Embedded;
use host_adapters_platform::filter::Filter;
use host_adapters_platform::limits::document::check_document;
use host_adapters_platform::{DocumentsBackend, Result};
use rusqlite::{Connection, Params};

/// A document with the number of its row.
type Found = Option<(i64, String)>;

fn find(conn: &Connection, collection: i64, filter: &Filter) -> rusqlite::Result<Found> {
    let all = "SELECT id, document FROM documents WHERE collection = ?1 ORDER BY id";
    let by_id = "SELECT id, document FROM documents WHERE collection = ?1 AND document ->> '$.id' = ?2 ORDER BY id";
    let by_slug = "SELECT id, document FROM documents WHERE collection = ?1 AND document ->> '$.slug' = ?2 ORDER BY id";
    match (usable(filter.required("id")), usable(filter.required("slug"))) {
        (Some(id), _) => first_match(conn, by_id, (collection, id), filter),
        (None, Some(slug)) => first_match(conn, by_slug, (collection, slug), filter),
        (None, None) => first_match(conn, all, [collection], filter),
    }
}

/// What SQLite's JSON functions read as we do: they end a text at a NUL.
fn usable(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.contains('\0'))
}

fn first_match(conn: &Connection, sql: &str, params: impl Params, filter: &Filter) -> rusqlite::Result<Found> {
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query(params)?;
    while let Some(row) = rows.next()? {
        let text = row.get_ref(1)?.as_str()?;
        // Only what parsed is ever stored.
        if serde_json::from_str(text).is_ok_and(|document| filter.matches(&document)) {
            return Ok(Some((row.get(0)?, text.to_owned())));
        }
    }
    Ok(None)
}

fn replace(conn: &Connection, collection: i64, filter: &Filter, document: &str) -> rusqlite::Result<()> {
    match find(conn, collection, filter)? {
        Some((id, _)) => {
            conn.prepare_cached("UPDATE documents SET document = ?2 WHERE id = ?1")?.execute((id, document))
        }
        None => conn
            .prepare_cached("INSERT INTO documents (collection, document) VALUES (?1, ?2)")?
            .execute((collection, document)),
    }
    .map(drop)
}

#[async_trait::async_trait]
impl DocumentsBackend for Embedded {
    async fn find_one(&self, collection: &str, filter: &str) -> Result<Option<String>> {
        let (collection, filter) = (self.names.collection(collection)?, Filter::parse(filter)?);
        let found = self.store.read(move |conn| find(conn, collection, &filter)).await?;
        Ok(found.map(|(_, document)| document))
    }

    async fn replace_one(&self, collection: &str, filter: &str, document: &str) -> Result<()> {
        let (collection, filter) = (self.names.collection(collection)?, Filter::parse(filter)?);
        check_document(document)?;
        let document = document.to_owned();
        self.store.write(move |conn| replace(conn, collection, &filter, &document), |()| {}).await
    }
}
