//! Injects faults into the pipeline, to test that the checks find them: `--inject`.
//!
//! A lost message: the resolver reports an entry as written that it did not write. A wrong reason: a response is
//! changed before it is compared. A stale overwrite: an old version is sent again to an Entry Service that is told to
//! ignore versions. A flag left set: an entry is flagged again by a system's write while the Entry Service is down, so
//! that the flag is not cleared.

use crate::check::{Failures, Kind};
use crate::gateway::Gateway;
use crate::generate::{Expected, World};
use crate::load::{EligibilityResponse, Outcome};
use crate::resolver::TABLE;
use crate::services::Services;
use anyhow::{Context, Result, bail};
use fake_services::{FakeServices, Faults, Service};
use host_adapters_records::table::{BatchUpdate, Key, Update};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Which registrations have which fault; by default none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    lost: Option<usize>,
    wrong_reason: Option<usize>,
    stale: Option<(usize, usize)>,
    flag: Option<usize>,
}

/// An injected fault and whether the checks found it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InjectedFault {
    /// What was injected.
    pub fault: &'static str,
    /// The entry.
    pub subject: String,
    /// Whether it was found.
    pub found: bool,
}

impl Plan {
    /// Draws a position for each fault.
    pub fn draw(world: &World, seed: u64) -> Result<Self> {
        let mut random = StdRng::seed_from_u64(seed ^ 0x0070_6c61_6e74);
        let mut by_entry = HashMap::<(&str, &str), Vec<usize>>::new();
        for (position, registration) in world.registrations.iter().enumerate() {
            by_entry.entry((&registration.slug, &registration.fan)).or_default().push(position);
        }
        // Entries are drawn from a list in the order of sending, so that only the seed decides.
        let mut entries: Vec<Vec<usize>> = by_entry.into_values().collect();
        entries.sort();
        let accepted = |position: &usize| world.registrations.get(*position).is_some_and(|r| r.accepted_by().is_some());
        let plain = |r: &usize| world.registrations.get(*r).is_some_and(|r| r.label == "valid");
        let single = entries.iter().filter_map(|entry| entry.first().filter(|p| entry.len() == 1 && plain(p)));
        let singles: Vec<usize> = single.copied().collect();
        let changed = entries.iter().filter(|entry| entry.len() > 1 && entry.iter().all(accepted));
        let changed: Vec<(usize, usize)> = changed.filter_map(|e| Some((*e.first()?, *e.last()?))).collect();
        let refused: Vec<usize> = (0..world.registrations.len()).filter(|position| !accepted(position)).collect();
        let [lost, flag] =
            singles.sample_array::<_, 2>(&mut random).context("too few registrations to inject faults")?;
        let (Some(wrong_reason), Some(stale)) = (refused.choose(&mut random), changed.choose(&mut random)) else {
            bail!("too few registrations to inject faults");
        };
        Ok(Self { lost: Some(lost), flag: Some(flag), wrong_reason: Some(*wrong_reason), stale: Some(*stale) })
    }

    /// Whether the write of this registration's entry is to be lost.
    pub fn loses(&self, position: usize) -> bool {
        self.lost == Some(position)
    }

    /// Changes the reason of a response if it is to be wrong.
    pub fn distort(&self, position: usize, answer: &mut EligibilityResponse) {
        if self.wrong_reason == Some(position)
            && let EligibilityResponse::Ineligible { reason, .. } = answer
        {
            *reason = if reason == "INVALID_ENTRY" { "LINKED_ENTRY" } else { "INVALID_ENTRY" }.to_owned();
        }
    }

