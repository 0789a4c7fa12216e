//! Checks that the User Service has the profile of each fan with an accepted entry, and no other.

use super::failure::{Failures, Kind};
use super::snapshot::Snapshot;
use crate::generate::World;
use std::collections::HashSet;

pub(super) fn check(world: &World, snapshot: &Snapshot, failures: &mut Failures) {
    let accepted = accepted_fans(world);
    for fan in &world.fans {
        let id = fan.global_user_id.as_str();
        match (accepted.contains(id), snapshot.profiles.get(id)) {
            (true, None) => failures.add(Kind::Profile, id, "the User Service does not have it"),
            (true, Some(held)) if *held != fan.profile => {
                let names = fan.profile.keys().chain(held.keys());
                let wrong = names.filter(|name| fan.profile.get(*name) != held.get(*name));
                let wrong: std::collections::BTreeSet<&str> = wrong.map(String::as_str).collect();
                failures.add(Kind::Profile, id, format!("these fields are not as expected: {wrong:?}"));
            }
            (false, Some(_)) => failures.add(Kind::Profile, id, "the User Service has it and should not"),
            (true, Some(_)) | (false, None) => {}
        }
    }
    let known: HashSet<&str> = world.fans.iter().map(|fan| fan.global_user_id.as_str()).collect();
    for id in snapshot.profiles.keys().filter(|id| !known.contains(id.as_str())) {
        failures.add(Kind::Profile, id, "no fan of this id has registered");
    }
}

/// The fans with at least one entry that should be accepted.
pub fn accepted_fans(world: &World) -> HashSet<&str> {
    world.registrations.iter().filter(|r| r.accepted_by().is_some()).map(|r| r.fan.as_str()).collect()
}
