//! The Entry Service: entries that converge, scores, invite lists, and the requests of selection.

mod invites;
mod scoring;
mod selection;
mod store;

pub use invites::Invites;
pub use scoring::WonCode;
pub use store::{Arrival, EntryStore, Operation, Sent};

use crate::codes::CodeStore;
use crate::guard::{Checked, Guard};
use crate::reply::{self, Paging};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use invites::Names;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Entries {
    pub(crate) guard: Arc<Guard>,
    pub(crate) store: Arc<EntryStore>,
    pub(crate) invites: Arc<Invites>,
    /// Knows which codes are shared.
    pub(crate) codes: Arc<CodeStore>,
}

impl Entries {
    /// The answer about entries; without `results` where the service is told so.
    fn answer(&self, counted: &str, count: usize, results: Vec<Value>) -> Response {
        let mut answer = json!({ "success": count == results.len(), counted: count });
        if let Some(answer) = answer.as_object_mut().filter(|_| !self.guard.dice.answers_without_results()) {
            answer.insert("results".to_owned(), results.into());
        }
        reply::ok(answer)
    }
}

/// The routes of the contract and of the control API.
pub(crate) fn routes(state: Entries) -> Router {
    let guard = state.guard.clone();
    let collection = guard
        .route("upsertEntries", post(upsert))
        .merge(guard.route("deleteEntries", axum::routing::delete(delete)))
        .merge(guard.route("listEntries", get(list)));
    Router::new()
        .route("/{campaignId}/entries", collection)
        .route("/{campaignId}/entries/{globalUserId}", guard.route("getEntry", get(one)))
        .route("/{campaignId}/scores/refresh", guard.route("refreshScores", post(refresh)))
        .route("/{campaignId}/invites/check", guard.route("checkInvite", post(check_invite)))
        .route("/_control/versions/{campaignId}/{globalUserId}", get(versions))
        .route("/_control/arrivals/{campaignId}", get(arrivals))
        .route("/_control/campaigns", get(campaigns))
        .route("/_control/unscored", get(unscored))
        .route("/_control/invites/{campaignId}", post(invite))
        .merge(selection::routes(&guard))
        .with_state(state)
}

async fn upsert(
    State(state): State<Entries>,
    Path(campaign): Path<String>,
    Extension(sent): Extension<Checked>,
) -> Response {
    let entries = sent.body.get("entries").and_then(Value::as_array).into_iter().flatten();
    let judge = |(position, entry): (usize, &Value)| match sent.bad.get(&position) {
        Some(message) => result(entry, "invalid", Some(message)),
        None => upsert_one(&state, &campaign, entry),
    };
    let results: Vec<Value> = entries.enumerate().map(judge).collect();
    let upserted = count(&results, "upserted");
    state.answer("upsertedCount", upserted, results)
}

fn upsert_one(state: &Entries, campaign: &str, entry: &Value) -> Value {
    if text(entry, "/campaignId") != campaign {
        return result(entry, "invalid", Some("campaignId is not the campaign of the path"));
    }
    let version = text(entry, "/version");
    if version != text(entry, "/date/updated") {
        return result(entry, "invalid", Some("version is not date.updated"));
    }
    let id = text(entry, "/globalUserId");
    let dice = &state.guard.dice;
    let score_fails = dice.score_fails("upsertEntries");
    if !state.store.upsert(campaign, id, version, entry, !score_fails, dice.ignores_version()) {
        return result(entry, "stale", Some("a newer version is held, or it is deleted"));
    }
    match score_fails {
        true => json!({ "globalUserId": id, "status": "upserted", "score": "failed" }),
        false => result(entry, "upserted", None),
    }
}