    /// Injects the faults that come after everything is replicated.
    pub async fn inject_after(
        &self,
        world: &World,
        outcomes: &[Option<&Outcome>],
        fakes: &FakeServices,
        services: &Services,
        resolver: &Gateway,
    ) -> Result<()> {
        if let Some((old, _)) = self.stale {
            let entry = entry(world, outcomes, old).context("the entry to overwrite was never written")?;
            let campaign = entry.get("campaignId").and_then(Value::as_str).unwrap_or_default().to_owned();
            fakes.set_faults(Service::Entry, Faults { ignore_version: true, ..Faults::default() });
            services.upsert(&campaign, entry).await?;
            fakes.set_faults(Service::Entry, Faults::default());
        }
        if let Some((campaign, fan)) = self.flag.and_then(|position| name(world, position)) {
            let operations = vec!["upsertEntries".to_owned()];
            fakes.set_faults(Service::Entry, Faults { unavailable: 1.0, operations, ..Faults::default() });
            let key = Key { pk: format!("CAMPAIGN#{campaign}"), sk: format!("USER#{fan}") };
            let set = vec![("needsReplication".to_owned(), "true".to_owned())];
            let update = Update { key, set, increment: Vec::new(), remove: Vec::new(), condition: Vec::new() };
            let errors = resolver.call(&BatchUpdate { table: TABLE.to_owned(), updates: vec![update] }).await?;
            if let Some(error) = errors.into_iter().flatten().next() {
                bail!("the flag cannot be injected: {error}");
            }
        }
        Ok(())
    }

    /// Ends the fault that keeps the injected flag set, so that the host can finish its work.
    pub fn lift(&self, fakes: &FakeServices) {
        if self.flag.is_some() {
            fakes.set_faults(Service::Entry, Faults::default());
        }
    }

    /// The injected faults, and whether the checks found them.
    pub fn injected(&self, world: &World, failures: &Failures) -> Vec<InjectedFault> {
        let by_id = |position| name(world, position).map(|(campaign, fan)| format!("{campaign}/{fan}"));
        let by_slug = |position: usize| {
            let registration = world.registrations.get(position)?;
            Some(format!("{}/{}", registration.slug, registration.fan))
        };
        let faults = [
            ("lost message", Kind::Lost, self.lost.and_then(by_id)),
            ("stale overwrite", Kind::Stale, self.stale.and_then(|(_, last)| by_id(last))),
            ("flag left set", Kind::FlagLeft, self.flag.and_then(by_id)),
            ("wrong reason", Kind::WrongAnswer, self.wrong_reason.and_then(by_slug)),
        ];
        let injected = faults.into_iter().filter_map(|(fault, kind, subject)| Some((fault, kind, subject?)));
        let found = |kind, subject: &str| failures.of(kind).iter().any(|failure| failure.subject == subject);
        injected.map(|(fault, kind, subject)| InjectedFault { fault, found: found(kind, &subject), subject }).collect()
    }
}

fn name(world: &World, position: usize) -> Option<(&str, &str)> {
    let registration = world.registrations.get(position)?;
    Some((registration.campaign_id.as_deref()?, &registration.fan))
}

/// An entry as the host sent it when it was written.
fn entry(world: &World, outcomes: &[Option<&Outcome>], position: usize) -> Option<Value> {
    let (campaign, fan) = name(world, position)?;
    let version = &outcomes.get(position).copied()??.written.as_ref()?.version;
    let Expected::Eligible { fields, .. } = &world.registrations.get(position)?.expected else { return None };
    Some(json!({ "globalUserId": fan, "campaignId": campaign, "fields": fields, "version": version,
                 "date": { "created": version, "updated": version, "fanModified": version } }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::generate::generate;

    #[test]
    fn positions_are_drawn_from_the_seed() {
        let world = generate(1_000, 1);
        let plan = Plan::draw(&world, 5).unwrap();
        assert_eq!(plan, Plan::draw(&world, 5).unwrap());
        assert_ne!(plan, Plan::draw(&world, 6).unwrap());
        assert_ne!(plan.lost, plan.flag);
        assert!(Plan::draw(&World::default(), 5).is_err());
    }

    #[test]
    fn a_wrong_reason_is_never_the_right_one() {
        let plan = Plan { wrong_reason: Some(3), ..Plan::default() };
        for right in ["INVALID_ENTRY", "LINKED_ENTRY", "CAMPAIGN_CLOSED"] {
            let mut answer =
                EligibilityResponse::Ineligible { reason: right.to_owned(), detail: None, campaign_id: None };
            plan.distort(2, &mut answer);
            assert_eq!(answer.reason(), Some(right));
            plan.distort(3, &mut answer);
            assert_ne!(answer.reason(), Some(right));
        }
    }
}
