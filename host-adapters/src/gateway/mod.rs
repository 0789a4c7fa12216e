//! The platform over HTTP on loopback: the only way into embedded backends from outside.
//!
//! `POST /platform/<interface>/<function>` with `Authorization: Bearer <token>`, whose owner must have the grant; `POST
//! /operator/queues` for depths, `POST /operator/peek` for the oldest messages, `POST /operator/dead-letters/<what>`
//! for dead letters, `POST /operator/events/<what>` for the event log, `POST /operator/versions` for the serving
//! versions, `POST /operator/swap/<worker>` to replace a worker; `/tasks/<worker>/<name>` to start, see and stop
//! executions of tasks; `/metrics`, `/livez`, `/readyz`, `/.well-known/jwks.json` (the keys of the app-to-app tokens)
//! for anyone who can reach the port.

mod callers;
mod components;
mod dead_letters;
mod events;
mod operator;
mod platform;
mod refusal;
mod status;
mod tasks;

pub use callers::Callers;
pub(crate) use events::PAGE as EVENTS_PAGE;
pub use status::Health;
pub(crate) use tasks::PAGE as TASKS_PAGE;
pub use tasks::Tasks;

use crate::components::Components;
use crate::telemetry::metrics::Metrics;
use axum::Router;
use axum::routing::{get, post};
use host_adapters_delivery::redrive::Redriver;
use host_adapters_platform::PlatformService;
use std::sync::Arc;

/// The largest body of a request, bytes: an object of 4 MiB, each byte as up to three digits and a comma, and its key.
const MAX_BODY_BYTES: usize = 17 << 20;

/// What the gateway serves.
#[derive(Clone)]
pub struct Gateway {
    /// Checks the grants.
    pub platform: Arc<PlatformService>,
    /// The callers, by token.
    pub callers: Arc<Callers>,
    /// The components, if this host runs any.
    pub components: Option<Arc<Components>>,
    /// The queues, in the order of their names.
    pub queues: Arc<[String]>,
    /// Works on dead letters, if this host has workers to hand them to.
    pub redriver: Option<Redriver>,
    /// The executions of tasks, if this host has workers to hand them to.
    pub tasks: Option<Tasks>,
    /// For `/metrics`.
    pub metrics: Metrics,
    /// For `/livez` and `/readyz`.
    pub health: Health,
    /// The public keys of the app-to-app tokens, for the services that check them.
    pub service_keys: serde_json::Value,
}

impl Gateway {
    /// The gateway's routes.
    pub fn router(self) -> Router {
        let components = self.components.clone().map(components::routes);
        let dead_letters = self.redriver.clone().map(dead_letters::routes);
        let tasks = self.tasks.clone().map(tasks::routes);
        platform::routes()
            .route("/operator/queues", post(operator::queues))
            .route("/operator/peek", post(operator::peek))
            .route("/operator/events/partitions", post(events::partitions))
            .route("/operator/events/read", post(events::read))
            .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY_BYTES))
            .route("/metrics", get(status::metrics))
            .route("/livez", get(status::livez))
            .route("/readyz", get(status::readyz))
            .route("/.well-known/jwks.json", get(status::service_keys))
            .merge(components.unwrap_or_default())
            .merge(dead_letters.unwrap_or_default())
            .merge(tasks.unwrap_or_default())
            .fallback(refusal::not_found)
            .method_not_allowed_fallback(refusal::method_not_allowed)
            .with_state(self)
    }
}
