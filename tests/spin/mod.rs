//! Components composed with gateway-client as Spin composes them, with a linker that has only what Spin offers.
//! save-entries uses table, queue and Entry Service through a real gateway, and replicates as it does under
//! `host-adapters up`; the probe uses documents.

mod compose;
mod spin_host;

use crate::host::sandbox::{documents, probe};
use fake_services::{FakeServices, Service};
use host_adapters_records::table::{BatchGet, BatchWrite, Key};
use host_adapters_records::{Caller, Platform};
use host_adapters_runtime::{
    ComponentSpec, Event, Interfaces, Limits, LoadError, Loaded, Payload, Requirements, Runtime, RuntimeConfig, Source,
};
use serde_json::{Value, json};
use spin_host::{GATEWAY_TOKEN, Gateway, SpinHost, WORKER_TOKEN};
use std::path::PathBuf;
use std::sync::Arc;
use tests::programs;

const WORKER: &str = "save-entries";
const TABLE: &str = "demand-table";
const COLLECTION: &str = "campaigns";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";

/// The surroundings of the composed worker.
struct Spin {
    runtime: Runtime,
    host: Arc<SpinHost>,
    gateway: Gateway,
    services: FakeServices,
    folder: tempfile::TempDir,
}

impl Spin {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services = FakeServices::start(fake_services::Options::default()).await.unwrap();
        let gateway = Gateway::start(folder.path(), &services.url(Service::Entry)).await;
        let host = Arc::new(SpinHost::new(&gateway.url));
        let cache_dir = programs::scratch().join("compiled-spin");
        let config = RuntimeConfig { cache_dir, max_instances: 8, interfaces: Interfaces::SpinOnly };
        Self { runtime: Runtime::new(&config, host.clone()).unwrap(), host, gateway, services, folder }
    }

    fn load(&self, id: &str, source: PathBuf) -> Result<Loaded, LoadError> {
        let (id, limits) = (id.to_owned(), Limits::default());
        let (source, requirements) = (Source::File(source), Requirements::default());
        self.runtime.load(&ComponentSpec { id, source, limits, environment: vec![], requirements })
    }

    fn load_composed(&self, id: &str, component: PathBuf) {
        let [component, client] =
            [component, programs::component("gateway-client")].map(|it| std::fs::read(it).unwrap());
        let file = self.folder.path().join("composed.wasm");
        std::fs::write(&file, compose::with_platform(component, client)).unwrap();
        self.load(id, file).unwrap();
    }

    fn load_worker(&self) {
        self.load_composed(WORKER, programs::component(WORKER));
    }

    /// Puts a flagged entry into the table, as the resolver does.
    async fn put(&self, fan: &str) -> Value {
        let item = json!({
            "pk": "CAMPAIGN#campaign-123", "sk": format!("USER#{fan}"), "campaignId": "campaign-123",
            "globalUserId": fan, "fields": r#"{"email":"fan@example.com"}"#, "needsReplication": true,
            "date": {"created": UPDATED, "updated": UPDATED, "fanModified": UPDATED},
        });
        let args = BatchWrite { table: TABLE.to_owned(), puts: vec![item.to_string()], deletes: vec![] };
        assert_eq!(
            self.gateway.platform.table_batch_write(Caller::client(spin_host::SEEDER), args).await.unwrap(),
            [None]
        );
        item
    }

    async fn item(&self, fan: &str) -> Value {
        let keys = vec![Key { pk: "CAMPAIGN#campaign-123".to_owned(), sk: format!("USER#{fan}") }];
        let args = BatchGet { table: TABLE.to_owned(), keys };
        let items = self.gateway.platform.table_batch_get(Caller::client(spin_host::SEEDER), args).await.unwrap();
        serde_json::from_str(items[0].as_ref().unwrap()).unwrap()
    }

    async fn assert_replicated(&self, fan: &str) {
        assert!(self.services.entries().holds("campaign-123", fan, UPDATED), "{fan} is not in the Entry Service");
        let item = self.item(fan).await;
        assert!(matches!(item.get("needsReplication"), None | Some(Value::Bool(false))), "still flagged: {item}");
        assert_eq!(item["fields"], r#"{"email":"fan@example.com"}"#);
    }
}

fn body(item: &Value) -> Value {
    json!({"entry": item, "operation": "INSERT", "recordId": "1", "date": UPDATED})
}

