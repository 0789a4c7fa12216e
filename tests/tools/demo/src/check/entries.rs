//! Checks that the Entry Service has exactly the latest version of each accepted entry and nothing else.

use super::answer::fields_difference;
use super::failure::{Failures, Kind, entry_name};
use super::snapshot::{Snapshot, StoredEntry};
use super::{Name, Wanted};
use crate::generate::{Expected, World};
use std::collections::BTreeMap;

/// Compares; returns how many entries are exactly as expected.
pub(super) fn check(
    world: &World,
    wanted: &BTreeMap<Name<'_>, Wanted<'_>>,
    snapshot: &Snapshot,
    failures: &mut Failures,
) -> usize {
    let mut right = 0;
    for (name, wanted) in wanted {
        let expected = world.registrations.get(wanted.position).map(|registration| &registration.expected);
        match (snapshot.entries.get(*name), expected) {
            (None, _) => failures.add(Kind::Lost, entry_name(*name), "the Entry Service does not have it"),
            (Some(held), Some(Expected::Eligible { fields, linked_from })) => {
                match difference(held, wanted, fields, linked_from.as_deref()) {
                    None => right += 1,
                    Some((kind, detail)) => failures.add(kind, entry_name(*name), detail),
                }
            }
            (Some(_), _) => failures.add(Kind::Unexpected, entry_name(*name), "it should have been refused"),
        }
    }
    for name in snapshot.entries.names().filter(|name| !wanted.contains_key(name)) {
        failures.add(Kind::Unexpected, entry_name(name), "the Entry Service has it and should not");
    }
    right
}

fn difference(
    held: &StoredEntry,
    wanted: &Wanted<'_>,
    fields: &serde_json::Map<String, serde_json::Value>,
    linked_from: Option<&str>,
) -> Option<(Kind, String)> {
    let version = wanted.version.unwrap_or("one that was never written");
    if held.version != version {
        return Some((Kind::Stale, format!("the Entry Service has version {}, the latest is {version}", held.version)));
    }
    if held.linked_from.as_deref() != linked_from {
        return Some((Kind::Different, format!("linkedFrom is {:?}, not {linked_from:?}", held.linked_from)));
    }
    fields_difference(fields, &held.fields).map(|detail| (Kind::Different, detail))
}
