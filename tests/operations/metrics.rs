//! A host exposes exactly the metrics of docs/operations.md, and every query of the alerts and of the dashboard uses
//! only metrics and labels that exist.

use super::cached_in;
use super::documents::{alerts, metrics, named_values, panels};
use super::queries::{Exposed, exposed, faults};
use super::redis_server::{Manner, RedisServer};
use fake_services::{Faults, Service};
use host_adapters::manifest::{App, Component, SourceConfig};
use host_adapters_platform::{Grants, TaskAccess};
use host_adapters_records::objects::Put;
use host_adapters_sources::task::TaskConfig;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use tests::workers::fixture;
use tests::{Fan, OPERATOR_TOKEN, TestHost, entry, programs, wait};

const JANE: Fan = Fan { id: "global-user-123", email: "fan@example.com" };
const CAMPAIGN: &str = "campaign-of-metrics";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";

/// Adds a worker that does tasks.
fn add_errand(app: &mut App) {
    let errand = Component {
        id: "errand".to_owned(),
        source: programs::guest("errand"),
        artifact: None,
        sources: vec![SourceConfig::Task(TaskConfig::default())],
        grants: Grants { services: ["entry".to_owned()].into(), ..Grants::default() },
        ..app.components["check-eligibility"].clone()
    };
    app.components.insert(errand.id.clone(), errand);
    let operator = app.host.clients.get_mut("operator").unwrap();
    operator.grants.tasks.insert("errand".to_owned(), TaskAccess::Start);
}