fn event(item: &Value) -> Event {
    Event {
        id: "1".to_owned(),
        source: "sqs:saveEntriesQueue".to_owned(),
        ordering_key: None,
        payload: Payload::Json(body(item).to_string()),
        attributes: vec![],
        attempt: 1,
        time_ms: 0,
        correlation_id: "correlation-1".to_owned(),
        traceparent: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_composed_worker_does_its_work() {
    let spin = Spin::start().await;
    spin.load_worker();
    let item = spin.put("user-456").await;
    let called = spin.runtime.batch(WORKER, vec![event(&item)]).await;
    let words: Vec<_> = called.result.unwrap().into_iter().map(probe::words).collect();
    assert_eq!(words, ["ack"]);
    spin.assert_replicated("user-456").await;
    assert!(spin.gateway.answered() > 0, "the worker did not use the gateway");
    let sent_to: Vec<_> = spin.host.sent_to.lock().unwrap().iter().map(|host| format!("http://{host}")).collect();
    assert_eq!(sent_to, [spin.gateway.url.as_str()], "services are the gateway's to call");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_the_same_over_http_with_the_worker_token() {
    let spin = Spin::start().await;
    spin.load_worker();
    let item = spin.put("user-789").await;
    let event = json!({"Records": [
        {"messageId": "m1", "body": body(&item).to_string()},
        {"messageId": "m2", "body": "no JSON"},
    ]});
    for (token, status, count) in [
        ("guess", 401, None),
        (WORKER_TOKEN, 200, Some(json!({"received": 2, "processed": 1, "failed": 0, "rejected": 1}))),
    ] {
        let request = http::Request::post("http://localhost/workers/save-entries")
            .header("authorization", format!("Bearer {token}"))
            .body(event.to_string().into())
            .unwrap();
        let response = spin.runtime.http(WORKER, request).await.result.unwrap();
        assert_eq!(response.status().as_u16(), status, "{:?}", response.body());
        let answer: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(answer.get("count"), count.as_ref(), "{answer}");
    }
    spin.assert_replicated("user-789").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_composed_component_finds_and_updates_documents() {
    let spin = Spin::start().await;
    spin.load_composed(probe::PROBE, programs::guest(probe::PROBE));
    documents::seed(&*spin.gateway.platform, spin_host::SEEDER, COLLECTION).await;
    let before = spin.gateway.answered();
    documents::finds_and_updates(COLLECTION, async |order| {
        let called = spin.runtime.batch(probe::PROBE, vec![probe::event(&order)]).await;
        let [disposition] = called.result.unwrap().try_into().unwrap();
        probe::words(disposition).strip_prefix("reject ").unwrap().to_owned()
    })
    .await;
    assert!(spin.gateway.answered() > before, "the probe did not use the gateway");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_composition_it_is_refused() {
    let spin = Spin::start().await;
    let error = spin.load(WORKER, programs::component(WORKER)).unwrap_err();
    assert!(matches!(error, LoadError::Link { .. }), "{error:?}");
    assert!(error.to_string().contains("registration:platform/"), "{error}");
}

/// The gateway calls only the services that the component is granted, and tells the worker what is wrong with a call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_calls_granted_services() {
    let spin = Spin::start().await;
    let call = async |service: &str, path: &str| {
        let request = json!({"method": "GET", "path": path});
        let response = tests::client()
            .post(format!("{}/platform/service/call", spin.gateway.url))
            .bearer_auth(GATEWAY_TOKEN)
            .json(&json!({"service": service, "request": request}));
        response.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let answer = call("entry", "/campaign-123/entries").await;
    assert_eq!(answer["Ok"]["status"], 200, "{answer}");
    assert!(serde_json::from_str::<Value>(answer["Ok"]["body"].as_str().unwrap()).is_ok(), "{answer}");
    assert_eq!(call("user", "/users").await["Err"]["kind"], "Denied");
    assert_eq!(call("entry", "/../entries").await["Err"]["kind"], "Invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_applies_the_grants_of_its_token() {
    let spin = Spin::start().await;
    for (token, status) in [(GATEWAY_TOKEN, 200), ("guess", 401)] {
        let response = reqwest::Client::new()
            .post(format!("{}/platform/table/batch-get", spin.gateway.url))
            .bearer_auth(token)
            .json(&json!({"table": TABLE, "keys": []}))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
}
