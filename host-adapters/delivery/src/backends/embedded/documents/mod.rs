//! Collections of JSON documents, found by a part of MongoDB's filters.

mod backend;
mod filter;
mod operator;
