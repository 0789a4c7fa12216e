//! The requests of selection to the fakes: scoring records, codes, reports.

use crate::fixture::{Fixture, V1, entry, statuses};
use fake_services::{CodeState, Faults, Service};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// An entry for markets m1 and m2.
fn for_markets(id: &str) -> Value {
    let mut entry = entry(id, V1);
    entry["fields"] = json!({ "markets": ["m1", "m2"] });
    entry
}

fn codes(fans: &[(&str, &str)]) -> Option<Value> {
    let entry = |(fan, code): &(&str, &str)| json!({ "globalUserId": fan, "marketId": "m1", "code": code });
    Some(json!({ "entries": fans.iter().map(entry).collect::<Vec<_>>() }))
}

fn names(page: &Value) -> Vec<&str> {
    let records = page["records"].as_array().unwrap();
    records.iter().map(|record| record["globalUserId"].as_str().unwrap_or("-")).collect()
}

impl Fixture {
    async fn entry_service(&self, operation: &str, method: Method, path: &str, body: Option<Value>) -> Value {
        self.call(Service::Entry, operation, method, path, body).await
    }

    async fn assign(&self, fans: &[(&str, &str)]) -> Value {
        self.entry_service("assignCodes", Method::POST, "/c1/entries/codes", codes(fans)).await
    }

    async fn code_service(&self, operation: &str, method: Method, path: &str, body: Option<Value>) -> Value {
        self.call(Service::Code, operation, method, path, body).await
    }

    async fn reserve(&self, market: &str, count: u32, id: &str) -> Value {
        let body = json!({ "marketId": market, "count": count, "reservationId": id });
        self.code_service("reserveCodes", Method::POST, "/c1/codes/reserve", Some(body)).await
    }

    async fn control(&self, service: Service, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.send(service, method, path, body).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }
}

