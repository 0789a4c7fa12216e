//! Sends profiles to the User Service, with an outcome for each.

use futures::{StreamExt, stream};
use std::collections::BTreeMap;
use worker_kit::{
    Disposition,
    services::{
        MAX_PER_REQUEST, ServiceError,
        user::{UpsertStatus, Upserted, User},
    },
};

/// Most requests of one call at a time. The host keeps the service's own limits.
const IN_FLIGHT: usize = 4;

/// The reason of a profile that the service's response does not mention.
const UNMENTIONED: &str = "service user: its response does not mention the fan";

/// The outcomes of the profiles, in their order.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// One for each profile.
    pub dispositions: Vec<Disposition>,
    /// One for each request that failed, for the log.
    pub problems: Vec<String>,
}

/// Sends the profiles, at most [`MAX_PER_REQUEST`] in a request.
pub async fn upsert(users: &[User], send: impl AsyncFn(&[User]) -> Result<Vec<Upserted>, ServiceError>) -> Outcomes {
    let send = &send;
    let requests = users.chunks(MAX_PER_REQUEST).map(|chunk| async move { (chunk, send(chunk).await) });
    let mut answers = stream::iter(requests).buffered(IN_FLIGHT);
    let mut outcomes = Outcomes::default();
    while let Some((chunk, answer)) = answers.next().await {
        match answer {
            Ok(results) => outcomes.dispositions.extend(answered(chunk, results)),
            Err(error) => outcomes.extend(failed(chunk, &error)),
        }
    }
    outcomes
}

/// The outcomes of a request that failed. Even a refusal concerns no single profile (the response of the service names
/// invalid ones), so nothing is rejected: after the last attempt the messages become dead letters.
fn failed(users: &[User], error: &ServiceError) -> Outcomes {
    let disposition = match error.disposition() {
        Disposition::Retry(retry) => Disposition::Retry(retry),
        Disposition::Ack | Disposition::Reject(_) | Disposition::Skip(_) => Disposition::retry(error.to_string()),
    };
    Outcomes { dispositions: vec![disposition; users.len()], problems: vec![error.to_string()] }
}

impl Outcomes {
    fn extend(&mut self, more: Self) {
        self.dispositions.extend(more.dispositions);
        self.problems.extend(more.problems);
    }
}

/// The disposition of each profile by the service's response. A profile that it does not mention is retried.
fn answered(users: &[User], results: Vec<Upserted>) -> Vec<Disposition> {
    let results: BTreeMap<_, _> = results.into_iter().map(|result| (result.global_user_id.clone(), result)).collect();
    let disposition = |user: &User| match results.get(&user.global_user_id) {
        Some(Upserted { status: UpsertStatus::Upserted, .. }) => Disposition::Ack,
        Some(Upserted { status: UpsertStatus::Invalid, message, .. }) => {
            let message = message.as_deref().unwrap_or("no reason given");
            Disposition::Reject(format!("the user service finds the profile invalid: {message}"))
        }
        None => Disposition::retry(UNMENTIONED),
    };
    users.iter().map(disposition).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use std::cell::RefCell;

    fn users(count: usize) -> Vec<User> {
        (0..count).map(|at| User { global_user_id: format!("u{at}"), ..User::default() }).collect()
    }

    fn result(user: &User, status: UpsertStatus) -> Upserted {
        Upserted { global_user_id: user.global_user_id.clone(), status, message: None }
    }

    #[test]
    fn a_request_holds_at_most_25_profiles() {
        let sizes = RefCell::new(Vec::new());
        let outcomes = block_on(upsert(&users(60), async |chunk| {
            sizes.borrow_mut().push(chunk.len());
            Ok(chunk.iter().map(|user| result(user, UpsertStatus::Upserted)).collect())
        }));
        assert_eq!(sizes.into_inner(), [25, 25, 10]);
        assert_eq!(outcomes.dispositions, vec![Disposition::Ack; 60]);
        assert!(outcomes.problems.is_empty());
    }

    #[test]
    fn without_profiles_no_request_is_sent() {
        let outcomes = block_on(upsert(&[], async |_| unreachable!("nothing to send")));
        assert!(outcomes.dispositions.is_empty());
    }

    #[test]
    fn every_profile_has_its_own_outcome() {
        let outcomes = block_on(upsert(&users(3), async |chunk| {
            let statuses = [UpsertStatus::Invalid, UpsertStatus::Upserted];
            // In another order than sent, and without the second profile.
            let results = chunk.iter().step_by(2).zip(statuses).map(|(user, status)| result(user, status));
            Ok(results.collect::<Vec<_>>().into_iter().rev().collect())
        }));
        let invalid = "the user service finds the profile invalid: no reason given".to_owned();
        let expected = [Disposition::Reject(invalid), Disposition::retry(UNMENTIONED), Disposition::Ack];
        assert_eq!(outcomes.dispositions, expected);
    }

    #[test]
    fn a_failed_request_leaves_the_others_alone() {
        let throttled = ServiceError::Throttled { service: "user", retry_after_ms: Some(2000) };
        let outcomes = block_on(upsert(&users(30), async |chunk| match chunk.len() {
            25 => Err(throttled.clone()),
            _ => Ok(chunk.iter().map(|user| result(user, UpsertStatus::Upserted)).collect()),
        }));
        let (first, second) = outcomes.dispositions.split_at(25);
        assert_eq!(first, vec![Disposition::retry_after(Some(2000), throttled.to_string()); 25]);
        assert_eq!(second, vec![Disposition::Ack; 5]);
        assert_eq!(outcomes.problems, ["the user service has no capacity now"]);
    }

    #[test]
    fn a_refused_request_rejects_no_profile() {
        let refused = ServiceError::Rejected { service: "user", status: 404, message: String::new() };
        assert_eq!(failed(&users(2), &refused).dispositions, vec![Disposition::retry(refused.to_string()); 2]);
    }
}
