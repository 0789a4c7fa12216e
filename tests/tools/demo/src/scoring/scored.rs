//! Scoring in the summary.

use super::check::{self, Expected};
use super::due::{Counts, Due};
use super::file::File;
use super::found::Found;
use super::plan::Plan;
use super::run::Ran;
use super::spoil::Spoils;
use crate::check::{ByEntry, Failures, Item, Kind};
use crate::generate::World;
use crate::inject::InjectedFault;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The scored files of a run, and what they come to.
pub struct Scores<'a> {
    world: &'a World,
    plan: Plan<'a>,
    /// What they come to.
    pub due: Due<'a>,
    /// The files, in the order in which they arrive.
    pub files: Vec<File>,
}

/// How the run was, for what may be expected of it.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Whether the host ran all the time.
    pub undisturbed: bool,
    /// Whether services fail now and then.
    pub faults: bool,
    /// Whether it matters how long things took.
    pub limited: bool,
}

/// The part of the summary.
pub struct Scored {
    ran: Ran,
    rows: u64,
    invalid: usize,
    /// The counts of all campaigns together.
    counts: Counts,
    posts: usize,
    /// The injected faults, and whether they were found.
    pub injected: Vec<InjectedFault>,
}

impl<'a> Scores<'a> {
    /// The files of a world.
    pub fn new(world: &'a World, seed: u64) -> Self {
        let plan = super::plan::draw(world, seed);
        let files = vec![File::scrubbed(&plan.scrubbed), File::fanlist(&plan.fanlist)];
        Self { world, due: Due::of(&plan), files, plan }
    }

    /// What is to be spoilt.
    pub fn spoils(&self) -> anyhow::Result<Spoils> {
        Spoils::choose(self.world, &self.due)
    }

    /// Compares. `items` are the entries in the table, among them the selected fans'.
    pub fn conclude(
        &self,
        ran: Ran,
        found: &Found,
        items: &ByEntry<Item>,
        course: Course,
        spoils: Option<&Spoils>,
        failures: &mut Failures,
    ) -> Scored {
        let mut selected = BTreeMap::<&str, i64>::new();
        for (campaign, fan) in items.names() {
            let won = items.get((campaign, fan)).is_some_and(|item| item.verdict == true);
            *selected.entry(campaign).or_default() += i64::from(won);
        }
        let expected = Expected {
            world: self.world,
            plan: &self.plan,
            due: &self.due,
            files: &self.files,
            undisturbed: course.undisturbed,
            may_tell_twice: !course.undisturbed || course.faults,
            ended_ms: ran.ended_ms.filter(|_| course.limited && course.undisturbed),
        };
        if ran.stalled {
            failures.add(Kind::Unsettled, "scoring", "not everything was counted when nothing moved any more");
        }
        check::check(&expected, &selected, found, failures);
        let injected = spoils.into_iter().flat_map(Spoils::faults).map(|(fault, kind, subject)| InjectedFault {
            fault,
            found: failures.of(kind).iter().any(|failure| failure.subject == subject),
            subject,
        });
        let mut counts = Counts::default();
        for found in found.counts.values() {
            counts.verified += found.verified;
            counts.rejected += found.rejected;
            counts.selected += found.selected;
        }
        Scored {
            ran,
            rows: self.files.iter().map(|file| file.rows).sum(),
            invalid: self.files.iter().map(|file| file.invalid.len()).sum(),
            counts,
            posts: found.told.len(),
            injected: injected.collect(),
        }
    }
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

impl Scored {
    /// The JSON for `--json`.
    pub fn to_json(&self) -> Value {
        let Counts { verified, rejected, selected } = self.counts;
        json!({
            "rows": self.rows, "invalid": self.invalid,
            "verified": verified, "rejected": rejected, "selected": selected,
            "read_s": seconds(self.ran.read), "counted_s": seconds(self.ran.counted), "slack_posts": self.posts,
        })
    }

    /// The rows of the summary for people.
    pub fn rows(&self) -> Vec<(String, String)> {
        let Counts { verified, rejected, selected } = self.counts;
        let row = |name: &str, value: String| (name.to_owned(), value);
        vec![
            row("scoring", format!("{} rows, {} of them invalid", self.rows, self.invalid)),
            row("  verified · rejected · selected", format!("{verified} · {rejected} · {selected}")),
            row("  files read", format!("{:.1} s", seconds(self.ran.read))),
            row("  all fans counted", format!("{:.1} s after that", seconds(self.ran.counted))),
            row("  told to Slack", format!("{} messages", self.posts)),
        ]
    }
}
