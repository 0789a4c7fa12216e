//! When the host is killed: `--kills`. A third of the kills are while scored files are read, a third during the selection.

use crate::generate::World;
use crate::host::Killer;
use crate::load::Load;
use crate::options::Options;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The time between two kills of a phase, milliseconds.
pub const BETWEEN_MS: Range<u64> = 50..3_000;
/// The time from the start of the selection's tasks to the first kill, milliseconds: small ones take half a second.
pub const INTO_TASKS_MS: Range<u64> = 50..400;

/// How many of the kills are while scored files are read.
pub fn in_scoring(options: &Options) -> usize {
    options.kills / 3
}

/// How many of the kills are during the selection.
pub fn in_selection(options: &Options, world: &World) -> usize {
    if world.selections.is_empty() { 0 } else { options.kills / 3 }
}

/// The numbers of responses, of `total`, after which the host is killed before that.
pub fn after_responses(options: &Options, world: &World, total: usize) -> Vec<usize> {
    let mut random = StdRng::seed_from_u64(options.seed ^ 0x6b69_6c6c);
    let count = options.kills - in_scoring(options) - in_selection(options, world);
    let mut kills: Vec<usize> = (0..count).map(|_| random.random_range(0..total.max(1))).collect();
    kills.sort_unstable();
    kills
}

/// Kills the host after these numbers of responses.
pub async fn on_the_way(load: Arc<Load>, kills: Vec<usize>, killer: Killer) {
    for answers in kills {
        while load.answered() < answers {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        killer.kill().await;
    }
}

/// Kills the host so often, at times that are drawn from a seed, the first time after so many milliseconds.
pub async fn meanwhile(kills: usize, first_ms: Range<u64>, seed: u64, killer: &Killer) {
    for wait in waits(kills, first_ms, seed) {
        tokio::time::sleep(wait).await;
        killer.kill().await;
    }
}

/// The time before each kill.
fn waits(kills: usize, first_ms: Range<u64>, seed: u64) -> Vec<Duration> {
    let mut random = StdRng::seed_from_u64(seed ^ 0x6b69_6c6c_6564);
    let ranges = std::iter::once(first_ms).chain(std::iter::repeat(BETWEEN_MS)).take(kills);
    ranges.map(|range| Duration::from_millis(random.random_range(range))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `--kills 3` has one kill of the selection, which is to meet its tasks.
    #[test]
    fn the_first_kill_of_a_selection_comes_while_its_tasks_are_under_way() {
        for seed in 0..200 {
            let waits = waits(3, INTO_TASKS_MS, seed);
            assert_eq!(waits.len(), 3);
            assert!(waits.first().is_some_and(|wait| *wait < Duration::from_millis(400)), "{waits:?}");
            assert!(super::waits(0, INTO_TASKS_MS, seed).is_empty());
        }
    }
}
