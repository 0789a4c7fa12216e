//! The summary: for people, and as one JSON object.

use crate::check::{Failures, Findings, Kind};
use crate::inject::InjectedFault;
use crate::lag::Times;
use crate::metrics::Counters;
use crate::phases::Phase;
use crate::pipeline::Piped;
use crate::scoring::Scored;
use crate::selection::Selection;
use comfy_table::Table;
use serde_json::{Value, json};
use std::time::Duration;

/// The contents of the summary.
pub struct Report {
    /// What the run was made from.
    pub seed: u64,
    /// The number of registrations sent.
    pub registrations: usize,
    /// The number of those that were sent during the disturbances.
    pub disturbed: usize,
    /// The number of campaigns.
    pub campaigns: usize,
    /// The result of the checks.
    pub findings: Findings,
    /// Dead letters that were sent back.
    pub redriven: u64,
    /// Messages in dead letter queues at the end.
    pub dead_letters: u64,
    /// Calls repeated because of an error of the server.
    pub repeated: u64,
    /// How often the host was restarted.
    pub restarts: u64,
    /// The phase in which registrations were sent at their rate.
    pub open: Sent,
    /// The phase in which registrations were sent as fast as possible.
    pub flat_out: Sent,
    /// The latencies of responses in the open phase.
    pub eligibility: Times,
    /// The replication lag of both phases.
    pub lag: Times,
    /// The replication lag of the open phase.
    pub open_lag: Times,
    /// The host's counters of the open phase.
    pub counters: Counters,
    /// The time from the first call to the last replication.
    pub wall: Duration,
    /// The injected faults, and whether they were found.
    pub injected: Vec<InjectedFault>,
    /// The results of the scored files.
    pub scored: Scored,
    /// The selection, if there was one.
    pub selection: Option<Selection>,
    /// The results of the data pipeline.
    pub piped: Piped,
    /// The phases of the run.
    pub phases: Vec<Phase>,
}

/// A part of the registrations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// Their number.
    pub count: usize,
    /// How long it took to send them.
    pub took: Duration,
}

impl Sent {
    fn per_second(self) -> f64 {
        if self.took.is_zero() { 0.0 } else { round(self.count as f64 / self.took.as_secs_f64()) }
    }

    /// The rate for people, if there was such a phase.
    fn rate(self) -> Option<String> {
        (self.count > 0).then(|| format!("{} /s", self.per_second()))
    }
}

impl Report {
    /// Whether every check succeeded.
    pub fn is_green(&self) -> bool {
        self.findings.failures.is_empty()
    }

    fn failures(&self) -> &Failures {
        &self.findings.failures
    }

    fn ineligible(&self) -> usize {
        self.findings.reasons.values().sum()
    }

    /// The throughput of the phase at full speed, if there was one, else of the open phase.
    fn throughput(&self) -> f64 {
        if self.flat_out.count > 0 { self.flat_out.per_second() } else { self.open.per_second() }
    }

    fn instances_started(&self) -> u64 {
        self.counters.instances.values().sum()
    }

    /// One JSON object.
    pub fn to_json(&self) -> Value {
        let count = |kind| self.failures().of(kind).len();
        let injected = |p: &InjectedFault| json!({ "fault": p.fault, "subject": p.subject, "found": p.found });
        json!({
            "ok": self.is_green(),
            "seed": self.seed,
            "campaigns": self.campaigns,
            "registrations": self.registrations,
            "disturbed": self.disturbed,
            "eligible": self.registrations - self.ineligible(),
            "ineligible": self.findings.reasons,
            "replicated": self.findings.replicated,
            "lost": count(Kind::Lost),
            "stale": count(Kind::Stale),
            "unexpected": count(Kind::Unexpected),
            "redriven": self.redriven,
            "dead_letters": self.dead_letters,
            "repeated": self.repeated,
            "restarts": self.restarts,
            "eligibility_ms": self.eligibility.to_json(),
            "eligibility_per_s": self.throughput(),
            "open_per_s": self.open.per_second(),
            "replication_lag_ms": self.lag.to_json(),
            "open_replication_lag_ms": self.open_lag.to_json(),
            "cache_hit_ratio": self.counters.hit_ratio(),
            "instances_started": self.instances_started(),
            "instances_started_by_worker": self.counters.instances,
            "wall_s": round(self.wall.as_secs_f64()),
            "scoring": self.scored.to_json(),
            "selection": self.selection.as_ref().map(Selection::to_json),
            "data_pipeline": self.piped.to_json(),
            "phases": self.phases.iter().map(Phase::to_json).collect::<Vec<_>>(),
            "failures": self.failures().to_json(),
            "injected": self.injected.iter().map(injected).collect::<Vec<_>>(),
        })
    }

