//! The Campaign Service: campaigns and their markets, which the control API sets.

use crate::codes::CodeStore;
use crate::guard::Guard;
use crate::reply;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, put};
use axum::{Json, Router};
use jsonwebtoken::dangerous;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
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
    /// The fans whose campaigns of an event were asked for.
    fans: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    slug: Option<String>,
    event_id: Option<String>,
}

/// The claims of a fan's token, whose signature is the identity provider's.
#[derive(Deserialize)]
struct Fan {
    sub: String,
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
        .route("/campaigns", guard.route("findCampaigns", get(find)))
        .route("/campaigns/{campaignId}", guard.route("getCampaign", get(one)))
        .route("/campaigns/{campaignId}/markets/{marketId}", guard.route("getMarket", get(market)))
        .route("/_control/fans", get(tell_fans))
        .route("/_control/campaigns/{campaignId}", put(put_campaign))
        .route("/_control/campaigns/{campaignId}/markets/{marketId}", put(put_market))
        .with_state(state)
}

async fn find(State(state): State<Campaigns>, Query(wanted): Query<Wanted>, headers: HeaderMap) -> Response {
    let campaigns = match wanted {
        Wanted { slug: Some(slug), event_id: None } => state.lock().by_slug(&slug),
        Wanted { slug: None, event_id: Some(event_id) } => {
            let Some(fan) = fan(&headers) else {
                let message = "campaigns of an event are asked for with the token of a fan: x-forwarded-authorization";
                return reply::failure(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
            };
            let mut contents = state.lock();
            contents.fans.push(fan);
            contents.by_event(&event_id)
        }
        _ => return reply::bad_request("either slug or eventId is needed"),
    };
    reply::ok(json!({ "campaigns": campaigns }))
}

/// The fan whose token a request brings. Who has signed it is not checked.
fn fan(headers: &HeaderMap) -> Option<String> {
    let token = headers.get("x-forwarded-authorization")?.to_str().ok()?.strip_prefix("Bearer ")?;
    Some(dangerous::insecure_decode::<Fan>(token).ok()?.claims.sub)
}

impl Contents {
    fn by_slug(&self, slug: &str) -> Vec<Value> {
        let with_slug = |campaign: &&Value| campaign.get("slug").and_then(Value::as_str) == Some(slug);
        self.campaigns.values().find(with_slug).into_iter().cloned().collect()
    }

    /// The campaigns with a market for an event.
    fn by_event(&self, event_id: &str) -> Vec<Value> {
        let is_for = |market: &&Value| market.get("eventId").and_then(Value::as_str) == Some(event_id);
        let markets = self.markets.iter().filter(|(_, market)| is_for(market));
        let ids: BTreeSet<_> = markets.map(|((campaign, _), _)| campaign).collect();
        ids.into_iter().filter_map(|id| self.campaigns.get(id).cloned()).collect()
    }
}

async fn one(State(state): State<Campaigns>, Path(id): Path<String>) -> Response {
    reply::found(state.lock().campaigns.get(&id).cloned(), "campaign")
}

async fn market(State(state): State<Campaigns>, Path(ids): Path<(String, String)>) -> Response {
    reply::found(state.lock().markets.get(&ids).cloned(), "market")
}

async fn tell_fans(State(state): State<Campaigns>) -> Response {
    reply::ok(json!({ "fans": state.lock().fans }))
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
