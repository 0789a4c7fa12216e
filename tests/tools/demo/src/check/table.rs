//! Checks that the table has each accepted entry in its latest version and no others, and that none is flagged.

use super::answer::fields_difference;
use super::failure::{Failures, Kind, entry_name};
use super::snapshot::Snapshot;
use super::{Name, Wanted};
use std::collections::BTreeMap;

pub(super) fn check(wanted: &BTreeMap<Name<'_>, Wanted<'_>>, snapshot: &Snapshot, failures: &mut Failures) {
    for (name, wanted) in wanted {
        match snapshot.items.get(*name) {
            // An entry that was never written is reported once, as a wrong response.
            None if wanted.version.is_none() => {}
            None => failures.add(Kind::Table, entry_name(*name), "the table does not have it"),
            Some(item) if wanted.version != Some(&item.version) => {
                let version = wanted.version.unwrap_or("one that was never written");
                let detail = format!("the table has version {}, the latest is {version}", item.version);
                failures.add(Kind::Table, entry_name(*name), detail);
            }
            Some(item) => {
                if let Some(difference) = fields_difference(wanted.fields, &item.fields) {
                    failures.add(Kind::Table, entry_name(*name), format!("in the table {difference}"));
                }
            }
        }
    }
    for name in snapshot.items.names() {
        if !wanted.contains_key(&name) {
            failures.add(Kind::Table, entry_name(name), "the table has it and should not");
        }
        if snapshot.items.get(name).is_some_and(|item| item.flagged) {
            failures.add(Kind::FlagLeft, entry_name(name), "needsReplication is still true");
        }
    }
}
