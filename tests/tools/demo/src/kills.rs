//! When the host is killed: `--kills`. A third of the kills are while scored files are read, a third during the selection.

use crate::generate::World;
use crate::host::Killer;
use crate::load::Load;
use crate::options::Options;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::time::Duration;

/// The time between two kills of a phase, milliseconds.
const BETWEEN_MS: std::ops::Range<u64> = 50..3_000;

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

/// Kills the host so often, at times that are drawn from a seed.
pub async fn meanwhile(kills: usize, seed: u64, killer: &Killer) {
    let mut random = StdRng::seed_from_u64(seed ^ 0x6b69_6c6c_6564);
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.random_range(BETWEEN_MS))).await;
        killer.kill().await;
    }
}
