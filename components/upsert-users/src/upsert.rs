//! Sends profiles to the User Service, with an outcome for each.
//!
//! Every message is a separate profile, even if a fan has several in a batch: the service keeps the newest of each part
//! by `updatedAt`, so the outcome depends neither on how messages are batched nor on their order. Maps with keys from
//! fans' input are ordered: the seeds of hash maps are frozen into the component, so hash maps could be attacked.

use std::collections::BTreeMap;
use worker_kit::Disposition;
use worker_kit::services::user::{UpsertStatus, Upserted, User};
use worker_kit::services::{Results, ServiceError, isolate};

/// Most requests of one call at a time. The host keeps the service's own limits.
const IN_FLIGHT: usize = 4;

/// The outcomes of the profiles, in their order.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// One for each profile.
    pub dispositions: Vec<Disposition>,
    /// One for each request that failed, for the log.
    pub problems: Vec<ServiceError>,
}

/// Sends the profiles.
pub async fn upsert<'u>(
    users: &[&'u User],
    send: impl AsyncFn(&[&'u User]) -> Result<Results<Upserted>, ServiceError>,
) -> Outcomes {
    let unsent = Disposition::retry(crate::UNSENT);
    let mut outcomes = Outcomes { dispositions: vec![unsent; users.len()], problems: vec![] };
    for round in rounds(users) {
        let answers = isolate(round, IN_FLIGHT, async |places: &[usize]| {
            let users: Vec<_> = places.iter().filter_map(|place| users.get(*place).copied()).collect();
            send(&users).await
        });
        for (places, answer) in answers.await {
            outcomes.settle(users, &places, answer);
        }
    }
    outcomes
}

/// The places of the profiles, oldest first, in rounds that have each fan once, because the service's results name fans.
fn rounds(users: &[&User]) -> Vec<Vec<usize>> {
    let mut oldest_first: Vec<_> = users.iter().enumerate().collect();
    oldest_first.sort_by_key(|(_, user)| user.updated_at.as_deref());
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, user) in oldest_first {
        let nth = seen.entry(&user.global_user_id).or_default();
        match rounds.get_mut(*nth) {
            Some(round) => round.push(place),
            None => rounds.push(vec![place]),
        }
        *nth += 1;
    }
    rounds
}

impl Outcomes {
    fn settle(&mut self, users: &[&User], places: &[usize], answer: Result<Results<Upserted>, ServiceError>) {
        self.problems.extend(answer.as_ref().err().cloned());
        let results = answer.as_ref().map_or(&[][..], |answer| &answer.results);
        let results: BTreeMap<_, _> = results.iter().map(|result| (&result.global_user_id, result)).collect();
        for place in places {
            let (Some(slot), Some(user)) = (self.dispositions.get_mut(*place), users.get(*place)) else { continue };
            *slot = match &answer {
                Ok(answer) => answered(answer, results.get(&user.global_user_id).copied()),
                Err(error) => error.disposition(),
            };
        }
    }
}

/// The disposition of a profile by the service's result. One that the answer does not mention is retried, and so is one
/// that the service finds invalid: after the last attempt it becomes a dead letter.
fn answered(answer: &Results<Upserted>, result: Option<&Upserted>) -> Disposition {
    match result.map(|result| (result.status, result.message.as_deref())) {
        Some((UpsertStatus::Upserted | UpsertStatus::Stale, _)) => Disposition::Ack,
        Some((UpsertStatus::Invalid, message)) => {
            let message = message.unwrap_or("it does not say why");
            Disposition::retry(answer.told(format_args!("invalid: {message}")))
        }
        None => Disposition::retry(answer.unmentioned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use std::cell::RefCell;
    use worker_kit::services::ResponseSummary;

    fn users(count: usize) -> Vec<User> {
        (0..count).map(|at| User { global_user_id: format!("u{at}"), ..User::default() }).collect()
    }

    fn send(users: &[User], send: impl AsyncFn(&[&User]) -> Result<Results<Upserted>, ServiceError>) -> Outcomes {
        block_on(upsert(&users.iter().collect::<Vec<_>>(), send))
    }

    fn stored(users: &[&User]) -> Result<Results<Upserted>, ServiceError> {
        Ok(answer(users.iter().map(|user| result(user, UpsertStatus::Upserted)).collect()))
    }

    fn answer(results: Vec<Upserted>) -> Results<Upserted> {
        Results { summary: ResponseSummary::new("user", 200, "{}"), results }
    }

    fn result(user: &User, status: UpsertStatus) -> Upserted {
        Upserted { global_user_id: user.global_user_id.clone(), status, message: None }
    }

    fn problems(outcomes: &Outcomes) -> Vec<String> {
        outcomes.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_request_holds_at_most_25_profiles() {
        let sizes = RefCell::new(Vec::new());
        let outcomes = send(&users(60), async |chunk| {
            sizes.borrow_mut().push(chunk.len());
            stored(chunk)
        });
        assert_eq!(sizes.into_inner(), [25, 25, 10]);
        assert_eq!(outcomes.dispositions, vec![Disposition::Ack; 60]);
        assert!(outcomes.problems.is_empty());
    }

    #[test]
    fn without_profiles_no_request_is_sent() {
        let outcomes = send(&[], async |_| unreachable!("nothing to send"));
        assert!(outcomes.dispositions.is_empty());
    }

    #[test]
    fn point_15_every_profile_has_its_own_outcome() {
        let outcomes = send(&users(4), async |chunk| {
            let statuses = [UpsertStatus::Invalid, UpsertStatus::Upserted, UpsertStatus::Stale];
            // In another order than sent, and without the second profile.
            let answered = chunk.iter().enumerate().filter(|(at, _)| *at != 1);
            let results = answered.zip(statuses).map(|((_, user), status)| result(user, status));
            Ok(answer(results.collect::<Vec<_>>().into_iter().rev().collect()))
        });
        let told = "the user service answered with status 200";
        let invalid = Disposition::retry(format!("{told}, and of the record: invalid: it does not say why"));
        let unknown = Disposition::retry(format!("{told}, which does not mention the record: {{}}"));
        let expected = [invalid, unknown, Disposition::Ack, Disposition::Ack];
        assert_eq!(outcomes.dispositions, expected);
    }

    #[test]
    fn a_failed_request_leaves_the_others_alone() {
        let throttled = ServiceError::from_answer(ResponseSummary::new("user", 429, ""), Some(2));
        let outcomes = send(&users(30), async |chunk| match chunk.len() {
            25 => Err(throttled.clone()),
            _ => stored(chunk),
        });
        let (first, second) = outcomes.dispositions.split_at(25);
        assert_eq!(first, vec![throttled.disposition(); 25]);
        assert_eq!(second, vec![Disposition::Ack; 5]);
        assert_eq!(problems(&outcomes), ["the user service has no capacity now: status 429"]);
    }

    #[test]
    fn point_6_one_refused_profile_costs_no_other() {
        let refused = ServiceError::Refused(ResponseSummary::new("user", 400, "no name"));
        let outcomes = send(&users(10), async |chunk| {
            let spoiled = chunk.iter().any(|user| user.global_user_id == "u7");
            if spoiled { Err(refused.clone()) } else { stored(chunk) }
        });
        let failed: Vec<_> = (0..10).filter(|at| outcomes.dispositions.get(*at) != Some(&Disposition::Ack)).collect();
        assert_eq!(failed, [7]);
        assert_eq!(outcomes.dispositions.get(7), Some(&refused.disposition()), "a retry, never a rejection");
        assert_eq!(problems(&outcomes), ["the user service refused with status 400: no name"]);
    }

    #[test]
    fn point_5_each_message_of_a_fan_is_sent_with_its_own_time_and_the_oldest_first() {
        let profile = |fan: &str, updated_at: &str| User {
            global_user_id: fan.to_owned(),
            updated_at: Some(updated_at.to_owned()),
            ..User::default()
        };
        let users = [profile("u", "3"), profile("v", "1"), profile("u", "1"), profile("u", "2")];
        let sent = RefCell::new(Vec::new());
        let outcomes = send(&users, async |chunk| {
            let names =
                chunk.iter().map(|it| format!("{}{}", it.global_user_id, it.updated_at.as_deref().unwrap_or("")));
            sent.borrow_mut().push(names.collect::<Vec<_>>().join(" "));
            stored(chunk)
        });
        assert_eq!(sent.into_inner(), ["v1 u1", "u2", "u3"]);
        assert_eq!(outcomes.dispositions, vec![Disposition::Ack; 4]);
    }
}
