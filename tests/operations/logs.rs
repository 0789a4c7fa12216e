//! Rejections and failed services are errors, each logged once.

use fake_services::{FakeServices, Faults, Options, Service};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use tests::{Child, Signer, WORKER_TOKEN, client, entry, variables, wait};

const CAMPAIGN: &str = "campaign-123";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";
const RESOLVER_TOKEN: &str = "resolver-token-of-a-test";

/// A host whose whole log, its guests' included, is in a file.
struct Logged {
    host: Child,
    log: PathBuf,
    fakes: FakeServices,
    _data: tempfile::TempDir,
}

impl Logged {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let fakes = FakeServices::start(Options::default()).await.unwrap();
        let jwks = data.path().join("jwks.json");
        std::fs::write(&jwks, json!({ "keys": [] }).to_string()).unwrap();
        let mut variables = variables(&fakes, &jwks);
        variables.insert("resolver_token".to_owned(), RESOLVER_TOKEN.to_owned());
        let log = data.path().join("log");
        let (manifest, file) = (tests::programs::project().join("spin.toml"), File::create(&log).unwrap());
        let host = Child::of(&manifest, data.path(), &variables, &BTreeMap::new(), file.into()).await;
        Self { host, log, fakes, _data: data }
    }

    async fn platform(&self, function: &str, arguments: &Value) -> Value {
        let request = client().post(format!("{}/platform/{function}", self.host.gateway)).bearer_auth(RESOLVER_TOKEN);
        request.json(arguments).send().await.unwrap().json().await.unwrap()
    }

    /// How many requests the Entry Service has answered with 503.
    async fn unavailable(&self) -> u64 {
        let claims = json!({"sub": "tests", "aud": Service::Entry.name(), "exp": u32::MAX});
        let request = client().get(format!("{}/_control/answers", self.fakes.url(Service::Entry)));
        let answers: Value =
            request.bearer_auth(Signer::generate().sign(&claims)).send().await.unwrap().json().await.unwrap();
        answers["answers"]["upsertEntries 503"].as_u64().unwrap()
    }

    /// The lines at level ERROR that contain a text.
    fn errors(&self, text: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let lines = log.lines().filter(|line| line.contains(text));
        let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["level"] == "ERROR").collect()
    }
}

#[tokio::test]
async fn point_11_a_rejection_is_one_error() {
    let logged = Logged::start().await;
    // From the source: the host says it.
    let message = json!({"body": "{", "attributes": [], "delay_secs": 0});
    let sent = logged.platform("queue/send-batch", &json!({"queue": "userInfoQueue", "messages": [message]})).await;
    let id = sent["Ok"][0]["Ok"].as_str().unwrap().to_owned();
    let errors = wait::eventually("the rejection", async || Some(logged.errors(&id)).filter(|it| !it.is_empty())).await;
    assert_eq!(
        (&errors[0]["message"], &errors[0]["data"]["worker"]),
        (&json!("record rejected"), &json!("upsert-users"))
    );

    // Over HTTP: the worker says it, once for a record of which it reads nothing and once for one that it refuses.
    let records =
        json!({"Records": [{"messageId": "over-http-1", "body": "{"}, {"messageId": "over-http-2", "body": 7}]});
    let request = client().post(format!("{}/workers/save-entries", logged.host.http)).bearer_auth(WORKER_TOKEN);
    assert_eq!(request.json(&records).send().await.unwrap().status(), 200);
    for id in ["over-http-1", "over-http-2"] {
        let errors = logged.errors(id);
        assert_eq!((errors.len(), &errors[0]["message"]), (1, &json!("Record rejected")), "{errors:?}");
    }
    // Nothing more was said of the first one meanwhile, for instance as a dead letter.
    assert_eq!(logged.errors(&id).len(), 1, "{:?}", logged.errors(&id));
}

#[tokio::test]
async fn point_11_a_failed_service_is_one_error_for_each_call() {
    let logged = Logged::start().await;
    logged.fakes.set_faults(Service::Entry, Faults { unavailable: 1.0, ..Faults::default() });
    let item = entry(CAMPAIGN, "fan-of-the-log", &json!({}), UPDATED);
    logged
        .platform("table/batch-write", &json!({"table": "demand-table", "puts": [item.to_string()], "deletes": []}))
        .await;
    let failed =
        wait::eventually("an error", async || Some(logged.errors("service call failed")).filter(|it| !it.is_empty()))
            .await;
    let line = &failed[0];
    assert_eq!(
        (&line["message"], &line["data"]["service"]),
        (&json!("service call failed"), &json!("entry")),
        "{line}"
    );
    assert_eq!((&line["data"]["worker"], &line["data"]["error"]), (&json!("save-entries"), &json!("it answered 503")));
    assert_eq!(line["data"]["digest"].as_str().map(str::len), Some(64), "{line}");
    assert!(line["data"]["correlationId"].as_str().is_some_and(|id| !id.is_empty()), "{line}");

    // The source probes; each of its calls is one line, and the worker adds none at this level.
    logged.fakes.set_faults(Service::Entry, Faults::default());
    wait::eventually("the entry", async || {
        logged.fakes.entries().holds(CAMPAIGN, "fan-of-the-log", UPDATED).then_some(())
    })
    .await;
    let calls = u64::try_from(logged.errors("service call failed").len()).unwrap();
    assert_eq!(calls * 3, logged.unavailable().await, "three attempts a call");
    let others: Vec<_> =
        logged.errors("").into_iter().filter(|line| line["message"] != "service call failed").collect();
    assert!(others.is_empty(), "{others:?}");
}
