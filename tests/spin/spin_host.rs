//! A fake of a Spin host: variables, plain outbound HTTP, logs; no platform and no cache. Also the gateway, with the
//! grants of spin.toml.

use crate::host::sandbox::probe::PROBE;
use crate::host::sandbox::world::OneTable;
use bytes::Bytes;
use host_adapters::gateway::{Callers, Health};
use host_adapters::manifest::runtime_config::RuntimeConfig;
use host_adapters::manifest::{self, ProvidedVariables};
use host_adapters_outbound::Signer;
use host_adapters_platform::PlatformService;
use host_adapters_records::Platform;
use host_adapters_records::cache::CacheBackend;
use host_adapters_runtime::host::{Host, SendError, SendErrorKind, Sent};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;
use tests::programs;

/// The token of save-entries at the gateway.
pub const GATEWAY_TOKEN: &str = "gateway-secret";
/// Names the probe to the gateway, which has the grants of [`SEEDER`] there.
const PROBE_TOKEN: &str = "probe-secret";
/// The token that opens save-entries over HTTP.
pub const WORKER_TOKEN: &str = "worker-secret";
/// The client of spin.toml that writes to tables.
pub const SEEDER: &str = "seeder";

/// The gateway of `host-adapters` on embedded backends, set up from spin.toml as `up` does.
pub struct Gateway {
    pub url: String,
    pub platform: Arc<PlatformService>,
    answered: Arc<AtomicUsize>,
}

impl Gateway {
    pub async fn start(data: &Path) -> Self {
        let mut app = manifest::load(&programs::project().join("spin.toml"), &ProvidedVariables::default()).unwrap();
        // No fan's token is verified here, so no keys are needed.
        app.host.identity = None;
        let platform = host_adapters::backends::open(&app, data, &RuntimeConfig::default()).await.unwrap().platform;
        let gateway = host_adapters::gateway::Gateway {
            components: None,
            redriver: None,
            platform: platform.clone(),
            callers: Arc::new(Callers::new(
                [(GATEWAY_TOKEN, super::WORKER), (PROBE_TOKEN, SEEDER)]
                    .map(|(token, caller)| (token.to_owned(), caller.to_owned())),
            )),
            queues: app.host.queues.keys().cloned().collect(),
            metrics: tests::metrics(),
            health: Health::new(Vec::new),
            service_keys: serde_json::Value::Null,
        };
        let answered = Arc::<AtomicUsize>::default();
        let count = answered.clone();
        let router = gateway.router().layer(axum::middleware::map_request(move |request: axum::extract::Request| {
            count.fetch_add(1, Ordering::Relaxed);
            std::future::ready(request)
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, platform, answered }
    }

    /// The number of requests that it has answered.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

/// The fake host.
pub struct SpinHost {
    variables: BTreeMap<&'static str, String>,
    entry_service: String,
    /// Signs the app-to-app token that the bridge adds to requests of a Spin host to services.
    signer: Signer,
    client: reqwest::Client,
    no_platform: Arc<dyn Platform>,
}

impl SpinHost {
    pub fn new(gateway: &str, entry_service: &str) -> Self {
        let variables = [
            ("gateway_url", gateway),
            ("gateway_token", GATEWAY_TOKEN),
            ("entry_service_url", entry_service),
            ("worker_token", WORKER_TOKEN),
        ];
        Self {
            variables: variables.map(|(name, value)| (name, value.to_owned())).into(),
            entry_service: entry_service.to_owned(),
            signer: Signer::generate().unwrap(),
            client: reqwest::Client::new(),
            no_platform: Arc::new(OneTable),
        }
    }
}

#[async_trait::async_trait]
impl Host for SpinHost {
    /// Never called: the linker has no such import.
    fn platform(&self) -> &Arc<dyn Platform> {
        &self.no_platform
    }

    async fn open_cache(&self, _: &str, _: &str, _: &str) -> Option<Arc<dyn CacheBackend>> {
        None
    }

    fn variable(&self, component: &str, name: &str) -> Option<String> {
        match (component, name) {
            (PROBE, "gateway_token") => Some(PROBE_TOKEN.to_owned()),
            _ => self.variables.get(name).cloned(),
        }
    }

    async fn send_http(&self, component: &str, _: &str, mut request: http::Request<Bytes>) -> Result<Sent, SendError> {
        if request.uri().to_string().starts_with(&self.entry_service) {
            let token = self.signer.token(component, "entry", SystemTime::now()).unwrap();
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let failed = |error: reqwest::Error| SendError {
            kind: SendErrorKind::Connection,
            message: error.to_string(),
            outage: None,
        };
        let response = self.client.execute(request.try_into().map_err(failed)?).await.map_err(failed)?;
        let mut answer = http::Response::builder().status(response.status());
        *answer.headers_mut().unwrap() = response.headers().clone();
        Ok(Sent { response: answer.body(response.bytes().await.map_err(failed)?).unwrap(), outage: None })
    }

    fn log(&self, _: &str, _: &str, line: &str) {
        eprintln!("{line}");
    }
}
