//! The checks from the outside: what the services and the table hold against how each registration was made.
//!
//! [`Snapshot`] is what was read, over the interfaces of its owners; [`check`] compares and is pure.

pub mod answer;
mod entries;
mod failure;
mod profiles;
mod reasons;
mod snapshot;
mod table;

pub use failure::{Failures, Kind};
pub use profiles::accepted_fans;
pub use snapshot::{Snapshot, flagged};

use crate::generate::World;
use crate::load::Outcome;
use std::collections::BTreeMap;

/// An entry's name: campaign and fan.
pub type Name<'a> = (&'a str, &'a str);

/// What should be found of an entry.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The position of the registration that it comes from.
    pub position: usize,
    /// Its version; none if it was never written, because it was refused.
    pub version: Option<&'a str>,
}

/// What was compared.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is not as it should be.
    pub failures: Failures,
    /// Entries that the Entry Service holds exactly as it should.
    pub replicated: usize,
    /// Answers by reason.
    pub reasons: BTreeMap<String, usize>,
}

/// The entries that should be held in the end: of each the latest that should be accepted.
pub fn wanted<'a>(world: &'a World, outcomes: &[Option<&'a Outcome>]) -> BTreeMap<Name<'a>, Wanted<'a>> {
    let version = |position: usize| Some(outcomes.get(position).copied()??.written.as_ref()?.version.as_str());
    let latest = world.latest().into_iter();
    latest.map(|(name, position)| (name, Wanted { position, version: version(position) })).collect()
}

/// Compares everything.
pub fn check(world: &World, outcomes: &[Option<&Outcome>], snapshot: &Snapshot) -> Findings {
    let wanted = wanted(world, outcomes);
    let mut findings = Findings { reasons: reasons::count(outcomes), ..Findings::default() };
    let failures = &mut findings.failures;
    reasons::check(world, outcomes, &findings.reasons, failures);
    findings.replicated = entries::check(world, &wanted, snapshot, failures);
    table::check(&wanted, snapshot, failures);
    profiles::check(world, snapshot, failures);
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
