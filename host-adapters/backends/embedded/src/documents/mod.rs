//! Collections of JSON documents, found by a part of MongoDB's filters.

mod backend;
mod page;
mod rows;
