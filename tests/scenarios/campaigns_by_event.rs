//! The campaigns of an event, from the Campaign Service, by the token of the fan who asks.

use super::wrong_address::{elsewhere, foreign_pages};
use fake_services::{Faults, Service};
use serde_json::{Value, json};
use tests::workers::fixture;
use tests::{Fan, Signer, TestHost};

const FAN: Fan = Fan { id: "fan-1", email: "fan@example.com" };
const PATH: &str = "/workers/campaigns-by-event";

/// A host whose Campaign Service has a campaign of a market for the event.
async fn host(event: &str) -> (TestHost, Value) {
    let host = TestHost::start().await;
    let campaign = json!({ "id": "c1", "slug": "artist", "status": "ACTIVE", "size": 12_345_678_901_234_567_890_u64 });
    let market = json!({ "id": "m1", "campaignId": "c1", "eventId": event, "ticketer": "AXS", "capacity": 5 });
    for (path, body) in [("c1", &campaign), ("c1/markets/m1", &market)] {
        let url = format!("{}/_control/campaigns/{path}", host.fakes.url(Service::Campaign));
        assert_eq!(host.send(host.http().put(url).json(body)).await.status, 200, "{path}");
    }
    (host, campaign)
}

/// The fans with whose tokens the service was asked.
async fn fans(host: &TestHost) -> Value {
    let url = format!("{}/_control/fans", host.fakes.url(Service::Campaign));
    host.send(host.http().get(url)).await.body["fans"].take()
}

fn asks_for(event: &str) -> String {
    json!({ "arguments": { "eventId": event } }).to_string()
}

#[tokio::test]
async fn a_fan_gets_the_campaigns_of_an_event_as_the_service_tells_of_them() {
    let event = "a b/c?d&e=%20#é";
    let (host, campaign) = host(event).await;
    let token = host.signer.sign(&FAN.claims());
    let reply = host.post(PATH, Some(&token), asks_for(event)).await;
    assert_eq!((reply.status, reply.body), (200, json!({ "campaigns": [campaign] })));
    let reply = host.post(PATH, Some(&token), asks_for("another")).await;
    assert_eq!((reply.status, reply.body), (200, json!({ "campaigns": [] })));
    assert_eq!(fans(&host).await, json!(["fan-1", "fan-1"]));

    // As the resolver forwards it.
    let mut appsync = fixture("campaigns-by-event", "appsync");
    appsync["arguments"]["eventId"] = event.into();
    assert_eq!(host.post(PATH, None, appsync.to_string()).await.status, 401);
    appsync["request"]["headers"]["authorization"] = format!("Bearer {token}").into();
    assert_eq!(host.post(PATH, None, appsync.to_string()).await.status, 200);
}

#[tokio::test]
async fn nobody_without_a_good_token_and_an_event_is_answered() {
    let (host, _) = host("e").await;
    let good = host.signer.sign(&FAN.claims());
    let expired = host.signer.sign(&FAN.claims_with("exp", json!(1_705_314_600)));
    let forged = Signer::generate().sign(&FAN.claims());
    for (token, event, status, code) in [
        (None, asks_for("e"), 401, "UNAUTHORIZED"),
        (Some(&expired), asks_for("e"), 401, "UNAUTHORIZED"),
        (Some(&forged), asks_for("e"), 401, "UNAUTHORIZED"),
        (Some(&good), "{}".to_owned(), 400, "MALFORMED_EVENT"),
        (Some(&good), asks_for(""), 400, "MALFORMED_EVENT"),
    ] {
        let reply = host.post(PATH, token.map(String::as_str), event).await;
        assert_eq!((reply.status, &reply.body["error"]["code"]), (status, &json!(code)), "{}", reply.body);
    }
    assert_eq!(fans(&host).await, json!([]), "the service was not asked");
}

#[tokio::test]
async fn while_the_service_fails_the_caller_may_try_again() {
    let (host, _) = host("e").await;
    let token = host.signer.sign(&FAN.claims());
    // A wrong path: nobody says that there are no campaigns.
    let wrong_path = foreign_pages().into_iter().map(|page| (elsewhere(page), 502));
    let failing = [
        (Faults { unavailable: 1.0, ..Faults::default() }, 503),
        (Faults { refused: 1.0, refusal: 403, ..Faults::default() }, 502),
        (Faults { garbled: 1.0, ..Faults::default() }, 502),
    ];
    for (faults, status) in failing.into_iter().chain(wrong_path) {
        host.faults(Service::Campaign, faults);
        let reply = host.post(PATH, Some(&token), asks_for("e")).await;
        assert_eq!(reply.status, status, "{}", reply.body);
        assert!(!reply.body.to_string().contains(&token));
    }
    host.faults(Service::Campaign, Faults::default());
    assert_eq!(host.post(PATH, Some(&token), asks_for("e")).await.status, 200);
}
