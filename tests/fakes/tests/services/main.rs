//! The fakes over HTTP, as a host uses them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod fixture;
mod scores;
mod selection;
mod slack;

use fake_services::{Faults, Service};
use fixture::{FAR, Fixture, V1, V2, entry, statuses, token};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn a_call_needs_a_token_for_this_service_signed_by_the_host_and_in_date() {
    let fixture = Fixture::new(Faults::default()).await;
    let mut forged = token("entry", FAR);
    forged.replace_range(forged.rfind('.').unwrap() + 1.., &"A".repeat(86));
    let refused = [None, Some(forged), Some(token("user", FAR)), Some(token("entry", 1_000))];
    for token in refused {
        let mut request = fixture.client.get(format!("{}/c1/entries", fixture.services.url(Service::Entry)));
        if let Some(token) = &token {
            request = request.bearer_auth(token);
        }
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{token:?}");
    }
    let page = fixture.call(Service::Entry, "listEntries", Method::GET, "/c1/entries", None).await;
    assert_eq!(page, json!({ "entries": [] }));
}

#[tokio::test]
async fn entries_converge_and_every_version_is_remembered() {
    let fixture = Fixture::new(Faults::default()).await;
    assert_eq!(statuses(&fixture.upsert("c1", vec![entry("u1", V2), entry("u2", V1)]).await), ["upserted", "upserted"]);
    let stale = fixture.upsert("c1", vec![entry("u1", V1)]).await;
    assert_eq!((statuses(&stale), &stale["success"]), (vec!["stale"], &json!(false)));
    let held = fixture.call(Service::Entry, "getEntry", Method::GET, "/c1/entries/u1", None).await;
    assert_eq!(held, entry("u1", V2));

    let deletion = json!({ "entries": [{ "globalUserId": "u2", "version": V1 }] });
    let answer = fixture.call(Service::Entry, "deleteEntries", Method::DELETE, "/c1/entries", Some(deletion)).await;
    assert_eq!((statuses(&answer), &answer["deletedCount"]), (vec!["deleted"], &json!(1)));
    assert_eq!(statuses(&fixture.upsert("c1", vec![entry("u2", V1)]).await), ["stale"]);
    let gone = fixture.send(Service::Entry, Method::GET, "/c1/entries/u2", None).await.unwrap();
    assert_eq!(gone.0, StatusCode::NOT_FOUND);

    let (_, told) = fixture.send(Service::Entry, Method::GET, "/_control/versions/c1/u1", None).await.unwrap();
    let told: Vec<_> = told["versions"].as_array().unwrap().iter().map(|v| (&v["version"], &v["accepted"])).collect();
    assert_eq!(told, [(&json!(V2), &json!(true)), (&json!(V1), &json!(false))]);
    assert_eq!(fixture.services.entries().count(), 1);
}

