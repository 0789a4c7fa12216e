//! `registration:platform/documents`: collections of JSON documents with MongoDB's filters, as JSON text.

use crate::Function;
use serde::{Deserialize, Serialize};

/// The first document that the filter finds, as JSON text.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct FindOne {
    /// Which collection.
    pub collection: String,
    /// A MongoDB filter as JSON text.
    pub filter: String,
}

impl Function for FindOne {
    const PATH: &'static str = "documents/find-one";
    type Output = Option<String>;
}

/// Replaces the document that the filter finds, or inserts it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReplaceOne {
    /// Which collection.
    pub collection: String,
    /// A MongoDB filter as JSON text.
    pub filter: String,
    /// The whole document as JSON text.
    pub document: String,
}

impl Function for ReplaceOne {
    const PATH: &'static str = "documents/replace-one";
    type Output = ();
}