/// A host on which everything happens that is measured.
async fn exercised() -> (TestHost, RedisServer) {
    let redis = RedisServer::start(Manner::Hung).await;
    let host = TestHost::on(cached_in(&redis.url), |app| {
        for component in app.components.values_mut() {
            component.environment.insert("LOG_LEVEL".to_owned(), "WARN".to_owned());
        }
        add_errand(app);
    })
    .await;
    host.put_campaign("artist-presale-2024").await;
    assert_eq!(host.eligibility(JANE, &fixture("check-eligibility", "appsync")).await.status, 200);
    host.faults(Service::Entry, Faults { unavailable: 1.0, ..Faults::default() });
    host.put_entry(&entry(CAMPAIGN, "fan", &json!({}), UPDATED)).await;
    wait::eventually("the pause", async || host.paused("save-entries").await).await;
    host.faults(Service::Entry, Faults::default());
    host.queue("userInfoQueue", &["{".to_owned()]).await;
    host.replicated(CAMPAIGN, "fan", UPDATED).await;
    // A code that a fan has: the Code Service hears of it.
    let mut winner = entry(CAMPAIGN, "winner", &json!({}), UPDATED);
    (winner["accessCode"], winner["marketId"]) = ("SHARED".into(), "m".into());
    host.fakes.codes().share(CAMPAIGN, None, "SHARED");
    host.put_entry(&winner).await;
    let marked = async || (!host.answers(Service::Code).await.is_empty()).then_some(());
    wait::eventually("the code marked as assigned", marked).await;
    let counts = json!({"pk": format!("CAMPAIGN#{CAMPAIGN}"), "sk": "meta:counts", "verified": 1, "position": {}});
    host.put_entry(&counts).await;
    // Long since, and it expects more: a warning.
    let report = json!({"campaignId": CAMPAIGN, "source": "scoring", "sinceMs": 1, "expected": {"verified": 9}});
    host.queue("verdictReporterQueue", &[report.to_string()]).await;
    wait::eventually("the post to Slack", async || host.fakes.slack().posts().pop()).await;
    put_scored_file(&host).await;
    publish_data(&host).await;
    let gone = entry(CAMPAIGN, "gone", &json!({}), UPDATED);
    let stale = json!({ "entry": gone, "operation": "INSERT", "recordId": "stale", "date": UPDATED });
    host.queue("saveEntriesQueue", &[stale.to_string()]).await;
    for (name, errand) in [("a", r#"{"do":"tell"}"#), ("b", r#"{"do":"give","message":"never"}"#)] {
        let url = host.gateway_url(&format!("/tasks/errand/{name}"));
        let task = host.http().post(url).bearer_auth(OPERATOR_TOKEN).body(errand);
        assert_eq!(host.send(task).await.status, 201);
    }
    for outcome in ["succeeded", "failed"] {
        let attempts = async || host.metric("registration_task_seconds_count", &[("outcome", outcome)]).await;
        wait::eventually(outcome, async || (attempts().await > 0.0).then_some(())).await;
    }
    // Only the tables of others make a host leave records out.
    host_adapters_platform::left_out("dynamodb-stream:metrics", "of a test");
    (host, redis)
}

/// A worker counts its rows; one of them is invalid.
async fn put_scored_file(host: &TestHost) {
    let rows = format!("{CAMPAIGN},m1,0,5,verified\n{CAMPAIGN},m2,x,5,verified\n");
    let (bucket, key) = ("scoring-bucket".to_owned(), "scrubbed/metrics.csv".to_owned());
    let content = format!("campaignId,memberId,rank,score,verdict\n{rows}").into_bytes();
    host.platform(&Put { bucket, key, content }).await;
}

/// Both workers of the data pipeline write a record, and reject one.
async fn publish_data(host: &TestHost) {
    let data = |fields: &str| json!({"campaignId": CAMPAIGN, "globalUserId": "fan", "fields": fields});
    let record = |data| json!({"type": "REGISTRATION", "data": data}).to_string();
    // The second one is not valid under its schema, the third one has no data.
    host.queue("dataQueue", &[record(data("{}")), record(data("no form")), record(json!({}))]).await;
    let topic = "prd2011.dmnd.registrations";
    wait::eventually("a record of the event log", async || host.logged(topic).pop()).await;
    host.drained("dataQueue").await;
    host.drained("registrationDataQueue").await;
}

/// What `/metrics` shows, once every documented metric is there: queues, for instance, are asked from time to time.
async fn shown(host: &TestHost) -> Exposed {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let exposed =
            exposed(&host.http().get(host.gateway_url("/metrics")).send().await.unwrap().text().await.unwrap());
        let all_there = metrics().iter().all(|(name, metric)| exposed.get(name).is_some_and(|it| it.metric == *metric));
        if all_there || tokio::time::Instant::now() > deadline {
            return exposed;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn point_13_what_a_host_exposes_is_documented_and_what_is_asked_for_is_exposed() {
    let (host, _redis) = exercised().await;
    let mut exposed = shown(&host).await;
    let shown: BTreeMap<_, _> = exposed.iter().map(|(name, shown)| (name.clone(), shown.metric.clone())).collect();
    assert_eq!(shown, metrics(), "what /metrics shows, and docs/operations.md");

    let asked = alerts().into_iter().map(|alert| (alert.name, alert.query)).chain(panels());
    let asked: Vec<_> = asked.collect();
    assert!(asked.len() > 60, "{}", asked.len());
    for (of, query) in &asked {
        let wrong = faults(query, &exposed).shape;
        assert!(wrong.is_empty(), "{of}: {wrong:?} in {query}");
    }
    for (panel, query) in panels() {
        let wrong = faults(&query, &exposed).values;
        assert!(wrong.is_empty(), "{panel}: {wrong:?} in {query}");
    }
    // An alert may be for a value that this host did not come to show; then the table of metrics names it.
    for (name, values) in named_values() {
        for known in exposed.get_mut(&name).unwrap().values.values_mut() {
            known.extend(values.iter().cloned());
        }
    }
    // A worker or service that any metric has is there, even if this host has not come to count it in each.
    for label in ["worker", "service"] {
        let all: BTreeSet<_> = exposed.values().flat_map(|it| it.values.get(label)).flatten().cloned().collect();
        for known in exposed.values_mut().filter_map(|it| it.values.get_mut(label)) {
            known.extend(all.iter().cloned());
        }
    }
    for alert in alerts() {
        let wrong = faults(&alert.query, &exposed).values;
        let (of_others, wrong): (Vec<_>, Vec<_>) =
            wrong.into_iter().partition(|(label, _)| ["worker", "service"].contains(&label.as_str()));
        assert!(wrong.is_empty(), "{}: {wrong:?} in {}", alert.name, alert.query);
        assert_eq!(alert.is_of_a_worker_to_come(), !of_others.is_empty(), "{}: {of_others:?}", alert.name);
    }
    // Every metric has a reader.
    let queries: String = asked.into_iter().map(|(_, query)| query).collect();
    for name in exposed.keys() {
        assert!(queries.contains(name.as_str()), "{name} is in no alert and in no panel");
    }
}
