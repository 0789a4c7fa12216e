//! Clients that hang up.

use fake_services::{FakeServices, Faults, Options, Service};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;
use tests::workers::fixture;
use tests::{Child, Fan, Signer, client, variables, wait};

const JANE: Fan = Fan { id: "global-user-123", email: "fan@example.com" };

/// The outcomes of check-eligibility's calls, with their numbers.
async fn outcomes(host: &Child) -> BTreeMap<String, u64> {
    let text = client().get(format!("{}/metrics", host.gateway)).send().await.unwrap().text().await.unwrap();
    let calls = text.lines().filter(|line| {
        line.starts_with("registration_call_seconds_count{") && line.contains("worker=\"check-eligibility\"")
    });
    let outcome = |line: &str| {
        let (_, rest) = line.split_once("outcome=\"").unwrap();
        (rest.split('"').next().unwrap().to_owned(), line.rsplit(' ').next().unwrap().parse().unwrap())
    };
    calls.map(outcome).collect()
}

/// In a separate process, because the metrics and the log of this one are shared by all tests.
#[tokio::test]
async fn a_client_that_hangs_up_is_not_a_failure_of_the_worker() {
    let data = tempfile::tempdir().unwrap();
    let (fakes, signer) = (FakeServices::start(Options::default()).await.unwrap(), Signer::generate());
    let jwks = data.path().join("jwks.json");
    std::fs::write(&jwks, signer.jwks()).unwrap();
    let mut variables = variables(&fakes, &jwks);
    variables.insert("seeder_token".to_owned(), "seeder-token-of-a-test".to_owned());
    let log = data.path().join("log");
    let manifest = tests::programs::project().join("spin.toml");
    let host =
        Child::of(&manifest, data.path(), &variables, &BTreeMap::new(), File::create(&log).unwrap().into()).await;
    let mut campaign: Value = serde_json::from_str(
        &std::fs::read_to_string(
            tests::programs::project().join("tests/fixtures/domain/campaigns/artist-presale-2024.json"),
        )
        .unwrap(),
    )
    .unwrap();
    campaign["gates"] = json!([{ "type": "idv" }]);
    let put =
        json!({"collection": "campaigns", "filter": "{\"id\":\"campaign-789\"}", "document": campaign.to_string()});
    let put = client().post(format!("{}/platform/documents/replace-one", host.gateway)).json(&put);
    assert_eq!(put.bearer_auth("seeder-token-of-a-test").send().await.unwrap().status(), 200);

    // The worker waits for the User Service, and the client does not wait for the worker.
    fakes.set_faults(Service::User, Faults { slow: 1.0, slow_ms: 60_000, ..Faults::default() });
    let ask = |limit: Duration| {
        let url = format!("{}/workers/check-eligibility", host.http);
        let request = client().post(url).bearer_auth(signer.sign(&JANE.claims())).timeout(limit);
        request.json(&fixture("check-eligibility", "appsync")).send()
    };
    assert!(ask(Duration::from_secs(2)).await.is_err_and(|error| error.is_timeout()));
    let cancelled =
        wait::eventually("the call counted", async || Some(outcomes(&host).await).filter(|it| !it.is_empty()));
    assert_eq!(cancelled.await, BTreeMap::from([("cancelled".to_owned(), 1)]));

    // The instance that served it serves on.
    fakes.set_faults(Service::User, Faults::default());
    assert_eq!(ask(Duration::from_secs(60)).await.unwrap().status(), 200);
    assert_eq!(outcomes(&host).await, BTreeMap::from([("cancelled".to_owned(), 1), ("ok".to_owned(), 1)]));
    let log = std::fs::read_to_string(log).unwrap();
    assert!(!log.contains(r#""level":"ERROR""#) && !log.contains("call failed"), "{log}");
}
