//! Requests that reach no handler: each refusal has the form of the API's errors.

use crate::server::error;
use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::Response;
use serde::de::DeserializeOwned;

/// The body of a request, as JSON.
pub(super) struct Arguments<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Arguments<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let Json(arguments) = Json::from_request(request, state)
            .await
            .map_err(|rejection| error(rejection.status(), code(rejection.status()), &rejection.body_text()))?;
        Ok(Self(arguments))
    }
}

fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "PAYLOAD_TOO_LARGE",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "UNSUPPORTED_MEDIA_TYPE",
        StatusCode::UNPROCESSABLE_ENTITY => "INVALID_ARGUMENTS",
        _ => "BAD_REQUEST",
    }
}

pub(super) async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "NOT_FOUND", "the gateway has no such path")
}

pub(super) async fn method_not_allowed() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "the path is there, with another method")
}
