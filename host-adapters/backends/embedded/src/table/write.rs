//! The interface `table` over the embedded store.

use super::rows::Rows;
use super::{Table, read, update};
use crate::Embedded;
use host_adapters_platform::limits::item::{Item, check_key};
use host_adapters_platform::{Result, TableBackend};
use host_adapters_records::Error;
use host_adapters_records::table::{BatchGet, BatchUpdate, BatchWrite, Key, Page, Query, Update};
use rusqlite::Connection;
use std::sync::Arc;

/// Most rows that one job of the writer changes, so that a batch of thousands does not delay other jobs.
const ROWS_PER_JOB: usize = 256;

/// A checked write of one row.
enum Write {
    Put(Item),
    Delete(Key),
    Update(Update),
}

impl Embedded {
    /// Writes the valid rows, job by job; the errors of the others are already in `results`.
    async fn write_rows(
        &self,
        table: &Arc<Table>,
        checked: Vec<std::result::Result<Write, Error>>,
    ) -> Result<Vec<Option<Error>>> {
        let mut results = Vec::with_capacity(checked.len());
        let mut checked = checked.into_iter().peekable();
        while checked.peek().is_some() {
            let job: Vec<_> = checked.by_ref().take(ROWS_PER_JOB).collect();
            let (clock, target, wake) = (self.clock.clone(), Arc::clone(table), Arc::clone(table));
            let apply = move |conn: &Connection| {
                let rows = Rows { conn, table: &target, now_ms: clock.now_ms() };
                job.into_iter().map(|row| row.map_or_else(|error| Ok(Some(error)), |row| write(&rows, row))).collect()
            };
            let done: Vec<_> = self.store.write(apply, move |_| wake.changed_now()).await?;
            results.extend(done);
        }
        Ok(results)
    }
}

fn write(rows: &Rows<'_>, row: Write) -> rusqlite::Result<Option<Error>> {
    match row {
        Write::Put(item) => rows.put(&item)?,
        Write::Delete(key) => rows.delete(&key)?,
        Write::Update(wanted) => {
            let old = rows.get(&wanted.key)?;
            match update::apply(&wanted, old.as_deref()) {
                Ok(Some(new)) => rows.store(&wanted.key, old.as_deref(), &new)?,
                Ok(None) => {}
                Err(error) => return Ok(Some(error)),
            }
        }
    }
    Ok(None)
}

#[async_trait::async_trait]
impl TableBackend for Embedded {
    async fn batch_get(&self, args: BatchGet) -> Result<Vec<Option<String>>> {
        let table = self.names.table(&args.table)?;
        read::check_keys(&args.keys)?;
        self.store.read(move |conn| read::get_all(conn, &table, &args.keys)).await
    }

    async fn batch_write(&self, args: BatchWrite) -> Result<Vec<Option<Error>>> {
        let table = self.names.table(&args.table)?;
        let puts = args.puts.into_iter().map(|text| Item::parse(text).map(Write::Put));
        let deletes = args.deletes.into_iter().map(|key| check_key(&key).map(|()| Write::Delete(key)));
        self.write_rows(&table, puts.chain(deletes).collect()).await
    }

    async fn batch_update(&self, args: BatchUpdate) -> Result<Vec<Option<Error>>> {
        let table = self.names.table(&args.table)?;
        let updates = args.updates.into_iter().map(|update| check_key(&update.key).map(|()| Write::Update(update)));
        self.write_rows(&table, updates.collect()).await
    }

    async fn query(&self, args: Query) -> Result<Page> {
        let table = self.names.table(&args.table)?;
        read::check_query(&args)?;
        self.store.read(move |conn| read::page(conn, &table, &args)).await
    }
}
