//! `demand-table`, as the rules of scoring use it.

use scoring::table::{Change, Condition, Key};
use worker_kit::platform::table::{self, Predicate, Update};
use worker_kit::platform::{Error, ErrorKind};

/// The table of score items.
pub const TABLE: &str = "demand-table";

/// The requests to the table. Tests use one in memory.
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait Table {
    /// The present items as JSON text, in the order of the keys, of which each is there once.
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error>;
    /// Conditional updates, each independent of the others: of each its error, if it failed.
    async fn update(&self, changes: Vec<Change>) -> Result<Vec<Option<Error>>, Error>;
    /// Removes items, each there once: of each its error, if it failed.
    async fn remove(&self, keys: Vec<Key>) -> Result<Vec<Option<Error>>, Error>;
}

/// The real table.
#[derive(Clone, Copy, Debug)]
pub struct DemandTable;

impl Table for DemandTable {
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        table::batch_get(TABLE.to_owned(), keys.into_iter().map(key).collect()).await
    }

    async fn update(&self, changes: Vec<Change>) -> Result<Vec<Option<Error>>, Error> {
        table::batch_update(TABLE.to_owned(), changes.into_iter().map(update).collect()).await
    }

    async fn remove(&self, keys: Vec<Key>) -> Result<Vec<Option<Error>>, Error> {
        table::batch_write(TABLE.to_owned(), vec![], keys.into_iter().map(key).collect()).await
    }
}

/// The key in the platform's type.
pub fn key(Key { pk, sk }: Key) -> table::Key {
    table::Key { pk, sk }
}

/// The change in the platform's type.
pub fn update(change: Change) -> Update {
    let Change { key, set, remove, increment, condition } = change;
    let predicate = |condition| match condition {
        Condition::NotExists(path) => Predicate::NotExists(path),
        Condition::Equals(path, value) => Predicate::Equals((path, value)),
        Condition::AbsentOrEquals(path, value) => Predicate::AbsentOrEquals((path, value)),
        Condition::AbsentOrLessThan(path, value) => Predicate::AbsentOrLessThan((path, value)),
    };
    let condition = condition.into_iter().map(predicate).collect();
    Update { key: self::key(key), set, increment, remove, condition }
}

/// Makes changes, each independent of the others: of each its error, if it failed. A failure of the whole call is the
/// error of each.
pub async fn changes(table: &impl Table, changes: Vec<Change>) -> Vec<Option<Error>> {
    let count = changes.len();
    if count == 0 {
        return vec![];
    }
    match table.update(changes).await {
        Ok(results) => {
            let missing = std::iter::repeat_with(|| Some(unmentioned()));
            results.into_iter().chain(missing).take(count).collect()
        }
        Err(error) => vec![Some(error); count],
    }
}

/// The error of a part that the table's response leaves out.
pub fn unmentioned() -> Error {
    Error::new(ErrorKind::Unavailable, format!("table {TABLE}: the response does not mention every part of the call"))
}

/// Makes one change. `Ok(false)` says that its condition did not hold, and nothing was written.
///
/// # Errors
/// Any other failure.
pub async fn change(table: &impl Table, change: Change) -> Result<bool, Error> {
    match changes(table, vec![change]).await.pop().flatten() {
        None => Ok(true),
        Some(error) if error.kind == ErrorKind::ConditionFailed => Ok(false),
        Some(error) => Err(error),
    }
}
