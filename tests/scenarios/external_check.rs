//! A check from outside, and a test that it finds its fault: an Entry Service that keeps an old version.

use fake_services::{Faults, Service};
use serde_json::{Value, json};
use tests::{TestHost, entry};

const CAMPAIGN: &str = "campaign-123";
const FAN: &str = "user-456";
const OLD: &str = "2024-01-01T10:00:00.000Z";
const NEW: &str = "2024-01-01T10:00:05.000Z";

fn image(updated: &str, market: &str) -> Value {
    entry(CAMPAIGN, FAN, &json!({ "markets": ["A", market] }), updated)
}

/// In which respects the table and the Entry Service differ for the fan's entry.
async fn differences(host: &TestHost) -> Vec<&'static str> {
    let (item, held) = (host.item(CAMPAIGN, FAN).await, host.entry(CAMPAIGN, FAN).await);
    let fields: Value = serde_json::from_str(item["fields"].as_str().unwrap()).unwrap();
    let checks = [
        ("version", item["date"]["updated"] == held["version"]),
        ("fields", fields == held["fields"]),
        ("flag", item["needsReplication"] == false),
    ];
    checks.into_iter().filter(|(_, agree)| !agree).map(|(name, _)| name).collect()
}

async fn with_a_delayed_request(faults: Faults) -> Vec<&'static str> {
    let host = TestHost::start().await;
    host.put_entry(&image(NEW, "C")).await;
    host.replicated(CAMPAIGN, FAN, NEW).await;
    host.faults(Service::Entry, faults);
    host.send_past_host(CAMPAIGN, &image(OLD, "B")).await;
    differences(&host).await
}

#[tokio::test]
async fn a_service_that_keeps_the_newest_agrees_with_the_table() {
    assert_eq!(with_a_delayed_request(Faults::default()).await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_service_that_ignores_versions_is_found() {
    let faults = Faults { ignore_version: true, ..Faults::default() };
    assert_eq!(with_a_delayed_request(faults).await, ["version", "fields"]);
}
