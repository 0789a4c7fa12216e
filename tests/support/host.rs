//! The whole host inside the test's process.

use crate::support::fan::{Fan, Signer};
use crate::support::settings::{self, OPERATOR_TOKEN, TESTER_TOKEN};
use crate::{log, programs, wait};
use fake_services::{FakeServices, Options};
use host_adapters::app::{self, Addresses, Running};
use host_adapters::backends;
use host_adapters::manifest::runtime_config::RuntimeConfig;
use host_adapters::manifest::{App, Component, SourceConfig};
use host_adapters::server::HttpLimits;
use host_adapters::telemetry::Tracing;
use host_adapters::telemetry::metrics::{self, Metrics};
use host_adapters_records::{Error, Function};
use reqwest::Client;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Mutex;

/// A running host with its services. All of it ends when this is dropped, and the test fails if a worker did what none may
/// do, such as to give one code to two fans.
pub struct TestHost {
    /// The fakes of the services.
    pub fakes: FakeServices,
    /// Signs tokens that the host accepts.
    pub signer: Signer,
    http: Client,
    running: Running,
    folder: TempDir,
}

/// A response over HTTP.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body; null if it is not JSON.
    pub body: Value,
}

impl TestHost {
    /// The host with the project's spin.toml.
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// The host with a changed manifest.
    pub async fn with(change: impl FnOnce(&mut App)) -> Self {
        Self::on(RuntimeConfig::default(), change).await
    }

    /// The host on these backends, where what it needs is made, with a changed manifest.
    pub async fn on(runtime_config: RuntimeConfig, change: impl FnOnce(&mut App)) -> Self {
        log::listen();
        let folder = tempfile::tempdir().unwrap();
        let (fakes, signer) = (FakeServices::start(Options::default()).await.unwrap(), Signer::generate());
        let jwks = folder.path().join("jwks.json");
        std::fs::write(&jwks, signer.jwks()).unwrap();
        let mut app = settings::manifest(settings::variables(&fakes, &jwks));
        change(&mut app);
        backends::provision(&app, &runtime_config, |_, _| Ok(())).await.unwrap();
        let running = start(app, &folder, runtime_config).await;
        Self { fakes, signer, http: client(), running, folder }
    }

    /// The running host, for example to hand batches to workers as a source does.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// The folder of the host's data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The HTTP client, for requests that the other functions do not send.
    pub fn http(&self) -> &Client {
        &self.http
    }

    /// Calls check-eligibility as the resolver does, with the fan's token.
    pub async fn eligibility(&self, fan: Fan, body: &Value) -> Reply {
        self.eligibility_as(Some(&self.signer.sign(&fan.claims())), body).await
    }

    /// Calls check-eligibility with any token, or none.
    pub async fn eligibility_as(&self, token: Option<&str>, body: &Value) -> Reply {
        self.post("/workers/check-eligibility", token, body.to_string()).await
    }

