//! The selection in the summary.

use super::change::Change;
use super::check::{self, Outcome};
use super::found::Found;
use super::inject::Spoils;
use super::memory::Measured;
use super::rank::Contest;
use super::run::Ran;
use crate::check::{ByEntry, Failures, Item, Kind};
use crate::inject::InjectedFault;
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::time::Duration;

/// How long after the last task all verdicts are to be in the table: the documents' verdict latency.
const LIMIT: Duration = Duration::from_secs(30);
/// How much more memory the host may take meanwhile, bytes.
const MEMORY: u64 = 100 * 1_000_000;

/// The results of the selection, before they are compared.
pub struct Selected {
    /// How it went.
    pub ran: Ran,
    /// What was found afterwards.
    pub found: Found,
    /// What was spoilt after that, for `--inject`.
    pub spoils: Option<Spoils>,
    /// Whether the host ran all the time.
    pub undisturbed: bool,
}

/// The part of the summary.
pub struct Selection {
    /// The result of each market.
    pub markets: Vec<Outcome>,
    /// From the start of the tasks to the end of the last.
    pub tasks: Duration,
    /// From the end of the last task to the last verdict.
    pub verdicts: Duration,
    /// The memory of the host meanwhile.
    pub memory: Measured,
    /// How many fans changed their entries meanwhile.
    pub changed: usize,
    /// Says which code each fan has: the same for the same outcome.
    pub digest: String,
    /// The injected faults, and whether they were found.
    pub injected: Vec<InjectedFault>,
}

impl Selected {
    /// What fans changed meanwhile.
    pub fn changes(&self) -> &[Change] {
        &self.ran.changes
    }

    /// Compares. Where `limited`, verdicts that are late or given up, and too much memory are failures.
    pub fn conclude(
        self,
        contests: &[Contest<'_>],
        items: &ByEntry<Item>,
        limited: bool,
        failures: &mut Failures,
    ) -> Selection {
        let Self { ran, mut found, spoils, undisturbed } = self;
        found.disturbed = !(limited && undisturbed);
        let markets = check::check(contests, items, &found, failures);
        if !found.disturbed {
            limit(&ran, failures);
        }
        let injected = spoils.iter().flat_map(Spoils::faults).map(|(fault, kind, subject)| InjectedFault {
            fault,
            found: failures.of(kind).iter().any(|failure| failure.subject == subject),
            subject,
        });
        Selection {
            markets,
            tasks: ran.tasks,
            verdicts: ran.verdicts,
            memory: ran.memory,
            changed: ran.changes.len(),
            digest: fingerprint(items),
            injected: injected.collect(),
        }
    }
}

fn limit(ran: &Ran, failures: &mut Failures) {
    if ran.verdicts > LIMIT {
        let detail = format!("the last came {:.1} s after the last task", ran.verdicts.as_secs_f64());
        failures.add(Kind::Slow, "verdicts", detail);
    }
    // They had left the queue, so the time until it was empty does not count them.
    if ran.dead > 0 {
        failures.add(Kind::Slow, "verdicts", format!("{} became dead letters, and were redriven later", ran.dead));
    }
    if ran.memory.grown() > MEMORY {
        failures.add(Kind::Slow, "memory", format!("the host took {} MB more", megabytes(ran.memory.grown())));
    }
}

/// The SHA-256 of all codes with their fans, in the order of these.
fn fingerprint(items: &ByEntry<Item>) -> String {
    let line = |name: (&str, &str)| {
        let code = items.get(name)?.access_code.as_deref()?;
        Some(format!("{} {} {code}\n", name.0, name.1))
    };
    let text: String = items.names().filter_map(line).collect();
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

impl Selection {
    /// The JSON for `--json`.
    pub fn to_json(&self) -> Value {
        let market = |outcome: &Outcome| {
            let stats = outcome.stats.as_ref();
            json!({
                "market": outcome.market,
                "status": stats.map(|it| &it.status),
                "TOTAL": stats.map(|it| it.total),
                "PROCESSED": stats.map(|it| it.processed),
                "FAILED": stats.map(|it| it.failed),
                "winners": outcome.winners,
                "losers": outcome.losers,
            })
        };
        let Measured { before, greatest, after } = self.memory;
        json!({
            "markets": self.markets.iter().map(market).collect::<Vec<_>>(),
            "tasks_s": seconds(self.tasks),
            "verdicts_s": seconds(self.verdicts),
            "changed": self.changed,
            "codes_digest": self.digest,
            "memory_mb": {
                "before": megabytes(before), "greatest": megabytes(greatest), "after": megabytes(after),
            },
        })
    }

    /// The rows of the summary for people.
    pub fn rows(&self) -> Vec<(String, String)> {
        let market = |outcome: &Outcome| {
            let told = outcome.stats.as_ref().map_or_else(
                || "nothing was reported".to_owned(),
                |it| format!("{}, PROCESSED: {}, FAILED: {}, TOTAL: {}", it.status, it.processed, it.failed, it.total),
            );
            (format!("  {}", outcome.market), format!("{told}; {} with its codes", outcome.winners))
        };
        let winners: usize = self.markets.iter().map(|outcome| outcome.winners).sum();
        let seats: usize = self.markets.iter().filter_map(|outcome| Some(outcome.stats.as_ref()?.processed)).sum();
        let Measured { before, greatest, after } = self.memory;
        let (empty, changed) = (seats.saturating_sub(winners), self.changed);
        let told = format!(
            "{winners} winners, who won {empty} seats of other markets, too; {changed} entries changed meanwhile"
        );
        let mut rows = vec![("selection".to_owned(), told)];
        rows.extend(self.markets.iter().map(market));
        rows.extend([
            (
                "  all verdicts".to_owned(),
                format!("{:.1} s after the tasks, which took {:.1} s", seconds(self.verdicts), seconds(self.tasks)),
            ),
            (
                "  memory of the host, MB".to_owned(),
                format!("{} before, at most {}, {} after", megabytes(before), megabytes(greatest), megabytes(after)),
            ),
        ]);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// What is found of a run with verdicts after so long, of which so many were given up, and so much more memory.
    fn found(verdicts: Duration, dead: u64, more: u64) -> Vec<String> {
        let memory = Measured { before: 10, greatest: 10 + more, after: 10 };
        let (changes, ended, first_codes, tasks) = (vec![], BTreeMap::new(), BTreeMap::new(), Duration::ZERO);
        let mut failures = Failures::default();
        limit(&Ran { changes, ended, first_codes, tasks, verdicts, dead, memory }, &mut failures);
        failures.lines()
    }

    #[test]
    fn late_verdicts_verdicts_that_were_given_up_and_too_much_memory_are_failures() {
        assert_eq!(found(LIMIT, 0, MEMORY), [""; 0]);
        for (lines, said) in [
            (found(LIMIT + Duration::from_millis(100), 0, 0), "30.1 s after the last task"),
            (found(Duration::ZERO, 3, 0), "3 became dead letters"),
            (found(Duration::ZERO, 0, MEMORY + 1_000_000), "101 MB more"),
        ] {
            assert!(lines.len() == 1 && lines.iter().all(|line| line.contains(said)), "{said}: {lines:?}");
        }
    }
}
