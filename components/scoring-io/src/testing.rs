//! A small world for tests of workers: a table in memory, whose calls may wait, fail, or take effect although the
//! response is lost.

use crate::table::Table;
use scoring::table::{Change, Key};
use scoring::testing;
use std::cell::RefCell;
use std::collections::BTreeMap;
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::testing::{Choices, Fate};

/// The longest keys of a table.
const MAX_PK_BYTES: usize = 2_048;
const MAX_SK_BYTES: usize = 1_024;

/// The world.
#[derive(Debug, Default)]
pub struct World {
    /// The table.
    pub table: RefCell<testing::Table>,
    /// What goes wrong.
    pub choices: Choices,
    /// Sort keys whose updates fail, with this error.
    pub stuck: BTreeMap<String, Error>,
    /// Calls of the table.
    pub calls: RefCell<usize>,
}

/// The error of a call that fails.
pub fn down() -> Error {
    Error::new(ErrorKind::Unavailable, "down")
}

impl World {
    /// Makes a call, which may fail before or after it takes effect.
    pub async fn call<T>(&self, effect: impl FnOnce() -> T) -> Result<T, Error> {
        *self.calls.borrow_mut() += 1;
        match self.choices.fate(|| {}).await {
            Fate::Good => Ok(effect()),
            Fate::Lost => Err(down()),
            Fate::ResponseLost => {
                effect();
                Err(down())
            }
        }
    }

    fn apply(&self, change: &Change) -> Option<Error> {
        if let Some(error) = self.stuck.get(&change.key.sk) {
            return Some(error.clone());
        }
        if self.choices.choose(8) == 7 {
            return Some(down());
        }
        let applied = self.table.borrow_mut().apply(change);
        applied.err().map(|unmet| Error::new(ErrorKind::ConditionFailed, unmet))
    }
}

impl Table for World {
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        // DynamoDB refuses the whole request.
        if keys.iter().any(|key| key.pk.len() > MAX_PK_BYTES || key.sk.len() > MAX_SK_BYTES) {
            return Err(Error::new(ErrorKind::Invalid, "a key is too long"));
        }
        self.call(|| keys.iter().map(|key| self.table.borrow().get(key)).collect()).await
    }

    async fn update(&self, changes: Vec<Change>) -> Result<Vec<Option<Error>>, Error> {
        self.call(|| changes.iter().map(|change| self.apply(change)).collect()).await
    }

    async fn remove(&self, keys: Vec<Key>) -> Result<Vec<Option<Error>>, Error> {
        let remove = |key| {
            self.table.borrow_mut().items.remove(key);
            None
        };
        self.call(|| keys.iter().map(remove).collect()).await
    }
}
