//! upsert-users: sends profiles from userInfoQueue to the User Service.
//!
//! Each message contains data about a fan from the fan's browser ([`registration::user_info`]). [`profile`] normalises
//! it, [`merge`] combines the messages about one fan into one profile, [`upsert`] sends the profiles and returns the
//! outcome of each. A message is settled only when its own content is stored, so repeating a batch changes nothing.

pub mod merge;
pub mod profile;
pub mod upsert;

use merge::Merged;
use serde_json::json;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure, services::UserService};

/// The worker.
#[derive(Debug)]
pub struct UpsertUsers;

impl BatchWorker for UpsertUsers {
    const NAME: &'static str = "upsert-users";

    fn warm_up() {
        registration::warm_up();
    }

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let merged = Merged::new(&batch);
        log_left_out(&batch, &merged, call);
        let service = UserService::new(call);
        let outcomes = upsert::upsert(merged.users(), async |users| service.upsert(users).await).await;
        for problem in &outcomes.problems {
            call.error("User Service request failed", json!({"problem": problem}));
        }
        let data = json!({"received": batch.len(), "users": merged.users().len()});
        call.info("User profiles upserted", data);
        Ok(merged.settle(&outcomes.dispositions))
    }
}

fn log_left_out(batch: &[Event], merged: &Merged, call: &Call) {
    for (at, left_out) in merged.left_out() {
        if let Some(event) = batch.get(*at) {
            let data = json!({"recordId": event.id, "leftOut": left_out});
            call.of(event).warn("Parts of userInfo cannot be read and are left out of the profile", data);
        }
    }
}

worker_kit::batch_worker!(UpsertUsers);
