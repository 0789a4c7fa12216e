//! The User Service: profiles, and which fans have verified their identity.

use crate::guard::{Checked, Guard};
use crate::reply::{self, Paging};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Users {
    guard: Arc<Guard>,
    fans: Arc<Mutex<BTreeMap<String, Fan>>>,
}

/// A fan is known by a profile, by a verification, or both.
#[derive(Default)]
struct Fan {
    profile: Option<Profile>,
    verified: bool,
}

/// Each attribute with its value, and when the profile was given that it is from.
#[derive(Default)]
struct Profile(BTreeMap<String, (Value, String)>);

impl Profile {
    /// Takes what is not older than what is held. Returns whether that is anything. A profile without a time counts as
    /// given now.
    fn upsert(&mut self, given: &Map<String, Value>) -> bool {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let updated_at = given.get("updatedAt").and_then(Value::as_str).unwrap_or(&now);
        let mut any = false;
        for (name, value) in given {
            let newer_held = self.0.get(name).is_some_and(|(_, held)| held.as_str() > updated_at);
            if !newer_held {
                self.0.insert(name.clone(), (value.clone(), updated_at.to_owned()));
                any |= name != "globalUserId";
            }
        }
        any || given.len() == 1
    }

    fn to_json(&self) -> Value {
        Value::Object(self.0.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect())
    }
}

impl Users {
    pub(crate) fn new(guard: Arc<Guard>) -> Self {
        Self { guard, fans: Arc::default() }
    }

    /// The number of profiles.
    pub(crate) fn count(&self) -> usize {
        self.lock().values().filter(|fan| fan.profile.is_some()).count()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Fan>> {
        self.fans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The routes of the contract and of the control API.
pub(crate) fn routes(state: Users) -> Router {
    let guard = state.guard.clone();
    let collection = guard.route("upsertUsers", post(upsert)).merge(guard.route("listUsers", get(list)));
    Router::new()
        .route("/users", collection)
        .route("/users/{globalUserId}", guard.route("getUser", get(one)))
        .route("/users/{globalUserId}/verification", guard.route("getVerification", get(verification)))
        .route("/_control/verifications", post(verify))
        .with_state(state)
}

async fn upsert(State(state): State<Users>, Extension(sent): Extension<Checked>) -> Response {
    let users = sent.body.get("users").and_then(Value::as_array).into_iter().flatten();
    let mut fans = state.lock();
    let mut judge = |(position, user): (usize, &Value)| {
        let id = user.get("globalUserId").and_then(Value::as_str).unwrap_or_default();
        if let Some(message) = sent.bad.get(&position) {
            return json!({ "globalUserId": id, "status": "invalid", "message": message });
        }
        let profile = fans.entry(id.to_owned()).or_default().profile.get_or_insert_default();
        let upserted = user.as_object().is_some_and(|user| profile.upsert(user));
        json!({ "globalUserId": id, "status": if upserted { "upserted" } else { "stale" } })
    };
    let results: Vec<Value> = users.enumerate().map(&mut judge).collect();
    reply::ok(json!({ "results": results }))
}

async fn list(State(state): State<Users>, Query(paging): Query<Paging>) -> Response {
    let fans = state.lock();
    let behind = fans.range::<str, _>((Excluded(paging.after.as_str()), Unbounded));
    let profiles = behind.filter_map(|(id, fan)| Some((id.clone(), fan.profile.as_ref()?.to_json())));
    reply::ok(paging.page("users", profiles.take(paging.size() + 1).collect()))
}

async fn one(State(state): State<Users>, Path(id): Path<String>) -> Response {
    let profile = state.lock().get(&id).and_then(|fan| fan.profile.as_ref().map(Profile::to_json));
    reply::found(profile, "user")
}

async fn verification(State(state): State<Users>, Path(id): Path<String>) -> Response {
    let verified = state.lock().get(&id).map(|fan| fan.verified);
    reply::found(verified.map(|verified| json!({ "idv": verified })), "user")
}

/// Takes `{globalUserId: verified}`.
async fn verify(State(state): State<Users>, Json(facts): Json<BTreeMap<String, bool>>) -> Response {
    let mut fans = state.lock();
    for (id, verified) in facts {
        fans.entry(id).or_default().verified = verified;
    }
    reply::ok(json!({}))
}
