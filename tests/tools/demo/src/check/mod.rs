//! The checks from outside: the contents of services and table, compared with how each registration was made.
//!
//! [`Snapshot`] is read over the interfaces of services and table; [`check`] compares, without I/O.

pub mod answer;
mod entries;
mod failure;
mod profiles;
mod reasons;
mod snapshot;
mod table;

pub use failure::{Failures, Kind, entry_name};
pub use profiles::accepted_fans;
pub use snapshot::{ByEntry, Item, Snapshot, flagged, items};

use crate::generate::{Expected, World};
use crate::load::Outcome;
use crate::selection::Change;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// An entry's name: campaign and fan.
pub type Name<'a> = (&'a str, &'a str);

/// The expected state of an entry.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Its version; `None` if it was never written, because it was refused.
    pub version: Option<&'a str>,
    /// Its fields.
    pub fields: &'a Map<String, Value>,
    /// The campaign that it is transferred from.
    pub linked_from: Option<&'a str>,
}

/// The result of the checks.
#[derive(Debug, Default)]
pub struct Findings {
    /// Everything that is not as expected.
    pub failures: Failures,
    /// The number of entries that the Entry Service has exactly as expected.
    pub replicated: usize,
    /// Responses by reason.
    pub reasons: BTreeMap<String, usize>,
}

/// The entries that should exist in the end: of each the latest that should be accepted, and what its fan changed after
/// that.
pub fn wanted<'a>(
    world: &'a World,
    outcomes: &[Option<&'a Outcome>],
    changes: &'a [Change],
) -> BTreeMap<Name<'a>, Wanted<'a>> {
    let version = |position: usize| Some(outcomes.get(position).copied()??.written.as_ref()?.version.as_str());
    let latest = world.latest().into_iter();
    let mut wanted: BTreeMap<_, _> = latest
        .filter_map(|(name, position)| match &world.registrations.get(position)?.expected {
            Expected::Eligible { fields, linked_from } => {
                Some((name, Wanted { version: version(position), fields, linked_from: linked_from.as_deref() }))
            }
            Expected::Ineligible { .. } => None,
        })
        .collect();
    for change in changes {
        if let Some(wanted) = wanted.get_mut(&change.name()) {
            (wanted.version, wanted.fields) = (Some(change.version.as_str()), &change.fields);
        }
    }
    wanted
}

/// Compares everything that came of the registrations.
pub fn check(world: &World, outcomes: &[Option<&Outcome>], changes: &[Change], snapshot: &Snapshot) -> Findings {
    let wanted = wanted(world, outcomes, changes);
    let mut findings = Findings { reasons: reasons::count(outcomes), ..Findings::default() };
    let failures = &mut findings.failures;
    reasons::check(world, outcomes, &findings.reasons, failures);
    findings.replicated = entries::check(&wanted, snapshot, failures);
    table::check(&wanted, snapshot, failures);
    profiles::check(world, outcomes, snapshot, failures);
    for (campaign, fan) in &snapshot.unscored {
        failures.add(Kind::Score, failure::entry_name((campaign, fan)), "its score failed and was not computed again");
    }
    for (queue, count) in snapshot.dead_letters.iter().filter(|(_, count)| **count > 0) {
        failures.add(Kind::DeadLetter, queue, format!("{count} messages could not be processed"));
    }
    findings
}

#[cfg(test)]
mod tests;
