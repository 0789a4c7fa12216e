//! A selection that is out of time: an attempt comes to its end before the host ends it, and the last one reports
//! ("Failed selections must report stats with `FAILED` status").

use fake_services::{Faults, Service};
use host_adapters::manifest::{App, SourceConfig};
use serde_json::{Value, json};
use tests::{OPERATOR_TOKEN, TestHost, wait};

const CAMPAIGN: &str = "tour";
const WORKER: &str = "enqueue-market-selections";
/// Thirty pages of scoring records, each of which takes half a second: more than an attempt has time for.
const FANS: usize = 30_000;
const PAGE_MS: u64 = 500;

/// Two attempts of 16 seconds each: the last quarter is for the end. An attempt comes to its end after 12.5 s, so a machine
/// may stall for three seconds.
fn hasty(app: &mut App) {
    let worker = app.components.get_mut(WORKER).unwrap();
    worker.limits.request_timeout_secs = Some(16);
    for source in &mut worker.sources {
        if let SourceConfig::Task(config) = source {
            config.max_attempts = 2;
        }
    }
}

#[tokio::test]
async fn a_selection_whose_attempts_run_out_of_time_is_reported_as_failed() {
    let host = TestHost::with(hasty).await;
    let put = async |path: &str, body: Value| {
        let url = format!("{}/_control/campaigns/{path}", host.fakes.url(Service::Campaign));
        assert_eq!(host.send(host.http().put(url).json(&body)).await.status, 200, "{path}");
    };
    put(CAMPAIGN, json!({ "id": CAMPAIGN, "slug": CAMPAIGN, "status": "CLOSED" })).await;
    let market = json!({ "id": "m", "campaignId": CAMPAIGN, "ticketer": "AXS", "capacity": 5 });
    put(&format!("{CAMPAIGN}/markets/m"), market).await;
    host.fakes.codes().add(CAMPAIGN, "m", (0..500).map(|n| format!("m-{n:03}")));
    let record = |n: usize| json!({ "globalUserId": format!("fan-{n}"), "score": n, "markets": ["m"] });
    host.fakes.entries().give_scores(CAMPAIGN, (0..FANS).map(record).collect()).unwrap();
    let operations = vec!["listScoringRecords".to_owned()];
    host.faults(Service::Entry, Faults { operations, slow: 1.0, slow_ms: PAGE_MS, ..Faults::default() });

    let url = host.gateway_url(&format!("/tasks/{WORKER}/slow"));
    let body = json!({ "campaignId": CAMPAIGN, "marketId": "m" });
    let started = host.send(host.http().post(&url).bearer_auth(OPERATOR_TOKEN).json(&body)).await;
    assert!((200..300).contains(&started.status), "{}", started.body);
    let show = async || host.send(host.http().get(&url).bearer_auth(OPERATOR_TOKEN)).await.body;
    let failed = wait::eventually("the end", async || Some(show().await).filter(|it| it["state"] == "failed")).await;
    assert_eq!(failed["attempts"], 2, "{failed}");
    assert!(failed["cause"].as_str().unwrap().contains("out of time"), "{failed}");
    let stats = host.fakes.entries().stats(CAMPAIGN);
    let statuses: Vec<_> = stats.iter().map(|stats| stats["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["PROCESSING", "PROCESSING", "FAILED"], "{stats:?}");
    assert_eq!(stats.last().unwrap()["total"], FANS);

    // Nothing is left behind: under another name, and with time enough, the winners are selected.
    host.faults(Service::Entry, Faults::default());
    let again = host.gateway_url(&format!("/tasks/{WORKER}/fast"));
    host.send(host.http().post(again).bearer_auth(OPERATOR_TOKEN).json(&body)).await;
    let is_finished = |stats: &Value| stats["status"] == "FINISHED" && stats["PROCESSED"] == 5;
    let last = async || host.fakes.entries().stats(CAMPAIGN).pop().filter(is_finished);
    wait::eventually("the selection", last).await;
}
