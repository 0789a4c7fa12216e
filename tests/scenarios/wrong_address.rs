//! A service is looked for at a wrong address, behind a gateway or at another server: its 404 says nothing of the thing
//! that a worker asks for.

use fake_services::{Faults, Service};
use serde_json::{Value, json};
use tests::{OPERATOR_TOKEN, TestHost, wait};

const CAMPAIGN: &str = "tour";
const WORKER: &str = "enqueue-market-selections";

/// What such servers answer: HTML, and JSON that resembles a service's own words more and more.
pub(super) fn foreign_pages() -> Vec<Option<Value>> {
    vec![
        None,
        Some(json!({ "message": "no Route matched with those values" })),
        Some(json!({ "timestamp": 1_705_314_600, "status": 404, "error": "Not Found", "path": "/campaigns" })),
        Some(json!({ "error": { "code": 404, "message": "Requested entity was not found." } })),
        Some(json!({ "error": { "code": "", "message": "why" } })),
    ]
}

/// Every request is answered with 404 and this page.
pub(super) fn elsewhere(page: Option<Value>) -> Faults {
    Faults { refused: 1.0, refusal: 404, pages: true, page, ..Faults::default() }
}

/// An outage: the task waits for the service, however long that takes, and does not fail.
#[tokio::test]
async fn point_16_a_gateway_in_place_of_the_campaign_service_pauses_the_source_and_ends_no_task() {
    let host = TestHost::start().await;
    let put = async |path: &str, body: Value| {
        let url = format!("{}/_control/campaigns/{path}", host.fakes.url(Service::Campaign));
        assert_eq!(host.send(host.http().put(url).json(&body)).await.status, 200, "{path}");
    };
    put(CAMPAIGN, json!({ "id": CAMPAIGN, "slug": CAMPAIGN, "status": "CLOSED" })).await;
    let market = json!({ "id": "m", "campaignId": CAMPAIGN, "ticketer": "AXS", "capacity": 1 });
    put(&format!("{CAMPAIGN}/markets/m"), market).await;
    host.fakes.codes().add(CAMPAIGN, "m", (0..500).map(|n| format!("m-{n:03}")));
    let record = |n: usize| json!({ "globalUserId": format!("fan-{n}"), "score": n, "markets": ["m"] });
    host.fakes.entries().give_scores(CAMPAIGN, (0..2).map(record).collect()).unwrap();

    let url = host.gateway_url(&format!("/tasks/{WORKER}/waits"));
    let answers = async || host.answers(Service::Campaign).await.get("getCampaign 404").copied().unwrap_or_default();
    for (n, page) in foreign_pages().into_iter().flatten().skip(1).enumerate() {
        let before = answers().await;
        host.faults(Service::Campaign, elsewhere(Some(page.clone())));
        if n == 0 {
            let body = json!({ "campaignId": CAMPAIGN, "marketId": "m" });
            let started = host.send(host.http().post(&url).bearer_auth(OPERATOR_TOKEN).json(&body)).await;
            assert!((200..300).contains(&started.status), "{}", started.body);
        }
        wait::eventually("a request", async || (answers().await > before).then_some(())).await;
        let reason = wait::eventually("the pause", async || host.paused(WORKER).await).await;
        let told = "service:campaign GET /campaigns/{campaignId}: every request is answered with 404";
        assert!(reason.contains(told), "{page}: {reason}");
    }
    host.faults(Service::Campaign, Faults::default());
    let show = async || host.send(host.http().get(&url).bearer_auth(OPERATOR_TOKEN)).await.body;
    let is_over = |shown: &Value| shown["state"] != "scheduled" && shown["state"] != "running";
    let ended = wait::eventually("the end", async || Some(show().await).filter(is_over)).await;
    assert_eq!((&ended["state"], &ended["failures"]), (&json!("succeeded"), &json!(0)), "{ended}");
    let last = host.fakes.entries().stats(CAMPAIGN).pop().unwrap_or_default();
    assert_eq!((&last["status"], &last["PROCESSED"]), (&json!("FINISHED"), &json!(1)));
}
