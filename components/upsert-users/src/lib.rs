//! upsert-users: sends profiles from userInfoQueue to the User Service.
//!
//! Each message contains data about a fan from the fan's browser ([`registration::user_info`]). [`profile`] normalises
//! it, [`upsert`] sends the profiles and returns the outcome of each. A message is settled only when its own content is
//! stored, so repeating a batch changes nothing.

pub mod profile;
pub mod upsert;

use profile::{BadMessage, Profile};
use serde_json::json;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure, Payload, services::UserService};

/// The reason of a message whose profile was not sent.
const UNSENT: &str = "the profile was not sent";

/// The worker.
#[derive(Debug)]
pub struct UpsertUsers;

impl BatchWorker for UpsertUsers {
    const NAME: &'static str = "upsert-users";

    fn warm_up() {
        registration::warm_up();
    }

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let profiles: Vec<_> = batch.iter().map(profile).collect();
        log_left_out(&batch, &profiles, call);
        let service = UserService::new(call);
        let users: Vec<_> = profiles.iter().flatten().map(|profile| &profile.user).collect();
        let outcomes = upsert::upsert(&users, async |users| service.upsert(users).await).await;
        for problem in &outcomes.problems {
            problem.log(call, "User profiles not upserted", json!({}));
        }
        let dispositions = settle(&profiles, outcomes.dispositions);
        let stored = dispositions.iter().filter(|disposition| matches!(disposition, Disposition::Ack)).count();
        if stored > 0 {
            call.info("User profiles upserted", json!({"received": batch.len(), "processed": stored}));
        }
        Ok(dispositions)
    }
}

fn profile(event: &Event) -> Result<Profile, BadMessage> {
    let body = match &event.payload {
        Payload::Json(text) => text.as_bytes(),
        Payload::Bytes(bytes) => bytes,
    };
    profile::of_message(body, event.time_ms)
}

/// The disposition of each message: that of its profile, whose dispositions come in the same order.
fn settle(profiles: &[Result<Profile, BadMessage>], dispositions: Vec<Disposition>) -> Vec<Disposition> {
    let mut dispositions = dispositions.into_iter();
    let settle = |profile: &Result<Profile, BadMessage>| match profile {
        Ok(_) => dispositions.next().unwrap_or_else(|| Disposition::retry(UNSENT)),
        Err(bad) => Disposition::Reject(bad.to_string()),
    };
    profiles.iter().map(settle).collect()
}

fn log_left_out(batch: &[Event], profiles: &[Result<Profile, BadMessage>], call: &Call) {
    for (event, profile) in batch.iter().zip(profiles) {
        if let Some(left_out) = profile.as_ref().ok().map(|it| &it.left_out).filter(|it| !it.is_empty()) {
            let data = json!({"recordId": event.id, "leftOut": left_out});
            call.of(event).warn("Parts of userInfo cannot be read and are left out of the profile", data);
        }
    }
}

worker_kit::batch_worker!(UpsertUsers);

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::Value;
    use worker_kit::lambda::{self, Context, Incoming};

    fn profiles(bodies: &[Value]) -> Vec<Result<Profile, BadMessage>> {
        let records: Vec<_> = bodies.iter().map(|body| json!({"messageId": "m", "body": body})).collect();
        let event = json!({"Records": records}).to_string();
        let incoming = lambda::parse(event.as_bytes(), &Context::default(), &mut |_| ()).unwrap();
        incoming.iter().filter_map(Incoming::event).map(profile).collect()
    }

    #[test]
    fn api_usages_message_is_read_as_printed() {
        let event: Value = serde_json::from_str(include_str!("../fixtures/sqs.json")).unwrap();
        let expected = worker_kit::services::user::User {
            global_user_id: "user-123".into(),
            email: Some("user@example.com".into()),
            first_name: Some("John".into()),
            last_name: Some("Smith".into()),
            phone_number: Some("+15551234567".into()),
            ..Default::default()
        };
        let read = profiles(&[event["Records"][0]["body"].clone()]);
        assert_eq!(read, [Ok(Profile { user: expected, left_out: vec![] })]);
    }

    #[test]
    fn each_message_has_the_disposition_of_its_profile_and_bad_ones_are_rejected() {
        let profiles = profiles(&[
            json!({"globalUserId": "a"}),
            json!({"email": "x@example.com"}),
            json!({"globalUserId": "b"}),
            json!({"globalUserId": "a"}),
        ]);
        let reason = "userInfo: `globalUserId` is missing or blank: send the fan's id".to_owned();
        let again = Disposition::retry_after(Some(500), "busy");
        assert_eq!(
            settle(&profiles, vec![Disposition::Ack, again.clone()]),
            [Disposition::Ack, Disposition::Reject(reason), again, Disposition::retry(UNSENT)]
        );
    }
}
