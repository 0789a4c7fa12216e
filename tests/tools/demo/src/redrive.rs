//! Sends dead letters back once: kills of the host may use up all receives of a message that is in order.

use crate::check::{Failures, Kind};
use crate::gateway::Gateway;
use crate::options::Options;
use crate::poison;
use crate::progress::Progress;
use anyhow::Result;

/// What the names of queues of dead letters end with.
const SUFFIX: &str = "Dlq";
/// Most dead letters in one request.
const AT_ONCE: usize = 10;

/// Sends back all dead letters except that of the poison message; returns how many were.
pub async fn redrive(operator: &Gateway, poisoned: bool, progress: &Progress) -> Result<u64> {
    redrive_of(|_| true, operator, poisoned, progress).await
}

/// The same, but only of the queues that `is_of` chooses. It gets their names without what those of their dead letters have
/// at the end.
pub async fn redrive_of(
    is_of: fn(&str) -> bool,
    operator: &Gateway,
    poisoned: bool,
    progress: &Progress,
) -> Result<u64> {
    let mut dead_letters = operator.dead_letters(None).await?;
    dead_letters.retain(|it| is_of(it.queue.strip_suffix(SUFFIX).unwrap_or(&it.queue)));
    if poisoned {
        dead_letters = poison::without(operator, dead_letters).await?;
    }
    if dead_letters.is_empty() {
        return Ok(0);
    }
    let bar = progress.bar("sending dead letters back", dead_letters.len());
    dead_letters.sort();
    let mut redriven = 0;
    for some in dead_letters.chunk_by(|one, next| one.queue == next.queue).flat_map(|some| some.chunks(AT_ONCE)) {
        redriven += operator.redrive(some).await?;
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    Ok(redriven)
}

/// Checks that there was a reason for dead letters that were sent back: kills, failing services and an event log that is
/// down may use up attempts. Wrong addresses, slow services and deploys may not.
pub fn check(redriven: u64, restarts: u64, options: &Options, failures: &mut Failures) {
    let is_due = restarts > 0 || options.faults || options.event_log_down > 0;
    if redriven > 0 && !is_due {
        let needless =
            format!("{redriven} were sent back and succeeded, in a run in which nothing may use up attempts");
        failures.add(Kind::DeadLetter, "dead letters", needless);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn found(redriven: u64, restarts: u64, options: &[&str]) -> usize {
        let mut failures = Failures::default();
        check(redriven, restarts, &Options::parse_from([&["demo"][..], options].concat()), &mut failures);
        failures.of(Kind::DeadLetter).len()
    }

    #[test]
    fn dead_letters_are_a_failure_where_nothing_makes_any() {
        assert_eq!((found(1, 0, &[]), found(1, 0, &["--failed-scores", "0.1"]), found(0, 0, &[])), (1, 1, 0));
        let due: [(u64, &[&str]); 3] = [(1, &[]), (0, &["--faults"]), (0, &["--event-log-down", "20"])];
        for (restarts, options) in due {
            assert_eq!(found(1, restarts, options), 0, "{options:?}");
        }
    }
}
