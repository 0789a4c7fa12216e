//! Tests of calls against a fake host.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;
use crate::generate::generate;
use crate::host::Addresses;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::collections::VecDeque;
use std::sync::Mutex;
use tokio::net::TcpListener;

/// A host that sends these responses, status and body, one after the other, and the last one forever.
async fn fake(answers: Vec<(u16, String)>) -> Caller {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let answer = move |headers: HeaderMap| async move {
        assert_eq!(headers["authorization"], "Bearer fan");
        let mut answers = answers.lock().unwrap();
        let (status, body) = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }.unwrap();
        (axum::http::StatusCode::from_u16(status).unwrap(), body).into_response() as Response
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/workers/check-eligibility", post(answer));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    Caller::new(Client::new(), Endpoint::fixed(Addresses { gateway: http.clone(), http }))
}

fn refusal(reason: &str) -> String {
    json!({ "isEligible": false, "reason": reason, "campaignId": "c1" }).to_string()
}

async fn check(answers: Vec<(u16, String)>) -> (EligibilityResponse, u64) {
    let caller = fake(answers).await;
    (caller.check("fan", b"{}".to_vec(), 7).await.unwrap(), caller.repeated())
}

#[tokio::test]
async fn an_error_of_the_server_is_repeated_and_counted_and_only_the_last_answer_counts() {
    let answers = vec![
        (503, String::new()),
        (200, refusal("INTERNAL_SERVER_ERROR")),
        (
            200,
            json!({ "isEligible": true, "campaignId": "c1", "fields": { "a": 1 }, "linkedCampaignId": null })
                .to_string(),
        ),
    ];
    let eligible =
        EligibilityResponse::Eligible { campaign_id: "c1".into(), fields: json!({ "a": 1 }), linked_campaign_id: None };
    assert_eq!(check(answers).await, (eligible, 2));
}

#[tokio::test]
async fn it_is_repeated_five_times_at_most() {
    let (answer, repeated) = check(vec![(200, refusal("INTERNAL_SERVER_ERROR"))]).await;
    assert_eq!((answer.reason(), repeated), (Some("INTERNAL_SERVER_ERROR"), 5));
    let (answer, _) = check(vec![(502, String::new())]).await;
    assert_eq!(answer.reason(), Some("NO_ANSWER"));
}

#[tokio::test]
async fn a_refusal_is_a_response_and_so_is_an_unknown_body() {
    let (answer, repeated) = check(vec![(200, refusal("CAMPAIGN_CLOSED"))]).await;
    assert_eq!((answer.reason(), repeated), (Some("CAMPAIGN_CLOSED"), 0));
    for strange in [(401, String::new()), (200, "<html>".to_owned())] {
        assert_eq!(check(vec![strange]).await.0.reason(), Some("NO_ANSWER"));
    }
}

#[test]
fn the_event_is_appsyncs() {
    let world = generate(300, 1);
    let registration = world.registrations.iter().find(|r| r.do_transfer == Some(true)).unwrap();
    let fan = world.fans.iter().find(|fan| fan.global_user_id == registration.fan).unwrap();
    let event: Value = serde_json::from_slice(&event(registration, fan)).unwrap();
    let sent = &event["arguments"]["input"]["body"];
    assert_eq!(sent["slug"], registration.slug);
    assert_eq!((&sent["doTransfer"], &sent["userInfo"]["globalUserId"]), (&json!(true), &json!(fan.global_user_id)));
    assert_eq!(event["request"], json!({ "headers": {} }));
}
