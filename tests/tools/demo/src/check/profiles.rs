//! Checks that the User Service has the profile of each fan with an accepted entry, and no other.

use super::failure::{Failures, Kind};
use super::snapshot::Snapshot;
use crate::generate::{Registration, World};
use crate::load::Outcome;
use std::collections::{BTreeSet, HashMap, HashSet};

pub(super) fn check(world: &World, outcomes: &[Option<&Outcome>], snapshot: &Snapshot, failures: &mut Failures) {
    let accepted = accepted_fans(&world.registrations);
    let newest = newest(world, outcomes);
    for fan in &world.fans {
        let id = fan.global_user_id.as_str();
        match (accepted.contains(id), snapshot.profiles.get(id)) {
            (true, None) => failures.add(Kind::Profile, id, "the User Service does not have it"),
            (true, Some(held)) => {
                let mut wanted = fan.profile.clone();
                wanted.extend(newest.get(id).map(|at| ("updatedAt".to_owned(), (*at).into())));
                let names = wanted.keys().chain(held.keys());
                let wrong: BTreeSet<&String> = names.filter(|name| wanted.get(*name) != held.get(*name)).collect();
                if !wrong.is_empty() {
                    failures.add(Kind::Profile, id, format!("these fields are not as expected: {wrong:?}"));
                }
            }
            (false, Some(_)) => failures.add(Kind::Profile, id, "the User Service has it and should not"),
            (false, None) => {}
        }
    }
    let known: HashSet<&str> = world.fans.iter().map(|fan| fan.global_user_id.as_str()).collect();
    for id in snapshot.profiles.keys().filter(|id| !known.contains(id.as_str())) {
        failures.add(Kind::Profile, id, "no fan of this id has registered");
    }
}

/// The fans with at least one of these registrations that should be accepted.
pub fn accepted_fans(registrations: &[Registration]) -> HashSet<&str> {
    registrations.iter().filter(|r| r.accepted_by().is_some()).map(|r| r.fan.as_str()).collect()
}

/// When each fan last wrote an entry, and with it a profile.
fn newest<'a>(world: &'a World, outcomes: &[Option<&'a Outcome>]) -> HashMap<&'a str, &'a str> {
    let mut newest: HashMap<&str, &str> = HashMap::new();
    for (registration, outcome) in world.registrations.iter().zip(outcomes) {
        if let Some(written) = outcome.and_then(|outcome| outcome.written.as_ref()) {
            let at = newest.entry(&registration.fan).or_default();
            *at = (*at).max(&written.version);
        }
    }
    newest
}
