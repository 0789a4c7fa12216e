//! The Campaign Service: campaigns and their markets, which the control API puts in.

use crate::codes::CodeStore;
use crate::guard::Guard;
use crate::reply;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Campaigns {
    guard: Arc<Guard>,
    contents: Arc<Mutex<Contents>>,
    /// Told of the codes that markets share.
    codes: Arc<CodeStore>,
}

#[derive(Default)]
struct Contents {
    campaigns: BTreeMap<String, Value>,
    markets: BTreeMap<(String, String), Value>,
}

#[derive(Deserialize)]
struct BySlug {
    slug: String,
}

impl Campaigns {
    pub(crate) fn new(guard: Arc<Guard>, codes: Arc<CodeStore>) -> Self {
        Self { guard, contents: Arc::default(), codes }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The routes of the contract and of the control API.
pub(crate) fn routes(state: Campaigns) -> Router {
    let guard = state.guard.clone();
    Router::new()
        .route("/campaigns", guard.route("findCampaigns", get(by_slug)))
        .route("/campaigns/{campaignId}", guard.route("getCampaign", get(one)))
        .route("/campaigns/{campaignId}/markets/{marketId}", guard.route("getMarket", get(market)))
        .route("/_control/campaigns/{campaignId}", put(put_campaign))
        .route("/_control/campaigns/{campaignId}/markets/{marketId}", put(put_market))
        .with_state(state)
}

async fn by_slug(State(state): State<Campaigns>, Query(query): Query<BySlug>) -> Response {
    let contents = state.lock();
    let with_slug = |campaign: &&Value| campaign.get("slug").and_then(Value::as_str) == Some(&query.slug);
    let campaigns: Vec<Value> = contents.campaigns.values().find(with_slug).into_iter().cloned().collect();
    reply::ok(json!({ "campaigns": campaigns }))
}

async fn one(State(state): State<Campaigns>, Path(id): Path<String>) -> Response {
    reply::found(state.lock().campaigns.get(&id).cloned(), "campaign")
}

async fn market(State(state): State<Campaigns>, Path(ids): Path<(String, String)>) -> Response {
    reply::found(state.lock().markets.get(&ids).cloned(), "market")
}

async fn put_campaign(State(state): State<Campaigns>, Path(id): Path<String>, Json(campaign): Json<Value>) -> Response {
    state.lock().campaigns.insert(id, campaign);
    reply::ok(json!({}))
}

async fn put_market(
    State(state): State<Campaigns>,
    Path(ids): Path<(String, String)>,
    Json(market): Json<Value>,
) -> Response {
    let is_tm = market.get("ticketer").is_some_and(|ticketer| ticketer == "TM");
    if let Some(code) = market.get("sharedCode").and_then(Value::as_str).filter(|_| is_tm) {
        state.codes.share(&ids.0, Some(&ids.1), code);
    }
    state.lock().markets.insert(ids, market);
    reply::ok(json!({}))
}