async fn delete(
    State(state): State<Entries>,
    Path(campaign): Path<String>,
    Extension(sent): Extension<Checked>,
) -> Response {
    // Deletions have no status `invalid`, so a bad record makes the whole request bad.
    if let Some(message) = sent.bad.values().next() {
        return reply::bad_request(message);
    }
    let entries = sent.body.get("entries").and_then(Value::as_array).into_iter().flatten();
    let ignore_version = state.guard.dice.ignores_version();
    let judge = |entry: &Value| {
        let (id, version) = (text(entry, "/globalUserId"), text(entry, "/version"));
        let deleted = state.store.delete(&campaign, id, version, ignore_version);
        result(entry, if deleted { "deleted" } else { "stale" }, None)
    };
    let results: Vec<Value> = entries.map(judge).collect();
    let deleted = count(&results, "deleted");
    state.answer("deletedCount", deleted, results)
}

async fn list(State(state): State<Entries>, Path(campaign): Path<String>, Query(paging): Query<Paging>) -> Response {
    let entries = state.store.list(&campaign, &paging.after, paging.size() + 1);
    let entries = entries.into_iter().map(|(id, entry)| (id, parse(&entry))).collect();
    reply::ok(paging.page("entries", entries))
}

async fn one(State(state): State<Entries>, Path((campaign, id)): Path<(String, String)>) -> Response {
    reply::found(state.store.get(&campaign, &id).map(|entry| parse(&entry)), "entry")
}

async fn refresh(
    State(state): State<Entries>,
    Path(campaign): Path<String>,
    Extension(sent): Extension<Checked>,
) -> Response {
    let ids = sent.body.get("globalUserIds").and_then(Value::as_array).into_iter().flatten();
    let judge = |id: &Value| {
        let scored = !state.guard.dice.score_fails("refreshScores");
        let status = match (state.store.score(&campaign, id.as_str().unwrap_or_default(), scored), scored) {
            (false, _) => "unknown",
            (true, false) => "failed",
            (true, true) => "refreshed",
        };
        json!({ "globalUserId": id, "status": status })
    };
    reply::ok(json!({ "results": ids.map(judge).collect::<Vec<_>>() }))
}

async fn check_invite(
    State(state): State<Entries>,
    Path(campaign): Path<String>,
    Extension(sent): Extension<Checked>,
) -> Response {
    match serde_json::from_value::<Names>((*sent.body).clone()) {
        Ok(names) => reply::ok(json!({ "invited": state.invites.invited(&campaign, names) })),
        Err(error) => reply::bad_request(&error.to_string()),
    }
}

async fn invite(State(state): State<Entries>, Path(campaign): Path<String>, Json(names): Json<Vec<Names>>) -> Response {
    names.into_iter().for_each(|names| state.invites.add(&campaign, names));
    reply::ok(json!({}))
}

async fn versions(State(state): State<Entries>, Path((campaign, id)): Path<(String, String)>) -> Response {
    let versions = state.store.versions(&campaign, &id);
    reply::ok(json!({ "versions": versions.iter().map(Sent::to_json).collect::<Vec<_>>() }))
}

async fn arrivals(State(state): State<Entries>, Path(campaign): Path<String>) -> Response {
    let arrivals = state.store.arrivals(&campaign);
    let told =
        arrivals.iter().map(|a| json!({ "globalUserId": a.global_user_id, "version": a.version, "atMs": a.at_ms }));
    reply::ok(json!({ "arrivals": told.collect::<Vec<_>>() }))
}

async fn campaigns(State(state): State<Entries>) -> Response {
    reply::ok(json!({ "campaigns": state.store.campaigns() }))
}

async fn unscored(State(state): State<Entries>) -> Response {
    reply::ok(json!({ "unscored": state.store.unscored() }))
}

fn result(entry: &Value, status: &str, message: Option<&str>) -> Value {
    let mut result = json!({ "globalUserId": text(entry, "/globalUserId"), "status": status });
    if let (Some(message), Some(object)) = (message, result.as_object_mut()) {
        object.insert("message".to_owned(), message.into());
    }
    result
}

fn count(results: &[Value], status: &str) -> usize {
    results.iter().filter(|result| text(result, "/status") == status).count()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Parses text that the store has serialised from JSON.
fn parse(entry: &str) -> Value {
    serde_json::from_str(entry).unwrap_or_default()
}
