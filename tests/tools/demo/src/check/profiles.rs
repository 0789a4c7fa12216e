//! The User Service holds the profile of each fan of whom an entry was accepted, and no other.

use super::failure::{Failures, Kind};
use super::snapshot::Snapshot;
use crate::generate::World;
use std::collections::HashSet;

pub(super) fn check(world: &World, snapshot: &Snapshot, failures: &mut Failures) {
    let accepted = accepted_fans(world);
    for fan in &world.fans {
        let id = fan.global_user_id.as_str();
        match (accepted.contains(id), snapshot.profiles.get(id)) {
            (true, None) => failures.add(Kind::Profile, id, "the User Service does not hold it"),
            (true, Some(held)) if *held != fan.profile => {
                let names = fan.profile.keys().chain(held.keys());
                let wrong = names.filter(|name| fan.profile.get(*name) != held.get(*name));
                let wrong: std::collections::BTreeSet<&str> = wrong.map(String::as_str).collect();
                failures.add(Kind::Profile, id, format!("these are not as they should be: {wrong:?}"));
            }
            (false, Some(_)) => failures.add(Kind::Profile, id, "the User Service holds it and should not"),
            (true, Some(_)) | (false, None) => {}
        }
    }
    let known: HashSet<&str> = world.fans.iter().map(|fan| fan.global_user_id.as_str()).collect();
    for id in snapshot.profiles.keys().filter(|id| !known.contains(id.as_str())) {
        failures.add(Kind::Profile, id, "nobody of this name has registered");
    }
}

/// The fans of whom some entry should be accepted.
pub fn accepted_fans(world: &World) -> HashSet<&str> {
    world.registrations.iter().filter(|r| r.accepted_by().is_some()).map(|r| r.fan.as_str()).collect()
}
