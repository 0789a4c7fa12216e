//! The fake of Slack over HTTP.

use crate::fixture::{FAR, Fixture, token};
use fake_services::contract::{Contract, SLACK};
use fake_services::{Faults, Report, Service};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

fn scoring(verified: u32) -> String {
    format!("Scoring of campaign c1, file b/scrubbed/1.csv: {verified} verified (+1), 0 rejected, 0 selected")
}

/// Posts a text to the webhook; returns status and answer, or `None` if the connection is cut.
async fn post(fixture: &Fixture, text: &str) -> Option<(u16, String)> {
    let request = fixture.client.post(fixture.services.upstream(Service::Slack)).json(&json!({ "text": text }));
    let response = request.send().await.ok()?;
    Some((response.status().as_u16(), response.text().await.ok()?))
}

fn ok() -> Option<(u16, String)> {
    Some((200, "ok".to_owned()))
}

#[tokio::test]
async fn messages_are_taken_at_the_webhook_alone_and_without_a_token() {
    let fixture = Fixture::new(Faults::default()).await;
    assert_eq!(post(&fixture, &scoring(1_200)).await, ok());
    Contract::parse(SLACK).unwrap().check_answer("postMessage", &json!("ok")).unwrap();
    let posts = fixture.services.slack().posts();
    let report = Report { campaign_id: "c1".to_owned(), verified: 1_200, rejected: 0, selected: 0 };
    assert_eq!((posts.len(), &posts[0].text, posts[0].report.as_ref()), (1, &scoring(1_200), Some(&report)));
    let (_, told) = fixture.send(Service::Slack, Method::GET, "/_control/posts", None).await.unwrap();
    assert_eq!(
        (&told["posts"][0]["text"], &told["posts"][0]["report"]["verified"]),
        (&json!(scoring(1_200)), &json!(1_200))
    );

    let send = async |url: String, body: Value| {
        let response = fixture.client.post(url).json(&body).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    };
    let upstream = || fixture.services.upstream(Service::Slack);
    let no_service = (StatusCode::NOT_FOUND, "no_service".to_owned());
    assert_eq!(send(format!("{}/", upstream()), json!({ "text": "a" })).await, no_service, "a slash at the end");
    assert_eq!(send(fixture.services.url(Service::Slack), json!({ "text": "a" })).await, no_service);
    let invalid = (StatusCode::BAD_REQUEST, "invalid_payload".to_owned());
    assert_eq!(send(upstream(), json!({ "message": "a" })).await, invalid);
    assert_eq!(fixture.services.violations(), [""; 0]);

    let request = fixture.client.post(upstream()).bearer_auth(token("slack", FAR)).json(&json!({ "text": "a" }));
    request.send().await.unwrap();
    assert_eq!(fixture.services.violations(), ["Slack was sent the header authorization"]);
}

#[tokio::test]
async fn who_tells_the_same_twice_has_done_what_none_may() {
    let fixture = Fixture::new(Faults::default()).await;
    for verified in [1, 2, 1] {
        assert_eq!(post(&fixture, &scoring(verified)).await, ok());
    }
    assert_eq!(fixture.services.violations(), [""; 0], "each is another one than that before");
    post(&fixture, &scoring(1)).await;
    assert_eq!(fixture.services.violations(), [format!("Slack was told twice, one after the other: {}", scoring(1))]);
}

#[tokio::test]
async fn who_cannot_know_that_it_was_heard_may_tell_again() {
    let fixture = Fixture::new(Faults::default()).await;
    for faults in [Faults { cut_after: 1.0, ..Faults::default() }, Faults { garbled: 1.0, ..Faults::default() }] {
        fixture.services.set_faults(Service::Slack, faults);
        assert_ne!(post(&fixture, &scoring(1)).await, ok());
    }
    fixture.services.set_faults(Service::Slack, Faults::default());
    assert_eq!(post(&fixture, &scoring(1)).await, ok());
    fixture.services.slack().interrupted();
    assert_eq!(post(&fixture, &scoring(1)).await, ok());
    assert_eq!((fixture.services.slack().posts().len(), fixture.services.violations().len()), (4, 0));
}

#[tokio::test]
async fn it_fails_in_its_own_words() {
    let fixture = Fixture::new(Faults::default()).await;
    for (refusal, said) in [
        (400, "invalid_payload"),
        (403, "action_prohibited"),
        (404, "no_service"),
        (410, "channel_is_archived"),
        (500, "rollup_error"),
    ] {
        fixture.services.set_faults(Service::Slack, Faults { refused: 1.0, refusal, ..Faults::default() });
        assert_eq!(post(&fixture, "a").await, Some((refusal, said.to_owned())));
    }
    let faults = Faults { throttled: 1.0, retry_after_secs: 30, ..Faults::default() };
    fixture.services.set_faults(Service::Slack, faults);
    let request = fixture.client.post(fixture.services.upstream(Service::Slack)).json(&json!({ "text": "a" }));
    let response = request.send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "30"));
    assert!(fixture.services.slack().posts().is_empty());
}
