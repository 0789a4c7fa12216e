//! The Code Service: pools of codes, which are reserved and assigned.

mod store;

pub use store::{CodeState, CodeStore, PooledCode};

use crate::guard::{Checked, Guard};
use crate::reply::{self, Paging};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use store::Conflict;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Codes {
    pub(crate) guard: Arc<Guard>,
    pub(crate) store: Arc<CodeStore>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reservation {
    market_id: String,
    count: usize,
    reservation_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assignment<'a> {
    market_id: &'a str,
    #[serde(borrow)]
    codes: Vec<&'a str>,
}

/// Of which market, and in which state: only reserved codes are listed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    market_id: String,
    #[serde(rename = "state")]
    _state: Reserved,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Reserved {
    Reserved,
}

/// Codes for a pool.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filling {
    market_id: String,
    codes: Vec<String>,
}

/// Codes that all winners share; with a market, they are what is reserved for it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sharing {
    market_id: Option<String>,
    codes: Vec<String>,
}

/// The routes of the contract and of the control API.
pub(crate) fn routes(state: Codes) -> Router {
    let guard = state.guard.clone();
    Router::new()
        .route("/{campaignId}/codes/reserve", guard.route("reserveCodes", post(reserve)))
        .route("/{campaignId}/codes", guard.route("listCodes", get(list)))
        .route("/{campaignId}/assign", guard.route("markAssigned", post(assign)))
        .route("/_control/codes/{campaignId}", get(tell).post(fill))
        .route("/_control/codes/{campaignId}/shared", post(share))
        .layer(DefaultBodyLimit::disable())
        .with_state(state)
}

async fn reserve(
    State(state): State<Codes>,
    Path(campaign): Path<String>,
    Extension(sent): Extension<Checked>,
) -> Response {
    let Reservation { market_id, count, reservation_id } = match Reservation::deserialize(&*sent.body) {
        Ok(reservation) => reservation,
        Err(error) => return reply::bad_request(&error.to_string()),
    };
    match state.store.reserve(&campaign, &market_id, count, &reservation_id) {
        Ok(codes) if state.guard.dice.answers_without_results() => reply::ok(json!(codes)),
        Ok(codes) => reply::ok(json!({ "codes": codes })),
        Err(conflict) => refused(&conflict),
    }
}

async fn list(
    State(state): State<Codes>,
    Path(campaign): Path<String>,
    Query(listing): Query<Listing>,
    Query(paging): Query<Paging>,
) -> Response {
    let codes = state.store.reserved(&campaign, &listing.market_id, &paging.after, paging.size() + 1);
    reply::ok(paging.page("codes", codes.into_iter().map(|code| (code.clone(), code.into())).collect()))
}

async fn assign(
    State(state): State<Codes>,
    Path(campaign): Path<String>,
    Extension(sent): Extension<Checked>,
) -> Response {
    match Assignment::deserialize(&*sent.body) {
        Ok(Assignment { market_id, codes }) => match state.store.assign(&campaign, market_id, &codes) {
            Ok(()) => state.guard.done(),
            Err(conflict) => refused(&conflict),
        },
        Err(error) => reply::bad_request(&error.to_string()),
    }
}

async fn tell(State(state): State<Codes>, Path(campaign): Path<String>) -> Response {
    reply::ok(json!({ "codes": state.store.codes(&campaign) }))
}

async fn fill(State(state): State<Codes>, Path(campaign): Path<String>, Json(filling): Json<Filling>) -> Response {
    state.store.add(&campaign, &filling.market_id, filling.codes);
    reply::ok(json!({}))
}

async fn share(State(state): State<Codes>, Path(campaign): Path<String>, Json(sharing): Json<Sharing>) -> Response {
    sharing.codes.iter().for_each(|code| state.store.share(&campaign, sharing.market_id.as_deref(), code));
    reply::ok(json!({}))
}

fn refused(conflict: &Conflict) -> Response {
    let (code, message) = match conflict {
        Conflict::TooFewCodes { free } => ("TOO_FEW_CODES", format!("only {free} codes are free")),
        Conflict::ReservationDiffers => {
            ("RESERVATION_DIFFERS", "the reservation is of another market or another count".to_owned())
        }
        Conflict::NotReserved(code) => ("NOT_RESERVED", format!("{code} is not reserved for the market")),
    };
    reply::failure(StatusCode::CONFLICT, code, &message)
}
