//! The requests of scoring and selection to the Entry Service: scores, scoring records, codes for winners, and reports.

use super::scoring::{Code, Outcome, Wanted};
use super::{Entries, text};
use crate::guard::{Checked, Guard};
use crate::reply::{self, Paging};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;

/// The routes of the contract and of the control API.
pub(super) fn routes(guard: &Arc<Guard>) -> Router<Entries> {
    Router::new()
        .route("/{campaignId}/scores", guard.route("upsertScores", post(score)))
        .route("/{campaignId}/entries/codes", guard.route("assignCodes", post(assign)))
        .route("/{campaignId}/markets/{marketId}/eligible-count", guard.route("countEligible", get(count)))
        .route("/{campaignId}/scoring-records", guard.route("listScoringRecords", get(list)))
        .route("/{campaignId}/stats", guard.route("putStats", put(report)))
        .route("/_control/scores/{campaignId}", post(give).get(scores))
        .route("/_control/refused/{campaignId}", put(refuse))
        .route("/_control/codes/{campaignId}", get(codes))
        .route("/_control/stats/{campaignId}", get(reports))
        .layer(DefaultBodyLimit::disable())
}

/// Of which market, and which of its records.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    market_id: String,
    #[serde(default)]
    state: Records,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Records {
    #[default]
    Unassigned,
    Assigned,
}

async fn score(
    State(state): State<Entries>,
    Path(campaign): Path<String>,
    Extension(sent): Extension<Checked>,
) -> Response {
    let scoring = &state.store.scoring;
    let judge = |(position, score): (usize, &Value)| {
        scoring.judge_rank(&campaign, score);
        match sent.bad.get(&position).map(String::as_str) {
            Some(fault) => scored(score, "invalid", Some(fault)),
            None if text(score, "/campaignId") != campaign => {
                scored(score, "invalid", Some("campaignId is not the campaign of the path"))
            }
            None if scoring.score(&campaign, score) => scored(score, "upserted", None),
            None => scored(score, "stale", None),
        }
    };
    let scores = sent.body.get("scores").and_then(Value::as_array).into_iter().flatten();
    let results: Vec<Value> = scores.enumerate().map(judge).collect();
    state.answer("upsertedCount", super::count(&results, "upserted"), results)
}

/// The result of a score, with the names that it was sent with.
fn scored(score: &Value, status: &str, message: Option<&str>) -> Value {
    let names = ["memberId", "globalUserId", "email"].map(|name| Some((name, score.get(name)?.as_str()?)));
    let said = [Some(("status", status)), message.map(|message| ("message", message))];
    names.into_iter().chain(said).flatten().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

async fn scores(State(state): State<Entries>, Path(campaign): Path<String>) -> Response {
    reply::ok(json!({ "scores": state.store.scores(&campaign) }))
}

async fn count(State(state): State<Entries>, Path((campaign, market)): Path<(String, String)>) -> Response {
    reply::ok(json!({ "count": state.store.scoring.eligible(&campaign, &market) }))
}

async fn list(
    State(state): State<Entries>,
    Path(campaign): Path<String>,
    Query(Listing { market_id, state: which }): Query<Listing>,
    Query(paging): Query<Paging>,
) -> Response {
    let paging = paging.at_most(state.guard.dice.most_per_page());
    let (scoring, limit) = (&state.store.scoring, paging.size() + 1);
    let records = match which {
        Records::Assigned => scoring.assigned(&campaign, &market_id, &paging.after, limit),
        Records::Unassigned => {
            let after = (!paging.after.is_empty()).then(|| serde_json::from_str(&paging.after)).transpose();
            let Ok(after) = after else { return reply::bad_request("after is not a place that a page names") };
            let records = scoring.unassigned(&campaign, &market_id, after, limit);
            records.into_iter().map(|(rank, record)| (json!(rank).to_string(), record)).collect()
        }
    };
    reply::ok(paging.page("records", records))
}

async fn assign(
    State(state): State<Entries>,
    Path(campaign): Path<String>,
    Extension(sent): Extension<Checked>,
) -> Response {
    let entries = sent.body.get("entries").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let wanted = |(position, entry)| {
        let code = Code { market_id: text(entry, "/marketId").to_owned(), value: text(entry, "/code").to_owned() };
        let is_shared = state.codes.is_shared(&campaign, &code.value);
        Wanted { fan: text(entry, "/globalUserId"), code, is_shared, fault: sent.bad.get(&position).cloned() }
    };
    let wanted: Vec<Wanted<'_>> = entries.iter().enumerate().map(wanted).collect();
    let outcomes = state.store.scoring.assign(&campaign, &wanted);
    let done = outcomes.iter().all(|outcome| *outcome == Outcome::Assigned);
    let results = wanted.iter().zip(outcomes).map(|(wanted, outcome)| result(wanted.fan, outcome)).collect();
    state.answer("assignedCount", if done { wanted.len() } else { 0 }, results)
}

async fn report(
    State(state): State<Entries>,
    Path(campaign): Path<String>,
    Extension(sent): Extension<Checked>,
) -> Response {
    state.store.report(&campaign, (*sent.body).clone());
    state.guard.done()
}

/// Takes scoring records: `{globalUserId?, score?, registeredAt?, marketId?, markets?}`, and what else is to be told of the
/// fan. Those without a market are of fans with an entry.
async fn give(State(state): State<Entries>, Path(campaign): Path<String>, Json(records): Json<Value>) -> Response {
    match state.store.give_scores(&campaign, records) {
        Ok(()) => reply::ok(json!({})),
        Err(error) => reply::bad_request(&error.to_string()),
    }
}

/// Takes the globalUserIds of the fans whose codes are refused from now on.
async fn refuse(
    State(state): State<Entries>,
    Path(campaign): Path<String>,
    Json(fans): Json<HashSet<String>>,
) -> Response {
    state.store.refuse(&campaign, fans);
    reply::ok(json!({}))
}

async fn codes(State(state): State<Entries>, Path(campaign): Path<String>) -> Response {
    reply::ok(json!({ "codes": state.store.codes(&campaign) }))
}

async fn reports(State(state): State<Entries>, Path(campaign): Path<String>) -> Response {
    reply::ok(json!({ "stats": state.store.stats(&campaign) }))
}

fn result(fan: &str, outcome: Outcome) -> Value {
    let status = match &outcome {
        Outcome::Assigned => "assigned",
        Outcome::Unassigned => "unassigned",
        Outcome::Held => "held",
        Outcome::Unknown => "unknown",
        Outcome::Invalid(message) => return json!({ "globalUserId": fan, "status": "invalid", "message": message }),
    };
    json!({ "globalUserId": fan, "status": status })
}
