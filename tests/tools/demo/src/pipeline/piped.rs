//! The data pipeline in the summary.

use super::check;
use super::due::{self, Due};
use super::read::{self, EventLog, Logged};
use super::schema::Schemas;
use crate::check::{Failures, Kind};
use crate::gateway::Gateway;
use crate::generate::World;
use crate::inject::{InjectedFault, Plan};
use crate::lag::Times;
use crate::load::Outcome;
use crate::progress::Progress;
use crate::redrive::redrive_of;
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The longest time from an entry to the event log, of 99 in 100 (purpose, "Success Metrics"), milliseconds.
const LONGEST_MS: f64 = 300_000.0;

/// What the data pipeline is read from.
pub struct Pipeline<'a> {
    /// The event log.
    pub log: &'a EventLog,
    /// Reads the depths of the queues, and redrives.
    pub operator: &'a Gateway,
    /// Whether a message was sent that must stay a dead letter.
    pub poisoned: bool,
    /// Whether the demo made the documents itself, of each of which there must be a record.
    pub generated: bool,
}

/// What is in the event log in the end, and what must be.
pub struct Ran {
    due: BTreeMap<String, Due>,
    /// Documents of which there should be records and are not.
    left_out: Vec<String>,
    logged: Vec<Logged>,
    /// Whether records were queued when nothing moved any more.
    stalled: bool,
    /// Dead letters that were sent back.
    pub redriven: u64,
}

/// The part of the summary.
pub struct Piped {
    due: usize,
    records: usize,
    repeats: usize,
    times: Times,
    /// The injected faults, and whether they were found.
    pub injected: Vec<InjectedFault>,
}

impl Pipeline<'_> {
    /// Waits until the event log has everything, and reads it. Dead letters of the data pipeline are sent back once; for
    /// those of others nobody would wait here.
    pub async fn settle(&self, world: &World, outcomes: &[Option<&Outcome>], progress: &Progress) -> Result<Ran> {
        let due = due::all(world, outcomes)?;
        let mut stalled = read::wait(due.len(), self.log, self.operator, progress).await?;
        let redriven = redrive_of(super::has, self.operator, self.poisoned, progress).await?;
        if redriven > 0 {
            stalled = read::wait(due.len(), self.log, self.operator, progress).await?;
        }
        let left_out = if self.generated { due::seeded(world)?.left_out } else { Vec::new() };
        Ok(Ran { due, left_out, logged: self.log.records().await?, stalled, redriven })
    }
}

impl Ran {
    /// Compares. `limited` says whether it matters how long things took.
    pub fn conclude(
        &self,
        world: &World,
        outcomes: &[Option<&Outcome>],
        plan: &Plan,
        limited: bool,
        failures: &mut Failures,
    ) -> Result<Piped> {
        if self.stalled {
            failures.add(Kind::Unsettled, "data pipeline", "records were queued when nothing moved any more");
        }
        self.left_out.iter().for_each(|document| failures.add(Kind::Logged, "data pipeline", document));
        let found = check::check(&self.due, &self.logged, &Schemas::read()?, failures)?;
        let times = times(&self.due, &found.first_ms)?;
        if limited && times.ms(0.99) > LONGEST_MS {
            let late = format!("from entries to the event log: {:.0} ms at the 99th percentile", times.ms(0.99));
            failures.add(Kind::Slow, "data pipeline", late);
        }
        let injected = injected(world, outcomes, plan, failures);
        let (due, records, repeats) = (self.due.len(), self.logged.len(), found.repeats);
        Ok(Piped { due, records, repeats, times, injected })
    }
}

/// From each entry's write to its record.
fn times(due: &BTreeMap<String, Due>, first_ms: &BTreeMap<String, i64>) -> Result<Times> {
    let times = due.iter().filter_map(|(id, due)| Some(first_ms.get(id)? - due.at_ms?));
    Times::of_ms(times.map(|ms| u64::try_from(ms).unwrap_or_default()))
}

/// A lost entry is not queued.
fn injected(world: &World, outcomes: &[Option<&Outcome>], plan: &Plan, failures: &Failures) -> Vec<InjectedFault> {
    let lost = (0..world.registrations.len()).filter(|position| plan.loses(*position)).filter_map(|position| {
        let registration = world.registrations.get(position)?;
        let version = &outcomes.get(position).copied()??.written.as_ref()?.version;
        Some(due::registration_id(registration.campaign_id.as_deref()?, &registration.fan, version))
    });
    let is_found = |id: &String| failures.of(Kind::Logged).iter().any(|failure| failure.subject == *id);
    lost.map(|id| InjectedFault { fault: "lost record", found: is_found(&id), subject: id }).collect()
}

impl Piped {
    /// The JSON for `--json`.
    pub fn to_json(&self) -> Value {
        json!({
            "due": self.due, "records": self.records, "repeats": self.repeats,
            "entry_to_log_ms": self.times.to_json(),
        })
    }

    /// The rows of the summary for people.
    pub fn rows(&self) -> Vec<(String, String)> {
        let times = &self.times;
        let row = |name: &str, value: String| (name.to_owned(), value);
        vec![
            row(
                "event log",
                format!("{} records, {} of them repeats; {} are due", self.records, self.repeats, self.due),
            ),
            row(
                "  from an entry to its record, ms",
                format!("p50 {:.1}  p95 {:.1}  p99 {:.1}", times.ms(0.50), times.ms(0.95), times.ms(0.99)),
            ),
        ]
    }
}
