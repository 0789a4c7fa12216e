//! Writes rows of a table, each change and its stream record in one transaction. A write that changes nothing makes no
//! record.

use super::Table;
use host_adapters_json as json;
use host_adapters_platform::limits::item::Item;
use host_adapters_records::table::Key;
use rusqlite::{Connection, OptionalExtension};

/// A table, for a job of the writer.
pub(super) struct Rows<'a> {
    pub(super) conn: &'a Connection,
    pub(super) table: &'a Table,
    pub(super) now_ms: i64,
}

impl Rows<'_> {
    pub(super) fn put(&self, item: &Item) -> rusqlite::Result<()> {
        let old = self.get(&item.key)?;
        match old {
            // DynamoDB creates no record for a put that changes nothing.
            Some(old) if json::same(&old, &item.text) => Ok(()),
            old => self.store(&item.key, old.as_deref(), &item.text),
        }
    }

    pub(super) fn delete(&self, key: &Key) -> rusqlite::Result<()> {
        let mut delete =
            self.conn.prepare_cached("DELETE FROM items WHERE tab = ?1 AND pk = ?2 AND sk = ?3 RETURNING item")?;
        let old: Option<String> = delete.query_row((self.table.id, &key.pk, &key.sk), |row| row.get(0)).optional()?;
        match old {
            Some(old) => self.record(key, Some(&old), None),
            None => Ok(()),
        }
    }

    pub(super) fn get(&self, key: &Key) -> rusqlite::Result<Option<String>> {
        get(self.conn, self.table.id, key)
    }

    /// Stores the item and records the change.
    pub(super) fn store(&self, key: &Key, old: Option<&str>, new: &str) -> rusqlite::Result<()> {
        let sql = match old {
            None => "INSERT INTO items (tab, pk, sk, item) VALUES (?1, ?2, ?3, ?4)",
            Some(_) => "UPDATE items SET item = ?4 WHERE tab = ?1 AND pk = ?2 AND sk = ?3",
        };
        self.conn.prepare_cached(sql)?.execute((self.table.id, &key.pk, &key.sk, new))?;
        self.record(key, old, Some(new))
    }

    fn record(&self, key: &Key, old: Option<&str>, new: Option<&str>) -> rusqlite::Result<()> {
        let Some(stream) = &self.table.stream else { return Ok(()) };
        let sql = "INSERT INTO changes (id, time_ms, pk, sk, old, new) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let id = stream.next_sequence(key);
        self.conn.prepare_cached(sql)?.execute((id, self.now_ms, &key.pk, &key.sk, old, new))?;
        Ok(())
    }
}

/// The text of one item.
pub(super) fn get(conn: &Connection, table: i64, key: &Key) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT item FROM items WHERE tab = ?1 AND pk = ?2 AND sk = ?3")?
        .query_row((table, &key.pk, &key.sk), |row| row.get(0))
        .optional()
}
