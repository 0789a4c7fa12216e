//! `registration:platform/table`: tables of items with string keys `pk` and `sk`; items are JSON objects as text.

use crate::{Error, Function};
use serde::{Deserialize, Serialize};

/// The key of an item.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

/// One predicate of a condition. Paths are dotted (`date.updated`), values JSON text.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Predicate {
    /// The item has the attribute.
    Exists(String),
    /// The item, if there is one, does not have the attribute.
    NotExists(String),
    /// The attribute has this value.
    Equals(String, String),
}

/// A conditional update of one item; it makes the item if there is none, unless the condition forbids.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Update {
    /// Which item.
    pub key: Key,
    /// Dotted path and new value as JSON text.
    #[serde(default)]
    pub set: Vec<(String, String)>,
    /// Dotted paths to remove.
    #[serde(default)]
    pub remove: Vec<String>,
    /// All must hold, else [`crate::ErrorKind::ConditionFailed`].
    #[serde(default)]
    pub condition: Vec<Predicate>,
}

/// Items in the order of the keys; `None` where there is no item.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BatchGet {
    /// Which table.
    pub table: String,
    /// Any number of keys.
    pub keys: Vec<Key>,
}

impl Function for BatchGet {
    const PATH: &'static str = "table/batch-get";
    type Output = Vec<Option<String>>;
}

/// Puts and deletes, each on its own; the output holds for each put, then each delete, its error if it failed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BatchWrite {
    /// Which table.
    pub table: String,
    /// Whole items, JSON objects as text, with `pk` and `sk`.
    #[serde(default)]
    pub puts: Vec<String>,
    /// Keys of items to delete; an absent item is not an error.
    #[serde(default)]
    pub deletes: Vec<Key>,
}

impl Function for BatchWrite {
    const PATH: &'static str = "table/batch-write";
    type Output = Vec<Option<Error>>;
}

/// Conditional updates, each on its own; the output holds for each its error if it failed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BatchUpdate {
    /// Which table.
    pub table: String,
    /// Any number of updates.
    pub updates: Vec<Update>,
}

impl Function for BatchUpdate {
    const PATH: &'static str = "table/batch-update";
    type Output = Vec<Option<Error>>;
}

/// Items of one `pk` whose `sk` begins with `prefix`, in the order of `sk`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Query {
    /// Which table.
    pub table: String,
    /// Partition key.
    pub pk: String,
    /// Beginning of the sort key; empty for all.
    pub prefix: String,
    /// Start behind this sort key.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many items, at least 1.
    pub limit: u32,
}

/// A page of a query.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Page {
    /// JSON objects as text.
    pub items: Vec<String>,
    /// Pass it as `after` for the next page; `None` at the end.
    pub next: Option<String>,
}

impl Function for Query {
    const PATH: &'static str = "table/query";
    type Output = Page;
}
