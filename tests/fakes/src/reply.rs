//! Responses that all services share.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A response with a JSON body.
pub(crate) fn ok(body: Value) -> Response {
    Json(body).into_response()
}

/// A failure with the body of the contract.
pub(crate) fn failure(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response()
}

/// A response with status 400.
pub(crate) fn bad_request(message: &str) -> Response {
    failure(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
}

/// The value, or 404.
pub(crate) fn found(value: Option<Value>, what: &str) -> Response {
    value.map_or_else(|| failure(StatusCode::NOT_FOUND, "NOT_FOUND", &format!("no such {what}")), ok)
}

/// `after` and `limit` of a listing.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Paging {
    /// The page begins after this key.
    #[serde(default)]
    pub after: String,
    /// Most records of the page.
    #[serde(default = "default_limit")]
    pub limit: usize,
}

const fn default_limit() -> usize {
    100
}

impl Paging {
    /// The page size, within the contract's bounds.
    pub(crate) fn size(&self) -> usize {
        self.limit.clamp(1, 1000)
    }

    /// The same with at most so many records; 0 for no such limit.
    pub(crate) fn at_most(self, most: usize) -> Self {
        let limit = if most == 0 { self.limit } else { self.limit.min(most) };
        Self { limit, ..self }
    }

    /// A page under `name`, with `next` if there are more records. `records` holds one record more than the page in
    /// that case.
    pub(crate) fn page(&self, name: &str, mut records: Vec<(String, Value)>) -> Value {
        let more = records.len() > self.size();
        records.truncate(self.size());
        let next = records.last().filter(|_| more).map(|(key, _)| key.clone());
        let mut page = serde_json::Map::new();
        page.insert(name.to_owned(), records.into_iter().map(|(_, value)| value).collect());
        if let Some(next) = next {
            page.insert("next".to_owned(), next.into());
        }
        Value::Object(page)
    }
}
