//! One invocation takes up to 25,000 entries.

use super::change;
use fake_services::Service;
use host_adapters_delivery::dispatch::Dispatch;
use host_adapters_delivery::event::{Disposition, Event, Payload};
use serde_json::{Value, json};
use tests::{TestHost, entry, without_stream};

const ENTRIES: usize = 25_000;
/// Each campaign has its own limit of 100 requests a second; five keep the test short.
const CAMPAIGNS: usize = 5;
/// The most entries of a request to the Entry Service.
const PER_REQUEST: usize = 25;
const UPDATED: &str = "2024-01-15T10:30:00.000Z";

fn campaign(n: usize) -> String {
    format!("campaign-{}", n % CAMPAIGNS)
}

fn item(n: usize) -> Value {
    let fields = json!({ "email": format!("fan-{n}@example.com"), "markets": ["market-123", "market-456"] });
    entry(&campaign(n), &format!("fan-{n:05}"), &fields, UPDATED)
}

fn event(n: usize, item: &Value) -> Event {
    Event {
        id: format!("message-{n}"),
        source: "sqs:saveEntriesQueue".to_owned(),
        ordering_key: None,
        payload: Payload::Json(change("INSERT", item, &n.to_string())),
        attributes: Vec::new(),
        attempt: 1,
        time_ms: 0,
        correlation_id: "req-015".to_owned(),
        traceparent: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn req_015_a_batch_of_25_000_entries() {
    let host = TestHost::with(without_stream).await;
    let items: Vec<Value> = (0..ENTRIES).map(item).collect();
    for items in items.chunks(1_000) {
        host.put_entries(items).await;
    }
    let batch = items.iter().enumerate().map(|(n, item)| event(n, item)).collect();

    let dispatched = host.running().dispatcher.dispatch("save-entries", batch).await;
    let dispositions = dispatched.result.unwrap();
    assert_eq!(dispositions.len(), ENTRIES);
    let other = dispositions.iter().find(|disposition| **disposition != Disposition::Ack);
    assert_eq!(other, None, "every entry is replicated in this one invocation");

    assert_eq!(host.fakes.entries().count(), ENTRIES);
    // The fake refuses requests with more than 25 entries. Exactly this many requests mean that none was refused, split
    // or repeated.
    let requests = host.answers(Service::Entry).await;
    assert_eq!(requests, [("upsertEntries 200".to_owned(), (ENTRIES / PER_REQUEST) as u64)].into());
    for chunk in (0..ENTRIES).collect::<Vec<_>>().chunks(1_000) {
        let names: Vec<_> = chunk.iter().map(|n| (campaign(*n), format!("fan-{n:05}"))).collect();
        let keys: Vec<_> = names.iter().map(|(campaign, fan)| (campaign.as_str(), fan.as_str())).collect();
        let flagged = host.items(&keys).await.iter().filter(|item| item["needsReplication"] != false).count();
        assert_eq!(flagged, 0, "flags of {:?}…", keys[0]);
    }
}
