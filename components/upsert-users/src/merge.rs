//! Merges all messages about one fan into one profile.
//!
//! The last message wins, by the time when it was sent and then by its place in the batch. Parts that it lacks are
//! taken from the previous message. The User Service does the same: it leaves absent parts as they are. The outcome
//! therefore does not depend on how messages are batched.
//!
//! Maps with keys from fans' input are ordered: the seeds of hash maps are frozen into the component, so hash maps
//! could be attacked.

use crate::profile::{self, BadMessage, Profile};
use std::collections::BTreeMap;
use worker_kit::{Disposition, Event, Payload, services::user::User};

/// A batch, merged.
#[derive(Debug)]
pub struct Merged {
    users: Vec<User>,
    /// For each event the index of its profile in `users`, or why it has none.
    places: Vec<Result<usize, BadMessage>>,
    left_out: Vec<(usize, Vec<&'static str>)>,
}

impl Merged {
    /// Reads and merges a batch.
    pub fn new(batch: &[Event]) -> Self {
        let mut merged = Self {
            users: Vec::new(),
            places: vec![Err(BadMessage::NoGlobalUserId); batch.len()],
            left_out: Vec::new(),
        };
        let mut in_order: Vec<(usize, &Event)> = batch.iter().enumerate().collect();
        in_order.sort_by_key(|(_, event)| event.time_ms);
        let mut places = BTreeMap::new();
        for (at, event) in in_order {
            let place = profile::of_message(body(event)).map(|profile| merged.add(at, profile, &mut places));
            if let Some(entry) = merged.places.get_mut(at) {
                *entry = place;
            }
        }
        merged
    }

    /// The profiles, one for each fan.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// The index of each event with parts that cannot be read, and the names of these parts.
    pub fn left_out(&self) -> &[(usize, Vec<&'static str>)] {
        &self.left_out
    }

    /// The disposition of each event, from that of its profile: all messages about a fan share it.
    pub fn settle(&self, profiles: &[Disposition]) -> Vec<Disposition> {
        let settle = |place: &Result<usize, BadMessage>| match place {
            Ok(place) => {
                profiles.get(*place).cloned().unwrap_or_else(|| Disposition::retry("its profile was not sent"))
            }
            Err(bad) => Disposition::Reject(bad.to_string()),
        };
        self.places.iter().map(settle).collect()
    }

    fn add(&mut self, at: usize, profile: Profile, places: &mut BTreeMap<String, usize>) -> usize {
        let Profile { user, left_out } = profile;
        if !left_out.is_empty() {
            self.left_out.push((at, left_out));
        }
        let place = *places.entry(user.global_user_id.clone()).or_insert(self.users.len());
        match self.users.get_mut(place) {
            Some(older) => *older = over(user, std::mem::take(older)),
            None => self.users.push(user),
        }
        place
    }
}

fn body(event: &Event) -> &[u8] {
    match &event.payload {
        Payload::Json(text) => text.as_bytes(),
        Payload::Bytes(bytes) => bytes,
    }
}

/// The newer profile, completed with the parts that only the older one has.
fn over(newer: User, older: User) -> User {
    User {
        global_user_id: newer.global_user_id,
        email: newer.email.or(older.email),
        first_name: newer.first_name.or(older.first_name),
        last_name: newer.last_name.or(older.last_name),
        phone_number: newer.phone_number.or(older.phone_number),
        postal_code: newer.postal_code.or(older.postal_code),
        country_code: newer.country_code.or(older.country_code),
        locale: newer.locale.or(older.locale),
        member_id: newer.member_id.or(older.member_id),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use worker_kit::lambda::{self, Context, Incoming};

    fn event(time_ms: u64, body: Value) -> Event {
        Event {
            id: format!("msg-{time_ms}"),
            source: "sqs:userInfoQueue".into(),
            ordering_key: None,
            payload: Payload::Json(body.to_string()),
            attributes: vec![],
            attempt: 1,
            time_ms,
            correlation_id: "c".into(),
            traceparent: None,
        }
    }

    #[test]
    fn api_usages_message_is_read_as_printed() {
        let event = include_bytes!("../fixtures/sqs.json");
        let incoming = lambda::parse(event, &Context::default()).unwrap();
        let batch: Vec<Event> = incoming.iter().filter_map(Incoming::event).cloned().collect();
        let john = User {
            global_user_id: "user-123".into(),
            email: Some("user@example.com".into()),
            first_name: Some("John".into()),
            last_name: Some("Smith".into()),
            phone_number: Some("+15551234567".into()),
            ..User::default()
        };
        assert_eq!(Merged::new(&batch).users(), [john]);
    }

    fn names(merged: &Merged) -> Vec<(&str, &str)> {
        let users = merged.users().iter();
        users.map(|user| (user.global_user_id.as_str(), user.first_name.as_deref().unwrap_or_default())).collect()
    }

    #[test]
    fn the_last_message_about_a_fan_counts() {
        let merged = Merged::new(&[
            event(1, json!({"globalUserId": "a", "firstName": "Ann"})),
            event(1, json!({"globalUserId": "b", "firstName": "Bob"})),
            event(1, json!({"globalUserId": "a", "firstName": "Anna"})),
        ]);
        assert_eq!(names(&merged), [("a", "Anna"), ("b", "Bob")]);
    }

    #[test]
    fn the_last_message_is_the_one_sent_last_wherever_it_is_in_the_batch() {
        let merged = Merged::new(&[
            event(2, json!({"globalUserId": "a", "firstName": "Anna"})),
            event(1, json!({"globalUserId": "a", "firstName": "Ann", "lastName": "Lee"})),
        ]);
        assert_eq!(names(&merged), [("a", "Anna")]);
        let last_names: Vec<_> = merged.users().iter().map(|user| user.last_name.as_deref()).collect();
        assert_eq!(last_names, [Some("Lee")]);
    }

    #[test]
    fn each_event_has_the_disposition_of_its_profile_and_bad_ones_are_rejected() {
        let merged = Merged::new(&[
            event(3, json!({"globalUserId": "a"})),
            event(2, json!({"email": "x@example.com"})),
            event(1, json!({"globalUserId": "b"})),
            event(4, json!({"globalUserId": "a"})),
        ]);
        let fates = merged.users().iter().map(|user| match user.global_user_id.as_str() {
            "a" => Disposition::Ack,
            _ => Disposition::retry_after(Some(500), "busy"),
        });
        let reason = "userInfo: `globalUserId` is missing or blank: send the fan's id".to_owned();
        assert_eq!(
            merged.settle(&fates.collect::<Vec<_>>()),
            [
                Disposition::Ack,
                Disposition::Reject(reason),
                Disposition::retry_after(Some(500), "busy"),
                Disposition::Ack
            ]
        );
    }

    #[test]
    fn a_profile_without_an_outcome_is_retried() {
        let merged = Merged::new(&[event(1, json!({"globalUserId": "a"}))]);
        assert_eq!(merged.settle(&[]), [Disposition::retry("its profile was not sent")]);
    }

    #[test]
    fn parts_left_out_are_reported_by_event() {
        let merged = Merged::new(&[
            event(1, json!({"globalUserId": "a"})),
            event(2, json!({"globalUserId": "a", "phoneNumber": "call me"})),
        ]);
        assert_eq!(merged.left_out(), [(1, vec!["phoneNumber"])]);
    }
}