#[tokio::test]
async fn the_fans_of_a_market_are_counted_and_listed_best_first_in_pages() {
    let fixture = Fixture::new(Faults::default()).await;
    fixture.upsert("c1", ["u1", "u2", "u3"].map(for_markets).to_vec()).await;
    let scores = json!([
        { "globalUserId": "u1", "score": 1.5 },
        { "globalUserId": "u2", "score": 850, "phoneNumber": "+15551234567", "locale": "en-US" },
        { "memberId": "x", "score": 9, "registeredAt": "2026-01-01T00:00:00Z", "marketId": "m1" },
        { "globalUserId": "unknown", "score": 9 },
    ]);
    fixture.control(Service::Entry, Method::POST, "/_control/scores/c1", Some(scores)).await;
    for (market, count) in [("m1", 4), ("m2", 3), ("m3", 0)] {
        let path = format!("/c1/markets/{market}/eligible-count");
        assert_eq!(fixture.entry_service("countEligible", Method::GET, &path, None).await, json!({ "count": count }));
    }
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let path = format!("/c1/scoring-records?marketId=m1&state=unassigned&limit=2{after}");
        let page = fixture.entry_service("listScoringRecords", Method::GET, &path, None).await;
        seen.push(names(&page).into_iter().map(str::to_owned).collect::<Vec<_>>());
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", next.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>());
    }
    assert_eq!(seen, [["u2", "-"], ["u1", "u3"]]);
    let page = fixture.entry_service("listScoringRecords", Method::GET, "/c1/scoring-records?marketId=m2", None).await;
    let best = json!({ "campaignId": "c1", "marketId": "m2", "globalUserId": "u2", "score": 850, "registeredAt": V1,
                       "phoneNumber": "+15551234567", "locale": "en-US" });
    assert_eq!(page["records"][0], best);
    let lost = "/c1/scoring-records?marketId=m1&after=nowhere";
    let (status, _) = fixture.send(Service::Entry, Method::GET, lost, None).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn codes_are_assigned_to_all_fans_of_a_request_or_to_none() {
    let fixture = Fixture::new(Faults::default()).await;
    fixture.upsert("c1", ["u1", "u2", "u3"].map(for_markets).to_vec()).await;
    fixture.control(Service::Entry, Method::PUT, "/_control/refused/c1", Some(json!(["u3"]))).await;
    let refused = fixture.assign(&[("u1", "A"), ("u2", "B"), ("u3", "C"), ("u4", "D")]).await;
    assert_eq!(statuses(&refused), ["unassigned", "unassigned", "invalid", "unknown"]);
    assert_eq!((&refused["success"], &refused["assignedCount"]), (&json!(false), &json!(0)));
    let bad = fixture.assign(&[("u1", "A"), ("u2", "")]).await;
    assert_eq!(statuses(&bad), ["unassigned", "invalid"]);
    assert!(fixture.services.entries().codes("c1").is_empty());

    for _ in 0..2 {
        let assigned = fixture.assign(&[("u1", "A"), ("u2", "B")]).await;
        assert_eq!(statuses(&assigned), ["assigned", "assigned"]);
        assert_eq!((&assigned["success"], &assigned["assignedCount"]), (&json!(true), &json!(2)));
    }
    let path = "/c1/scoring-records?marketId=m1&state=assigned";
    let page = fixture.entry_service("listScoringRecords", Method::GET, path, None).await;
    assert_eq!(names(&page), ["u1", "u2"]);
    let won = (&page["records"][0]["verdict"], &page["records"][0]["code"]);
    assert_eq!(won, (&json!(true), &json!({ "marketId": "m1", "value": "A" })));
    for market in ["m1", "m2"] {
        let path = format!("/c1/scoring-records?marketId={market}");
        let page = fixture.entry_service("listScoringRecords", Method::GET, &path, None).await;
        assert_eq!(names(&page), ["u3"], "who has a code wins no other: {market}");
    }
    fixture.control(Service::Entry, Method::PUT, "/_control/refused/c1", Some(json!([]))).await;
    assert_eq!(statuses(&fixture.assign(&[("u3", "C")]).await), ["assigned"]);
    assert!(fixture.services.violations().is_empty());

    let many: Vec<_> = (0..26).map(|_| ("u1", "A")).collect();
    let (status, _) = fixture.send(Service::Entry, Method::POST, "/c1/entries/codes", codes(&many)).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn one_code_for_two_fans_is_a_violation_unless_it_is_shared() {
    let fixture = Fixture::new(Faults::default()).await;
    fixture.upsert("c1", ["u1", "u2", "u3"].map(for_markets).to_vec()).await;
    fixture.services.codes().share("c1", None, "SHARED");
    assert_eq!(statuses(&fixture.assign(&[("u1", "SHARED"), ("u2", "SHARED")]).await), ["assigned", "assigned"]);
    assert_eq!(statuses(&fixture.assign(&[("u1", "OTHER")]).await), ["held"]);
    assert_eq!(statuses(&fixture.assign(&[("u3", "A")]).await), ["assigned"]);
    fixture.upsert("c1", vec![for_markets("u4")]).await;
    assert_eq!(statuses(&fixture.assign(&[("u4", "A")]).await), ["invalid"]);
    let violations = [
        "fan u1 of c1 has the code SHARED and was to have OTHER",
        "the code A of fan u3 of c1 was to be fan u4's of c1, too",
    ];
    assert_eq!(fixture.services.violations(), violations);
    let told = fixture.control(Service::Entry, Method::GET, "/_control/violations", None).await;
    assert_eq!(told, json!({ "violations": violations }));
    let codes = fixture.control(Service::Entry, Method::GET, "/_control/codes/c1", None).await;
    assert_eq!(codes["codes"][2], json!({ "globalUserId": "u3", "marketId": "m1", "code": "A" }));
}

#[tokio::test]
async fn every_report_is_kept_in_order() {
    let fixture = Fixture::new(Faults::default()).await;
    let reports = [
        json!({ "marketId": "m1", "status": "PROCESSING", "total": 9 }),
        json!({ "marketId": "m1", "status": "FINISHED", "total": 9, "PROCESSED": 5, "FAILED": 1 }),
    ];
    for report in &reports {
        let done = fixture.entry_service("putStats", Method::PUT, "/c1/stats", Some(report.clone())).await;
        assert_eq!(done, json!({ "success": true }));
    }
    let bad = json!({ "marketId": "m1", "status": "DONE", "total": 9 });
    let (status, _) = fixture.send(Service::Entry, Method::PUT, "/c1/stats", Some(bad)).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let told = fixture.control(Service::Entry, Method::GET, "/_control/stats/c1", None).await;
    assert_eq!(told, json!({ "stats": reports }));
}

#[tokio::test]
async fn codes_are_reserved_listed_and_assigned() {
    let fixture = Fixture::new(Faults::default()).await;
    let pool = json!({ "marketId": "m1", "codes": ["A", "B", "C"] });
    fixture.control(Service::Code, Method::POST, "/_control/codes/c1", Some(pool)).await;
    for _ in 0..2 {
        assert_eq!(fixture.reserve("m1", 2, "r1").await, json!({ "codes": ["A", "B"] }));
    }
    let more = json!({ "marketId": "m1", "count": 2, "reservationId": "r2" });
    let refused = fixture.send(Service::Code, Method::POST, "/c1/codes/reserve", Some(more)).await.unwrap();
    assert_eq!((refused.0, &refused.1["error"]["code"]), (StatusCode::CONFLICT, &json!("TOO_FEW_CODES")));

    let page = "/c1/codes?marketId=m1&state=reserved&limit=1";
    assert_eq!(
        fixture.code_service("listCodes", Method::GET, page, None).await,
        json!({ "codes": ["A"], "next": "A" })
    );
    for _ in 0..2 {
        let body = Some(json!({ "marketId": "m1", "codes": ["A"] }));
        let done = fixture.code_service("markAssigned", Method::POST, "/c1/assign", body).await;
        assert_eq!(done, json!({ "success": true }));
    }
    assert_eq!(fixture.code_service("listCodes", Method::GET, page, None).await, json!({ "codes": ["B"] }));
    let free = Some(json!({ "marketId": "m1", "codes": ["B", "C"] }));
    let refused = fixture.send(Service::Code, Method::POST, "/c1/assign", free).await.unwrap();
    assert_eq!((refused.0, &refused.1["error"]["code"]), (StatusCode::CONFLICT, &json!("NOT_RESERVED")));
    let states = [("C", CodeState::Free), ("B", CodeState::Reserved), ("A", CodeState::Assigned)];
    let told = fixture.services.codes().codes("c1").into_iter().map(|code| (code.code, code.state));
    assert_eq!(told.collect::<Vec<_>>(), states.map(|(code, state)| (code.to_owned(), state)));
    assert!(fixture.services.violations().is_empty());
}

#[tokio::test]
async fn a_markets_shared_code_is_reserved_and_assigned_any_number_of_times() {
    let fixture = Fixture::new(Faults::default()).await;
    let market = json!({ "id": "m1", "campaignId": "c1", "ticketer": "TM", "capacity": 5, "sharedCode": "SHARED" });
    fixture.control(Service::Campaign, Method::PUT, "/_control/campaigns/c1/markets/m1", Some(market)).await;
    let more = json!({ "marketId": "m2", "codes": ["SHARED-2"] });
    fixture.control(Service::Code, Method::POST, "/_control/codes/c1/shared", Some(more)).await;
    for (market, code) in [("m1", "SHARED"), ("m1", "SHARED"), ("m2", "SHARED-2")] {
        assert_eq!(fixture.reserve(market, 1, &format!("{market}-{code}")).await, json!({ "codes": [code] }));
        let body = Some(json!({ "marketId": market, "codes": [code] }));
        fixture.code_service("markAssigned", Method::POST, "/c1/assign", body).await;
    }
    let told = fixture.control(Service::Code, Method::GET, "/_control/codes/c1", None).await;
    assert_eq!(told["codes"][0], json!({ "code": "SHARED", "marketId": "m1", "state": "shared" }));
    assert!(fixture.services.violations().is_empty());
}

#[tokio::test]
async fn a_code_that_two_pools_hand_out_is_a_violation() {
    let fixture = Fixture::new(Faults::default()).await;
    ["m1", "m2"].iter().for_each(|market| fixture.services.codes().add("c1", market, ["A".to_owned()]));
    fixture.reserve("m1", 1, "r1").await;
    assert!(fixture.services.violations().is_empty());
    fixture.reserve("m2", 1, "r2").await;
    let violation = "code A was handed out twice: to c1/m1 r1 and to c1/m2 r2";
    assert_eq!(fixture.services.violations(), [violation]);
    let told = fixture.control(Service::Code, Method::GET, "/_control/violations", None).await;
    assert_eq!(told, json!({ "violations": [violation] }));
}

#[tokio::test]
async fn they_can_be_told_to_answer_as_api_usage_prints_it() {
    let fixture = Fixture::new(Faults { without_results: true, ..Faults::default() }).await;
    fixture.services.codes().add("c1", "m1", ["A".to_owned(), "B".to_owned()]);
    assert_eq!(fixture.reserve("m1", 2, "r1").await, json!(["A", "B"]));
    let body = json!({ "marketId": "m1", "codes": ["A"] });
    let stats = json!({ "marketId": "m1", "status": "PROCESSING", "total": 9 });
    for (service, method, path, body) in
        [(Service::Code, Method::POST, "/c1/assign", body), (Service::Entry, Method::PUT, "/c1/stats", stats)]
    {
        let response = fixture.request(service, method, path, Some(body)).send().await.unwrap();
        assert_eq!((response.status(), &*response.text().await.unwrap()), (StatusCode::NO_CONTENT, ""), "{path}");
    }

    fixture.upsert("c1", ["u1", "u2"].map(for_markets).to_vec()).await;
    assert_eq!(fixture.assign(&[("u1", "A"), ("u2", "B")]).await, json!({ "success": true, "assignedCount": 2 }));
    assert_eq!(fixture.assign(&[("u1", "A"), ("u9", "C")]).await, json!({ "success": false, "assignedCount": 0 }));
}

#[tokio::test]
async fn what_selection_asks_fails_as_everything_else() {
    let fixture = Fixture::new(Faults::default()).await;
    fixture.upsert("c1", ["u1", "u2"].map(for_markets).to_vec()).await;
    fixture.services.codes().add("c1", "m1", ["A".to_owned()]);
    let force = |service, operation: &str, faults: Faults| {
        let operations = vec![operation.to_owned()];
        fixture.services.set_faults(service, Faults { operations, ..faults });
    };
    let reserve = || {
        let body = json!({ "marketId": "m1", "count": 1, "reservationId": "r1" });
        fixture.send(Service::Code, Method::POST, "/c1/codes/reserve", Some(body))
    };
    let assign = |fan| fixture.send(Service::Entry, Method::POST, "/c1/entries/codes", codes(&[(fan, "A")]));

    force(Service::Code, "reserveCodes", Faults { unavailable: 1.0, ..Faults::default() });
    assert_eq!(reserve().await.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    force(Service::Code, "reserveCodes", Faults { cut: 1.0, ..Faults::default() });
    assert!(reserve().await.is_err());
    let state = || fixture.services.codes().codes("c1")[0].state;
    assert_eq!(state(), CodeState::Free, "none of these took effect");
    force(Service::Code, "reserveCodes", Faults { cut_after: 1.0, ..Faults::default() });
    assert!(reserve().await.is_err());
    assert_eq!(state(), CodeState::Reserved, "this one did");
    force(Service::Code, "reserveCodes", Faults { garbled: 1.0, ..Faults::default() });
    assert!(reserve().await.unwrap_err().is_decode());
    force(Service::Code, "markAssigned", Faults { unavailable: 1.0, ..Faults::default() });
    assert_eq!(reserve().await.unwrap().1, json!({ "codes": ["A"] }), "another operation");

    force(Service::Entry, "assignCodes", Faults { cut_after: 1.0, ..Faults::default() });
    assert!(assign("u1").await.is_err());
    assert_eq!(fixture.services.entries().codes("c1").len(), 1);
    let poison = vec!["u2".to_owned()];
    force(Service::Entry, "assignCodes", Faults { poison, refusal: 422, ..Faults::default() });
    assert_eq!(assign("u2").await.unwrap().0, StatusCode::UNPROCESSABLE_ENTITY);
    force(Service::Entry, "assignCodes", Faults { slow: 1.0, slow_ms: 80, ..Faults::default() });
    let started = std::time::Instant::now();
    assert_eq!(statuses(&assign("u1").await.unwrap().1), ["assigned"]);
    assert!(started.elapsed().as_millis() >= 80);
    for operation in ["listScoringRecords", "countEligible", "putStats"] {
        force(Service::Entry, operation, Faults { throttled: 1.0, ..Faults::default() });
        let (method, path, body) = match operation {
            "putStats" => (Method::PUT, "/c1/stats", Some(json!({ "marketId": "m", "status": "FAILED", "total": 0 }))),
            "countEligible" => (Method::GET, "/c1/markets/m1/eligible-count", None),
            _ => (Method::GET, "/c1/scoring-records?marketId=m1", None),
        };
        let (status, _) = fixture.send(Service::Entry, method, path, body).await.unwrap();
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{operation}");
    }
}
