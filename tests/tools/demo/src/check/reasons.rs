//! Checks that each response is right, and that each reason occurs as often as the labels expect.

use super::failure::{Failures, Kind};
use crate::generate::{Expected, World};
use crate::load::Outcome;
use std::collections::{BTreeMap, BTreeSet};

/// Responses by reason, not counting eligible ones.
pub(super) fn count(outcomes: &[Option<&Outcome>]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for reason in outcomes.iter().flatten().filter_map(|outcome| outcome.reason.clone()) {
        *counts.entry(reason).or_default() += 1;
    }
    counts
}

pub(super) fn check(
    world: &World,
    outcomes: &[Option<&Outcome>],
    given: &BTreeMap<String, usize>,
    failures: &mut Failures,
) {
    let mut asked = BTreeMap::<&str, usize>::new();
    for (position, registration) in world.registrations.iter().enumerate() {
        if let Expected::Ineligible { reason, .. } = &registration.expected {
            *asked.entry(reason).or_default() += 1;
        }
        let problem = match outcomes.get(position).copied().flatten() {
            Some(outcome) => outcome.difference.clone(),
            None => Some("never answered".to_owned()),
        };
        if let Some(problem) = problem {
            let subject = format!("{}/{}", registration.slug, registration.fan);
            failures.add(
                Kind::WrongAnswer,
                subject,
                format!("registration {position} ({}): {problem}", registration.label),
            );
        }
    }
    let reasons: BTreeSet<&str> = asked.keys().copied().chain(given.keys().map(String::as_str)).collect();
    for reason in reasons {
        let count = |given: Option<&usize>| given.copied().unwrap_or_default();
        let (asked, given) = (count(asked.get(reason)), count(given.get(reason)));
        if asked != given {
            failures.add(Kind::ReasonCount, reason, format!("given {given} times, the labels ask for {asked}"));
        }
    }
}
