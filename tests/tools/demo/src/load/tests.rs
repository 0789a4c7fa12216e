//! Tests of the load against a fake host that answers each registration as labelled.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;
use crate::gateway::Gateway;
use crate::generate::{Expected, Registration, generate};
use crate::host::{Addresses, Endpoint};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use reqwest::Client;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

const QUICK: Duration = Duration::from_millis(2);

/// The requests that the fake host got.
struct Fake {
    world: Arc<World>,
    /// How long a response takes.
    delay: Duration,
    /// Fans whose registration is being answered or written: two at a time would break their order.
    busy: Mutex<HashSet<String>>,
    items: Mutex<Vec<Value>>,
    messages: Mutex<usize>,
}

fn answer(registration: &Registration) -> Value {
    let campaign = &registration.campaign_id;
    match &registration.expected {
        Expected::Eligible { fields, linked_from } => {
            json!({ "isEligible": true, "campaignId": campaign, "fields": fields, "linkedCampaignId": linked_from })
        }
        Expected::Ineligible { reason, detail } => {
            json!({ "isEligible": false, "reason": reason, "campaignId": campaign, "detail": detail })
        }
    }
}

async fn check(State(fake): State<Arc<Fake>>, headers: HeaderMap) -> Json<Value> {
    let position: usize = headers["x-correlation-id"].to_str().unwrap().strip_prefix("demo-").unwrap().parse().unwrap();
    let registration = &fake.world.registrations[position];
    assert!(fake.busy.lock().unwrap().insert(registration.fan.clone()), "{} is overtaken", registration.fan);
    tokio::time::sleep(fake.delay).await;
    if registration.accepted_by().is_none() {
        fake.busy.lock().unwrap().remove(&registration.fan);
    }
    Json(answer(registration))
}

async fn write(State(fake): State<Arc<Fake>>, Json(body): Json<Value>) -> Json<Value> {
    tokio::time::sleep(Duration::from_millis(2)).await;
    let puts: Vec<Value> = body["puts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|put| serde_json::from_str(put.as_str().unwrap()).unwrap())
        .collect();
    let answer = json!({ "Ok": vec![Value::Null; puts.len()] });
    fake.items.lock().unwrap().extend(puts);
    Json(answer)
}

async fn send(State(fake): State<Arc<Fake>>, Json(body): Json<Value>) -> Json<Value> {
    let messages = body["messages"].as_array().unwrap();
    if body["queue"] == "dataQueue" {
        return Json(json!({ "Ok": vec![json!({ "Ok": "id" }); messages.len()] }));
    }
    for message in messages {
        // The resolver's last step: after it the fan's next registration may come.
        let user_info: Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
        fake.busy.lock().unwrap().remove(user_info["globalUserId"].as_str().unwrap());
    }
    *fake.messages.lock().unwrap() += messages.len();
    Json(json!({ "Ok": vec![json!({ "Ok": "id" }); messages.len()] }))
}

async fn run(world: World, plan: Plan, open: usize, delay: Duration) -> (Arc<Fake>, Arc<Load>) {
    let world = Arc::new(world);
    let fake = Arc::new(Fake {
        world: world.clone(),
        delay,
        busy: Mutex::default(),
        items: Mutex::default(),
        messages: Mutex::default(),
    });
    let routes = Router::new()
        .route("/workers/check-eligibility", post(check))
        .route("/platform/table/batch-write", post(write))
        .route("/platform/queue/send-batch", post(send))
        .with_state(fake.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });

    let (http, endpoint) = (Client::new(), Endpoint::fixed(Addresses { http: url.clone(), gateway: url }));
    let tokens: HashMap<_, _> = world.fans.iter().map(|fan| (fan.global_user_id.clone(), "token".to_owned())).collect();
    let resolver = Resolver::new(Gateway::new(http.clone(), endpoint.clone(), "resolver".to_owned()));
    let load = Load::new(world, tokens, Caller::new(http, endpoint), resolver, plan, ProgressBar::hidden());
    let count = load.world.registrations.len();
    load.open(0..open, 1_000.0).await.unwrap();
    load.flat_out(open..count).await.unwrap();
    (fake, load)
}

#[tokio::test]
async fn every_registration_is_answered_in_its_fans_order_and_each_eligible_one_written() {
    let (fake, load) = run(generate(600, 1), Plan::default(), 300, QUICK).await;
    let outcomes = load.outcomes();
    assert_eq!(load.answered(), 600);
    assert!(outcomes.iter().all(|outcome| outcome.is_some_and(|outcome| outcome.difference.is_none())));

    let accepted = fake.world.registrations.iter().filter(|r| r.accepted_by().is_some()).count();
    let items = fake.items.lock().unwrap();
    assert_eq!((items.len(), *fake.messages.lock().unwrap()), (accepted, accepted));
    let mut versions = HashMap::<(String, String), String>::new();
    for item in items.iter() {
        let key = (item["pk"].to_string(), item["sk"].to_string());
        let version = item["date"]["updated"].as_str().unwrap().to_owned();
        let last = versions.insert(key.clone(), version.clone());
        assert!(last.is_none_or(|last| last < version), "{key:?}: versions must strictly increase");
    }
    for ((campaign, fan), position) in fake.world.latest() {
        let key = (format!("\"CAMPAIGN#{campaign}\""), format!("\"USER#{fan}\""));
        assert_eq!(versions[&key], outcomes[position].unwrap().written.as_ref().unwrap().version);
    }
}

#[tokio::test]
async fn an_injected_loss_is_not_written_and_reported_as_written() {
    let world = generate(600, 2);
    let plan = Plan::draw(&world, 2).unwrap();
    let lost = (0..600).find(|position| plan.loses(*position)).unwrap();
    let (fake, load) = run(world, plan, 0, QUICK).await;
    let fan = &fake.world.registrations[lost].fan;
    assert!(load.outcomes()[lost].unwrap().written.is_some());
    let slug = fake.world.registrations[lost].campaign_id.as_deref().unwrap();
    let written = |item: &Value| item["globalUserId"] == **fan && item["campaignId"] == slug;
    assert!(!fake.items.lock().unwrap().iter().any(written));
    let wrong = load.outcomes().into_iter().flatten().filter(|outcome| outcome.difference.is_some()).count();
    assert_eq!(wrong, 1, "the wrong reason");
}

#[tokio::test]
async fn in_the_open_phase_a_slow_host_does_not_slow_the_arrivals_down() {
    let (delay, started) = (Duration::from_millis(300), Instant::now());
    let (_, load) = run(generate(400, 3), Plan::default(), 400, delay).await;
    // One after the other they would take two minutes, with 32 callers four seconds.
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(load.outcomes().into_iter().flatten().all(|outcome| outcome.took_us >= 300_000));
}
