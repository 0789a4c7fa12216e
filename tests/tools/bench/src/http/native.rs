//! The baseline: check-eligibility as a native server. The same domain crate, the same cache and the same verification
//! of tokens behind the same HTTP library, without a sandbox between them.

use crate::registration::{AUDIENCE, ISSUER, PATH};
use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use backend_embedded::EmbeddedCache;
use backend_identity::Identity;
use check_eligibility::check::{Outcome, check};
use check_eligibility::world::{Outage, World};
use chrono::Utc;
use host_adapters_platform::IdentityBackend;
use host_adapters_platform::IdentityConfig;
use host_adapters_platform::clock::Clock;
use host_adapters_records::cache::CacheBackend;
use serde_json::{Value, json};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use worker_kit::log::{Level, line};
use worker_kit::platform::identity::Claims;
use worker_kit::platform::table::Key;
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::entry::Invitee;

const WORKER: &str = "check-eligibility";

/// Serves until it is killed.
///
/// # Errors
/// When it cannot listen, or the files are not as expected.
pub fn serve(jwks: &Path, campaign: &Path) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let config = IdentityConfig {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            jwks: jwks.display().to_string(),
        };
        let backends =
            Backends { identity: Identity::new(config, Clock::wall())?, cache: EmbeddedCache::new(Clock::wall()) };
        backends.cache.set("campaign:bench", &std::fs::read(campaign)?).await?;
        let router = Router::new().route(PATH, post(answer)).with_state(Arc::new(backends));
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", json!({ "http": listener.local_addr()?.to_string() }));
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, router).await?)
    })
}

struct Backends {
    identity: Identity,
    cache: EmbeddedCache,
}

async fn answer(State(backends): State<Arc<Backends>>, headers: HeaderMap, body: String) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let token = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let call = Call { backends: &backends, correlation_id: header("x-correlation-id").unwrap_or_default().to_owned() };
    match check(&call, token, &body, Utc::now()).await {
        Outcome::Decision(decision) => axum::Json(decision).into_response(),
        Outcome::Refused { status, code, message } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, axum::Json(json!({"error": {"code": code, "message": message}}))).into_response()
        }
    }
}

/// The surroundings of one call.
struct Call<'a> {
    backends: &'a Backends,
    correlation_id: String,
}

impl Call<'_> {
    fn log(&self, level: Level, message: &str, data: &Value) {
        let mut text = line(Utc::now(), level, WORKER, message, &self.correlation_id, data);
        text.push('\n');
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

/// A value that is not in the cache is not looked up here.
fn unasked<T>() -> Result<T, Outage> {
    Err(Outage::new("benchmark", "only the cache is warm"))
}

impl World for Call<'_> {
    type Span = ();

    async fn verify(&self, token: &str) -> Result<Claims, Error> {
        let claims = self.backends.identity.verify(token).await;
        let claims = claims.map_err(|error| Error::new(ErrorKind::Denied, error.message))?;
        Ok(Claims { subject: claims.subject, email: claims.email, member_id: claims.member_id, idv: claims.idv })
    }

    async fn cached(&self, key: &str) -> Option<Vec<u8>> {
        self.backends.cache.get(key).await.ok().flatten()
    }

    async fn cache(&self, _: [&str; 2], _: &[u8]) {}

    async fn campaign(&self, _: &str) -> Result<Option<String>, Outage> {
        unasked()
    }

    async fn entries(&self, _: Vec<Key>) -> Result<Vec<bool>, Outage> {
        unasked()
    }

    async fn is_invited(&self, _: &str, _: &Invitee) -> Result<bool, Outage> {
        unasked()
    }

    async fn is_verified(&self, _: &str, _: &str) -> Result<bool, Outage> {
        unasked()
    }

    fn span(&self, _: &'static str, _: &str, _: &str) {}

    fn info(&self, message: &str, data: Value) {
        self.log(Level::Info, message, &data);
    }

    fn warn(&self, message: &str, data: Value) {
        self.log(Level::Warn, message, &data);
    }

    fn error(&self, message: &str, data: Value) {
        self.log(Level::Error, message, &data);
    }
}