    /// Hands a worker an event over HTTP.
    pub async fn post(&self, path: &str, token: Option<&str>, body: impl Into<reqwest::Body>) -> Reply {
        let request = self.http.post(self.url(path)).header("content-type", "application/json").body(body);
        self.send(token.into_iter().fold(request, |request, token| request.bearer_auth(token))).await
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addresses.http)
    }

    /// The address of a path of the gateway.
    pub fn gateway_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addresses.gateway)
    }

    /// Sends any request.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        Reply { status, body: serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default() }
    }

    /// Calls the platform through the gateway, as a client with all grants that tests need.
    pub async fn platform<F: Function>(&self, arguments: &F) -> F::Output {
        let path = format!("/platform/{}", F::PATH);
        let answer: Result<F::Output, Error> = self.gateway(&path, TESTER_TOKEN, &json!(arguments)).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The number of messages of a queue: visible, delayed and in flight.
    pub async fn depth(&self, queue: &str) -> u64 {
        let answer: Result<Value, Error> = self.gateway("/operator/queues", OPERATOR_TOKEN, &json!({})).await;
        let queues = answer.unwrap_or_else(|error| panic!("{error}"));
        let queue = queues["queues"].as_array().unwrap().iter().find(|it| it["name"] == queue).unwrap().clone();
        ["visible", "inFlight", "delayed"].iter().map(|state| queue[*state].as_u64().unwrap()).sum()
    }

    /// Waits until a queue is empty.
    pub async fn drained(&self, queue: &str) {
        wait::eventually(queue, async || (self.depth(queue).await == 0).then_some(())).await;
    }

    /// The oldest messages of a queue, with their attributes.
    pub async fn peek(&self, queue: &str) -> Vec<Value> {
        let answer: Result<Value, Error> =
            self.gateway("/operator/peek", OPERATOR_TOKEN, &json!({ "queue": queue })).await;
        let peeked = answer.unwrap_or_else(|error| panic!("{error}"));
        peeked["messages"].as_array().unwrap().clone()
    }

    /// The sum of a metric over its series with all of these labels. The hosts of one process share the metrics.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.http.get(self.gateway_url("/metrics")).send().await.unwrap().text().await.unwrap();
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let lines = text.lines().filter(|line| line.starts_with(name) && labels.iter().all(|it| line.contains(it)));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Why a worker's source is paused; `None` if it is not.
    pub async fn paused(&self, worker: &str) -> Option<String> {
        let ready: Value = self.http.get(self.gateway_url("/readyz")).send().await.unwrap().json().await.unwrap();
        let source = ready["sources"].as_array().unwrap().iter().find(|source| source["worker"] == worker).cloned();
        source.unwrap()["paused"]["reason"].as_str().map(str::to_owned)
    }

    /// The same of the source of a queue, for a worker that has several.
    pub async fn paused_queue(&self, queue: &str) -> Option<String> {
        let ready: Value = self.http.get(self.gateway_url("/readyz")).send().await.unwrap().json().await.unwrap();
        let name = format!("sqs:{queue}");
        let source = ready["sources"].as_array().unwrap().iter().find(|source| source["source"] == name).cloned();
        source.unwrap()["paused"]["reason"].as_str().map(str::to_owned)
    }

    async fn gateway<T: serde::de::DeserializeOwned>(&self, path: &str, token: &str, body: &Value) -> T {
        let response = self.http.post(self.gateway_url(path)).bearer_auth(token).json(body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.fakes.violations(), [""; 0]);
        }
    }
}

/// The metrics of this process, which all its hosts share.
pub fn metrics() -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(|| metrics::install().unwrap()).clone()
}

/// A client for servers on this machine, which ignores the environment's proxies.
pub fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// The most instances of a worker in tests.
const MAX_INSTANCES: usize = 2;
/// A tenth of what it is otherwise: the tests wait for outages to be over, and for what is tried again.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// Few instances, and one where one is enough: the tests of one process have several hosts at once, and Linux gives a
/// process memory maps for some 300 instances.
fn lessen(app: &mut App) {
    for component in app.components.values_mut() {
        let enough = if needs_only_one(component) { 1 } else { MAX_INSTANCES };
        component.limits.max_instances = component.limits.max_instances.min(enough);
    }
}

/// Whether a worker only reads files and data streams, takes one batch at a time, or answers fans without a table.
fn needs_only_one(component: &Component) -> bool {
    let takes_little = |source: &SourceConfig| match source {
        SourceConfig::S3(_) | SourceConfig::Kinesis(_) => true,
        SourceConfig::Sqs(queue) => queue.max_concurrency == 1,
        SourceConfig::DynamodbStream(stream) => stream.strict_order,
        _ => false,
    };
    match component.sources.as_slice() {
        [] => component.grants.identity && component.grants.tables.is_empty(),
        sources => sources.iter().all(takes_little),
    }
}

/// Starts one host at a time, because they share the folder of compiled components.
async fn start(mut app: App, folder: &TempDir, runtime_config: RuntimeConfig) -> Running {
    lessen(&mut app);
    static TURN: Mutex<()> = Mutex::const_new(());
    let _turn = TURN.lock().await;
    let metrics = metrics();
    let data = folder.path().join("data");
    programs::make_data(&data);
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let options = app::Options {
        data,
        addresses: Addresses { http: any, gateway: any },
        limits: HttpLimits::default(),
        service_key: None,
        runtime_config,
        shortest_wait: SHORTEST_WAIT,
    };
    app::start(app, &options, metrics, Tracing::from_env().unwrap()).await.unwrap()
}
