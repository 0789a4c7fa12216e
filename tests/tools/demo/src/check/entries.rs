//! Checks that the Entry Service has exactly the latest version of each accepted entry and nothing else.

use super::answer::fields_difference;
use super::failure::{Failures, Kind, entry_name};
use super::snapshot::{Snapshot, StoredEntry};
use super::{Name, Wanted};
use std::collections::BTreeMap;

/// Compares; returns how many entries are exactly as expected.
pub(super) fn check(wanted: &BTreeMap<Name<'_>, Wanted<'_>>, snapshot: &Snapshot, failures: &mut Failures) -> usize {
    let mut right = 0;
    for (name, wanted) in wanted {
        match snapshot.entries.get(*name) {
            None => failures.add(Kind::Lost, entry_name(*name), "the Entry Service does not have it"),
            Some(held) => match difference(held, wanted) {
                None => right += 1,
                Some((kind, detail)) => failures.add(kind, entry_name(*name), detail),
            },
        }
    }
    for name in snapshot.entries.names().filter(|name| !wanted.contains_key(name)) {
        failures.add(Kind::Unexpected, entry_name(name), "the Entry Service has it and should not");
    }
    right
}

fn difference(held: &StoredEntry, wanted: &Wanted<'_>) -> Option<(Kind, String)> {
    let version = wanted.version.unwrap_or("one that was never written");
    if held.version != version {
        return Some((Kind::Stale, format!("the Entry Service has version {}, the latest is {version}", held.version)));
    }
    let linked_from = wanted.linked_from;
    if held.linked_from.as_deref() != linked_from {
        return Some((Kind::Different, format!("linkedFrom is {:?}, not {linked_from:?}", held.linked_from)));
    }
    fields_difference(wanted.fields, &held.fields).map(|detail| (Kind::Different, detail))
}
