//! Liveness, readiness and metrics.

use super::Gateway;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use host_adapters_platform::circuit_breaker::Paused;
use host_adapters_sources::Status;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The contents of `/readyz`: whether the host takes work, and which sources are paused and why.
#[derive(Clone)]
pub struct Health {
    draining: Arc<AtomicBool>,
    sources: Arc<dyn Fn() -> Vec<Status> + Send + Sync>,
}

impl Health {
    /// Reads the state of the sources by `sources` at each request.
    pub fn new(sources: impl Fn() -> Vec<Status> + Send + Sync + 'static) -> Self {
        Self { draining: Arc::default(), sources: Arc::new(sources) }
    }

    /// Why a source of the worker is paused, if one is.
    pub(super) fn paused(&self, worker: &str) -> Option<Paused> {
        (self.sources)().into_iter().filter(|status| status.worker == worker).find_map(|status| status.paused)
    }

    /// From now on the host is not ready: it takes no new work.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

pub(super) async fn metrics(State(gateway): State<Gateway>) -> String {
    gateway.metrics.render()
}

pub(super) async fn service_keys(State(gateway): State<Gateway>) -> Json<Value> {
    Json(gateway.service_keys)
}

pub(super) async fn livez() -> &'static str {
    "ok"
}

/// Ready while the host takes work. A paused source is listed but does not make the host unready, because HTTP still
/// works.
pub(super) async fn readyz(State(gateway): State<Gateway>) -> (StatusCode, Json<Value>) {
    let draining = gateway.health.draining.load(Ordering::Relaxed);
    let status = if draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(json!({"ready": !draining, "draining": draining, "sources": (gateway.health.sources)()})))
}
