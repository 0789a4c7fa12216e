//! Operator requests about components: their versions, and swaps.

use super::Gateway;
use super::callers::Caller;
use crate::components::{Components, SwapError, Swapped};
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Extension, Json, Router};
use chrono::{DateTime, SecondsFormat, Utc};
use host_adapters_records::{Error, ErrorKind};
use host_adapters_runtime::Source;
use host_adapters_runtime::registry::Serving;
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use std::sync::Arc;

/// The largest component that may be sent, bytes: many times the largest in use.
const MAX_COMPONENT_BYTES: usize = 64 << 20;

pub(super) fn routes(components: Arc<Components>) -> Router<Gateway> {
    Router::new()
        .route("/operator/versions", post(versions))
        .route("/operator/swap/{worker}", post(swap))
        .layer(Extension(components))
}

/// The serving versions, by component id.
async fn versions(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Extension(components): Extension<Arc<Components>>,
) -> Json<Result<Value, Error>> {
    let granted = gateway.platform.check_read_components(&caller);
    let versions = || components.serving().iter().map(version).collect::<Vec<_>>();
    Json(granted.map(|()| json!({ "versions": versions() })))
}

/// Replaces a worker by the component in the body.
async fn swap(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Extension(components): Extension<Arc<Components>>,
    worker: Result<Path<String>, PathRejection>,
    body: Body,
) -> Json<Result<Value, Error>> {
    // Checked before the body is read, so that a caller without the grant cannot fill the memory.
    let swapped = match gateway.platform.check_swap_components(&caller) {
        // No component has an id that is not UTF-8.
        Ok(()) => swapped(&components, &worker.map(|Path(id)| id).unwrap_or_default(), body).await,
        Err(refusal) => Err(refusal),
    };
    Json(swapped.map(|swapped| told(&swapped)))
}

async fn swapped(components: &Components, worker: &str, body: Body) -> Result<Swapped, Error> {
    let wasm = Limited::new(body, MAX_COMPONENT_BYTES).collect().await.map_err(|error| {
        let limit = MAX_COMPONENT_BYTES >> 20;
        Error::new(ErrorKind::Invalid, format!("the file did not arrive whole ({error}); it may have {limit} MiB"))
    })?;
    let swapped = components.swap(worker, Source::Sent(wasm.to_bytes())).await;
    swapped.map_err(|error| {
        let kind = match error {
            SwapError::Unknown { .. } => ErrorKind::NotFound,
            SwapError::Refused(_) => ErrorKind::Invalid,
            SwapError::Ended(_) => ErrorKind::Unavailable,
        };
        Error::new(kind, error.to_string())
    })
}

fn told(swapped: &Swapped) -> Value {
    let loaded = &swapped.loaded;
    json!({
        "worker": swapped.worker, "digest": &*loaded.digest, "replaced": loaded.replaced.as_deref(),
        "changed": loaded.is_new(), "cached": loaded.cached, "ms": swapped.ms(),
    })
}

fn version(serving: &Serving) -> Value {
    json!({
        "worker": serving.component, "digest": &*serving.digest, "source": serving.source,
        "since": DateTime::<Utc>::from(serving.since).to_rfc3339_opts(SecondsFormat::Millis, true),
        "instances": serving.instances,
        "retiring": { "versions": serving.retiring.len(), "calls": serving.retiring.iter().sum::<usize>() },
    })
}