#[tokio::test]
async fn a_bad_entry_is_invalid_on_its_own_and_26_are_a_bad_request() {
    let fixture = Fixture::new(Faults::default()).await;
    let mut elsewhere = entry("u3", V1);
    elsewhere["campaignId"] = json!("c2");
    let mut other_version = entry("u4", V1);
    other_version["version"] = json!(V2);
    let answer = fixture.upsert("c1", vec![entry("u1", V1), entry("u2", "now"), elsewhere, other_version]).await;
    assert_eq!(statuses(&answer), ["upserted", "invalid", "invalid", "invalid"]);

    let many: Vec<Value> = (0..26).map(|n| entry(&format!("u{n}"), V1)).collect();
    let body = json!({ "entries": many });
    let (status, _) = fixture.send(Service::Entry, Method::POST, "/c1/entries", Some(body)).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn entries_are_listed_by_pages() {
    let fixture = Fixture::new(Faults::default()).await;
    fixture.upsert("c1", (0..5).map(|n| entry(&format!("u{n}"), V1)).collect()).await;
    let (mut path, mut seen) = ("/c1/entries?limit=2".to_owned(), Vec::new());
    loop {
        let page = fixture.call(Service::Entry, "listEntries", Method::GET, &path, None).await;
        let ids = page["entries"].as_array().unwrap().iter().map(|e| e["globalUserId"].as_str().unwrap().to_owned());
        seen.push(ids.collect::<Vec<_>>());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/c1/entries?limit=2&after={next}");
    }
    assert_eq!(seen, [vec!["u0", "u1"], vec!["u2", "u3"], vec!["u4"]]);
}

#[tokio::test]
async fn invites_scores_and_verifications_come_from_what_was_put_in() {
    let fixture = Fixture::new(Faults::default()).await;
    let names = json!([{ "email": "Fan@Example.com" }, { "memberId": "m7" }]);
    fixture.send(Service::Entry, Method::POST, "/_control/invites/c1", Some(names)).await.unwrap();
    let cases = [
        (json!({ "email": "fan@example.com", "globalUserId": "u1" }), true),
        (json!({ "email": "other@example.com", "memberId": "m7" }), true),
        (json!({ "globalUserId": "u1" }), false),
    ];
    for (names, invited) in cases {
        let asked = Some(names.clone());
        let answer = fixture.call(Service::Entry, "checkInvite", Method::POST, "/c1/invites/check", asked).await;
        assert_eq!(answer, json!({ "invited": invited }), "{names}");
    }

    fixture.upsert("c1", vec![entry("u1", V1)]).await;
    let ids = Some(json!({ "globalUserIds": ["u1", "u2"] }));
    let answer = fixture.call(Service::Entry, "refreshScores", Method::POST, "/c1/scores/refresh", ids).await;
    assert_eq!(statuses(&answer), ["refreshed", "unknown"]);

    let facts = json!({ "u1": true, "u2": false });
    fixture.send(Service::User, Method::POST, "/_control/verifications", Some(facts)).await.unwrap();
    for (id, idv) in [("u1", true), ("u2", false)] {
        let path = format!("/users/{id}/verification");
        let answer = fixture.call(Service::User, "getVerification", Method::GET, &path, None).await;
        assert_eq!(answer, json!({ "idv": idv }));
    }
    let unknown = fixture.send(Service::User, Method::GET, "/users/u3/verification", None).await.unwrap();
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn profiles_are_merged_and_checked_one_by_one() {
    let fixture = Fixture::new(Faults::default()).await;
    let first = json!({ "globalUserId": "u1", "firstName": "Ada", "phoneNumber": "+14155550123" });
    let bad = json!({ "globalUserId": "u2", "phoneNumber": "415-555" });
    let second = json!({ "globalUserId": "u1", "firstName": "Grace" });
    let body = Some(json!({ "users": [first, bad, second] }));
    let answer = fixture.call(Service::User, "upsertUsers", Method::POST, "/users", body).await;
    assert_eq!(statuses(&answer), ["upserted", "invalid", "upserted"]);
    let page = fixture.call(Service::User, "listUsers", Method::GET, "/users", None).await;
    let merged = json!({ "globalUserId": "u1", "firstName": "Grace", "phoneNumber": "+14155550123" });
    assert_eq!(page, json!({ "users": [merged] }));
    fixture.call(Service::User, "getUser", Method::GET, "/users/u1", None).await;
    assert_eq!(fixture.services.user_count(), 1);
}

#[tokio::test]
async fn point_5_of_each_attribute_the_newest_is_kept_whatever_the_order_of_arrival() {
    let profile = |at: Option<&str>, parts: Value| {
        let mut profile = json!({ "globalUserId": "u1" });
        profile.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        profile.as_object_mut().unwrap().extend(at.map(|at| ("updatedAt".to_owned(), json!(at))));
        profile
    };
    let given = [
        profile(Some(V1), json!({ "phoneNumber": "+14155550121", "lastName": "Lovelace" })),
        profile(Some(V2), json!({ "phoneNumber": "+14155550122", "locale": "fr-CA" })),
        profile(Some("2026-01-01T00:00:00.003Z"), json!({ "phoneNumber": "+14155550123", "firstName": "Ada" })),
    ];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let fixture = Fixture::new(Faults::default()).await;
        let send = |user: Value| {
            let body = Some(json!({ "users": [user] }));
            fixture.call(Service::User, "upsertUsers", Method::POST, "/users", body)
        };
        for at in order {
            assert_eq!(statuses(&send(given[at].clone()).await), ["upserted"], "{order:?}");
        }
        let held = fixture.call(Service::User, "getUser", Method::GET, "/users/u1", None).await;
        let newest =
            json!({ "phoneNumber": "+14155550123", "lastName": "Lovelace", "locale": "fr-CA", "firstName": "Ada" });
        assert_eq!(held, profile(Some("2026-01-01T00:00:00.003Z"), newest), "{order:?}");
        assert_eq!(statuses(&send(profile(Some(V1), json!({ "phoneNumber": "+14155550120" }))).await), ["stale"]);
        assert_eq!(statuses(&send(profile(None, json!({ "phoneNumber": "+14155550129" }))).await), ["upserted"]);
    }
}

#[tokio::test]
async fn point_3_it_can_be_told_to_answer_as_api_usage_prints_it() {
    let fixture = Fixture::new(Faults { without_results: true, ..Faults::default() }).await;
    let all = fixture.upsert("c1", vec![entry("u1", V2), entry("u2", V1)]).await;
    assert_eq!(all, json!({ "success": true, "upsertedCount": 2 }));
    let some = fixture.upsert("c1", vec![entry("u1", V1), entry("u2", V1)]).await;
    assert_eq!(some, json!({ "success": false, "upsertedCount": 1 }));
    let deletion = json!({ "entries": [{ "globalUserId": "u2", "version": V1 }] });
    let answer = fixture.call(Service::Entry, "deleteEntries", Method::DELETE, "/c1/entries", Some(deletion)).await;
    assert_eq!(answer, json!({ "success": true, "deletedCount": 1 }));
}

#[tokio::test]
async fn point_2_a_fan_can_spoil_a_request_for_all() {
    let poison = vec!["u2".to_owned()];
    let fixture = Fixture::new(Faults { poison, refusal: 422, ..Faults::default() }).await;
    let send = |entries: Value| fixture.send(Service::Entry, Method::POST, "/c1/entries", Some(entries));
    let spoiled = send(json!({ "entries": [entry("u1", V1), entry("u2", V1)] })).await.unwrap();
    assert_eq!(spoiled.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(fixture.services.entries().count(), 0);
    assert_eq!(send(json!({ "entries": [entry("u1", V1)] })).await.unwrap().0, StatusCode::OK);
}

#[tokio::test]
async fn campaigns_and_markets_are_those_that_were_put_in() {
    let fixture = Fixture::new(Faults::default()).await;
    let campaign = json!({ "id": "c1", "slug": "artist", "status": "ACTIVE" });
    let market = json!({ "id": "m1", "campaignId": "c1", "ticketer": "TM", "capacity": 5, "sharedCode": "SHARED" });
    let put = |path, body: &Value| fixture.send(Service::Campaign, Method::PUT, path, Some(body.clone()));
    put("/_control/campaigns/c1", &campaign).await.unwrap();
    put("/_control/campaigns/c1/markets/m1", &market).await.unwrap();
    let get = |operation, path| fixture.call(Service::Campaign, operation, Method::GET, path, None);
    assert_eq!(get("getCampaign", "/campaigns/c1").await, campaign);
    assert_eq!(get("findCampaigns", "/campaigns?slug=artist").await, json!({ "campaigns": [campaign] }));
    assert_eq!(get("findCampaigns", "/campaigns?slug=other").await, json!({ "campaigns": [] }));
    assert_eq!(get("getMarket", "/campaigns/c1/markets/m1").await, market);
    let absent = fixture.send(Service::Campaign, Method::GET, "/campaigns/c2", None).await.unwrap();
    assert_eq!(absent.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn campaigns_of_an_event_are_told_to_a_fan() {
    let fixture = Fixture::new(Faults::default()).await;
    let put = async |path: String, body: Value| {
        fixture.send(Service::Campaign, Method::PUT, &path, Some(body)).await.unwrap();
    };
    for (campaign, event) in [("c1", "e 1"), ("c2", "e 1"), ("c3", "e2")] {
        let body = json!({ "id": campaign, "slug": campaign, "status": "ACTIVE" });
        put(format!("/_control/campaigns/{campaign}"), body).await;
        for market in ["m1", "m2"] {
            let path = format!("/_control/campaigns/{campaign}/markets/{market}");
            let body =
                json!({ "id": market, "campaignId": campaign, "eventId": event, "ticketer": "AXS", "capacity": 5 });
            put(path, body).await;
        }
    }
    let ask = async |path: &str, fan: Option<&str>| {
        let request = fixture.request(Service::Campaign, Method::GET, path, None);
        let bearer = fan.map(|fan| format!("Bearer {fan}"));
        let request = bearer.into_iter().fold(request, |it, bearer| it.header("x-forwarded-authorization", bearer));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let claims = json!({ "sub": "fan-1", "aud": "fans", "exp": FAR });
    let fan = fixture::signed(&claims);
    let ids =
        |body: &Value| body["campaigns"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect::<Vec<_>>();
    let (status, body) = ask("/campaigns?eventId=e%201", Some(&fan)).await;
    assert_eq!((status, ids(&body)), (200, vec![json!("c1"), json!("c2")]), "each once");
    assert_eq!(ask("/campaigns?eventId=e3", Some(&fan)).await, (200, json!({ "campaigns": [] })));
    assert_eq!(ask("/campaigns?eventId=e2", None).await.0, 401);
    assert_eq!(ask("/campaigns?eventId=e2", Some("nonsense")).await.0, 401);
    assert_eq!(ask("/campaigns", Some(&fan)).await.0, 400);
    assert_eq!(ask("/campaigns?eventId=e2&slug=c3", Some(&fan)).await.0, 400);
    let (_, fans) = fixture.send(Service::Campaign, Method::GET, "/_control/fans", None).await.unwrap();
    assert_eq!(fans, json!({ "fans": ["fan-1", "fan-1"] }));
}

#[tokio::test]
async fn each_fault_looks_as_in_production() {
    let fixture = Fixture::new(Faults::default()).await;
    let force = |faults| fixture.services.set_faults(Service::Entry, faults);
    let body = || Some(json!({ "entries": [entry("u1", V1)] }));
    let send = || fixture.send(Service::Entry, Method::POST, "/c1/entries", body());

    force(Faults { throttled: 1.0, retry_after_secs: 2, ..Faults::default() });
    let url = format!("{}/c1/entries", fixture.services.url(Service::Entry));
    let response = fixture.client.get(url).bearer_auth(token("entry", FAR)).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "2"));
    force(Faults { unavailable: 1.0, ..Faults::default() });
    assert_eq!(send().await.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    force(Faults { refused: 1.0, refusal: 404, ..Faults::default() });
    assert_eq!(send().await.unwrap().0, StatusCode::NOT_FOUND);
    force(Faults { cut: 1.0, ..Faults::default() });
    assert!(send().await.is_err());
    assert_eq!(fixture.services.entries().count(), 0, "none of these took effect");
    force(Faults { cut_after: 1.0, ..Faults::default() });
    assert!(send().await.is_err());
    assert_eq!(fixture.services.entries().count(), 1, "this one did");
    force(Faults { garbled: 1.0, ..Faults::default() });
    assert!(send().await.unwrap_err().is_decode());
    force(Faults { score_failed: 1.0, ..Faults::default() });
    assert_eq!(
        send().await.unwrap().1["results"][0],
        json!({ "globalUserId": "u1", "status": "upserted", "score": "failed" })
    );
    force(Faults { slow: 1.0, slow_ms: 80, ..Faults::default() });
    let started = std::time::Instant::now();
    send().await.unwrap();
    assert!(started.elapsed().as_millis() >= 80);
}

#[tokio::test]
async fn faults_are_set_by_the_control_api_and_a_service_can_be_told_to_ignore_versions() {
    let fixture = Fixture::new(Faults::default()).await;
    let faults = Some(json!({ "ignoreVersion": true }));
    fixture.send(Service::Entry, Method::PUT, "/_control/faults", faults).await.unwrap();
    assert!(fixture.services.faults(Service::Entry).ignore_version);
    fixture.upsert("c1", vec![entry("u1", V2)]).await;
    assert_eq!(statuses(&fixture.upsert("c1", vec![entry("u1", V1)]).await), ["upserted"]);
    let held = fixture.call(Service::Entry, "getEntry", Method::GET, "/c1/entries/u1", None).await;
    assert_eq!(held["version"], V1);
    let (_, counts) = fixture.send(Service::Entry, Method::GET, "/_control/answers", None).await.unwrap();
    assert_eq!(counts["answers"]["upsertEntries 200"], 2);
}
