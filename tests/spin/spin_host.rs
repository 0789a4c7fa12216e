//! A fake of a Spin host: variables, plain outbound HTTP, logs; no platform and no cache. Also the gateway, with the
//! grants and the services of spin.toml.

use crate::host::sandbox::probe::PROBE;
use crate::host::sandbox::world::OneTable;
use bytes::Bytes;
use host_adapters::backends;
use host_adapters::gateway::{Callers, Health};
use host_adapters::manifest::runtime_config::RuntimeConfig;
use host_adapters::manifest::{self, ProvidedVariables};
use host_adapters::outgoing::TracedServices;
use host_adapters::telemetry::Tracing;
use host_adapters_platform::PlatformService;
use host_adapters_records::Platform;
use host_adapters_records::cache::CacheBackend;
use host_adapters_runtime::host::{Host, SendError, SendErrorKind};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
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
    pub async fn start(data: &Path, entry_service: &str) -> Self {
        let named = [("entry_service_upstream".to_owned(), entry_service.to_owned())].into();
        let given = ProvidedVariables { named, ..ProvidedVariables::default() };
        let mut app = manifest::load(&programs::project().join("spin.toml"), &given).unwrap();
        // No fan's token is verified here, so no keys are needed.
        app.host.identity = None;
        let (services, tracing) = (backends::services(&app, None).unwrap(), Tracing::from_env().unwrap());
        let services = TracedServices { services, tracing };
        let backends = backends::open(&app, data, &RuntimeConfig::default(), services).await.unwrap();
        let platform = backends.platform;
        let gateway = host_adapters::gateway::Gateway {
            components: None,
            redriver: None,
            tasks: None,
            platform: platform.clone(),
            callers: Arc::new(Callers::new(
                [(GATEWAY_TOKEN, super::WORKER), (PROBE_TOKEN, SEEDER)]
                    .map(|(token, caller)| (token.to_owned(), caller.to_owned())),
            )),
            queues: app.host.declared.queues.keys().cloned().collect(),
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
        Self { url: tests::serve(router).await, platform, answered }
    }

    /// The number of requests that it has answered.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

/// The fake host.
pub struct SpinHost {
    variables: BTreeMap<&'static str, String>,
    client: reqwest::Client,
    /// The hosts that components have called.
    pub sent_to: Mutex<BTreeSet<String>>,
    no_platform: Arc<dyn Platform>,
}

impl SpinHost {
    pub fn new(gateway: &str) -> Self {
        let variables = [("gateway_url", gateway), ("gateway_token", GATEWAY_TOKEN), ("worker_token", WORKER_TOKEN)];
        Self {
            variables: variables.map(|(name, value)| (name, value.to_owned())).into(),
            client: tests::client(),
            sent_to: Mutex::default(),
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

    async fn send_http(
        &self,
        _: &str,
        _: &str,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, SendError> {
        self.sent_to.lock().unwrap().insert(request.uri().authority().unwrap().to_string());
        let failed = |error: reqwest::Error| SendError { kind: SendErrorKind::Connection, message: error.to_string() };
        let response = self.client.execute(request.try_into().map_err(failed)?).await.map_err(failed)?;
        let mut answer = http::Response::builder().status(response.status());
        *answer.headers_mut().unwrap() = response.headers().clone();
        Ok(answer.body(response.bytes().await.map_err(failed)?).unwrap())
    }

    fn log(&self, _: &str, _: &str, line: &str) {
        eprintln!("{line}");
    }
}