    /// The text for people.
    pub fn to_text(&self) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
        for (name, value) in self.rows() {
            table.add_row([name, value]);
        }
        let mut text = format!("{table}\n");
        for injected in &self.injected {
            let found = if injected.found { "found" } else { "NOT FOUND" };
            text.push_str(&format!("injected {}: {}: {found}\n", injected.fault, injected.subject));
        }
        for line in self.failures().lines() {
            text.push_str(&format!("✗ {line}\n"));
        }
        text.push_str(if self.is_green() { "✓ every check is green\n" } else { "✗ the checks above failed\n" });
        text
    }

    fn rows(&self) -> Vec<(String, String)> {
        let count = |kind| self.failures().of(kind).len();
        let times = |t: &Times| format!("p50 {:.1}  p95 {:.1}  p99 {:.1}", t.ms(0.50), t.ms(0.95), t.ms(0.99));
        let row = |name: &str, value: String| (name.to_owned(), value);
        let hits = self.counters.hit_ratio().map_or_else(|| "no reads".to_owned(), |ratio| format!("{ratio:.4}"));
        let mut rows = vec![
            row(
                "registrations",
                format!("{} for {} campaigns, seed {}", self.registrations, self.campaigns, self.seed),
            ),
            row("  during the disturbances", self.disturbed.to_string()),
            row("eligible", (self.registrations - self.ineligible()).to_string()),
        ];
        rows.extend(self.findings.reasons.iter().map(|(reason, given)| row(&format!("  {reason}"), given.to_string())));
        rows.extend([
            row("entries replicated", self.findings.replicated.to_string()),
            row(
                "lost · stale · unexpected",
                format!("{} · {} · {}", count(Kind::Lost), count(Kind::Stale), count(Kind::Unexpected)),
            ),
            row("redriven · dead letters", format!("{} · {}", self.redriven, self.dead_letters)),
            row("calls repeated · host restarts", format!("{} · {}", self.repeated, self.restarts)),
            row("eligibility, ms", format!("{} at {} /s", times(&self.eligibility), self.open.per_second())),
        ]);
        rows.extend(self.flat_out.rate().map(|rate| row("eligibility at full speed", rate)));
        rows.extend([
            row("replication lag, ms", times(&self.lag)),
            row("  in the open phase", times(&self.open_lag)),
            row("cache hit ratio", hits),
            row("instances started", format!("{} {:?}", self.instances_started(), self.counters.instances)),
            row("wall time", format!("{:.1} s", self.wall.as_secs_f64())),
        ]);
        rows.extend(self.scored.rows());
        rows.extend(self.selection.iter().flat_map(Selection::rows));
        rows.extend(self.piped.rows());
        let all: Duration = self.phases.iter().map(|phase| phase.took).sum();
        rows.push(row("phases", format!("{:.1} s", all.as_secs_f64())));
        rows.extend(
            self.phases.iter().map(|phase| row(&format!("  {}", phase.name), format!("{:.1} s", phase.seconds()))),
        );
        rows
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of at most ten seconds' arrivals has no phase at full speed.
    #[test]
    fn a_part_without_registrations_has_no_rate_to_show() {
        let rate = |count| Sent { count, took: Duration::from_millis(500) }.rate();
        assert_eq!((rate(0), rate(9).as_deref()), (None, Some("18 /s")));
    }
}
