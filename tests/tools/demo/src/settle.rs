//! Waits until everything is replicated, or until nothing changes; dead letters are redriven once.

use crate::check::{Name, Wanted, flagged};
use crate::gateway::Gateway;
use crate::generate::World;
use crate::pipeline;
use crate::progress::Progress;
use crate::redrive::redrive;
use anyhow::Result;
use fake_services::FakeServices;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(250);
/// For how long nothing may change while work is in progress: a message may wait for its visibility of 30 s, and a
/// source for up to 60 s.
const STALLED: Duration = Duration::from_secs(120);
/// For how long nothing may change while no work is in progress.
const IDLE: Duration = Duration::from_secs(5);
/// If there are dead letters and nothing was queued for this long, missing entries are among the dead letters. (A
/// stream after a kill queues nothing until its lease has expired, after 10 s.)
const ALL_DEAD: Duration = Duration::from_secs(15);

/// The state to wait for.
pub struct Settling<'a> {
    /// The registrations that were sent.
    pub world: &'a World,
    /// The entries that should exist in the end.
    pub wanted: &'a BTreeMap<Name<'a>, Wanted<'a>>,
    /// The number of profiles that should exist in the end.
    pub profiles: usize,
    /// The services that should have them.
    pub fakes: &'a FakeServices,
    /// Reads the depths of the queues.
    pub operator: &'a Gateway,
    /// Reads the flags of the entries.
    pub checker: &'a Gateway,
    /// Whether a message was sent that must stay a dead letter.
    pub poisoned: bool,
}

/// The result of waiting.
pub struct Settled {
    /// The work that was still in progress when nothing changed; `None` if all was done.
    pub unsettled: Option<String>,
    /// The number of dead letters that were sent back.
    pub redriven: u64,
}

/// What is still missing. If it does not change, nothing moves.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Missing {
    entries: usize,
    profiles: usize,
    queued: u64,
    /// The number of dead letters.
    dead: u64,
    /// Counted only when the queues are empty, because it reads the whole table.
    flagged: usize,
}

impl Missing {
    fn nothing(&self) -> bool {
        self.is_idle() && self.entries == 0 && self.profiles == 0
    }

    /// Whether no work is in progress, so that missing entries will not come.
    fn is_idle(&self) -> bool {
        self.queued == 0 && self.flagged == 0
    }
}

impl Settling<'_> {
    /// Waits, sends dead letters back, and waits for their records.
    pub async fn settle(&self, progress: &Progress) -> Result<Settled> {
        let unsettled = self.wait(progress).await?;
        let redriven = redrive(self.operator, self.poisoned, progress).await?;
        let unsettled = if redriven == 0 { unsettled } else { self.wait(progress).await? };
        Ok(Settled { unsettled, redriven })
    }

    /// Waits; returns the work that was still in progress when nothing changed. The checks report entries that are
    /// missing although no work is in progress.
    async fn wait(&self, progress: &Progress) -> Result<Option<String>> {
        let versions = self.wanted.iter().filter_map(|(name, wanted)| Some((*name, wanted.version?)));
        let mut pending: Vec<(Name<'_>, &str)> = versions.collect();
        let bar = progress.bar("waiting for replication", pending.len());
        let (mut last, mut moved) = (None, Instant::now());
        loop {
            pending.retain(|((campaign, fan), version)| !self.fakes.entries().holds(campaign, fan, version));
            bar.set_position(bar.length().unwrap_or_default().saturating_sub(pending.len() as u64));
            let missing = self.missing(pending.len()).await?;
            bar.set_message(format!("waiting, {} messages queued", missing.queued));
            if missing.nothing() {
                bar.finish_and_clear();
                return Ok(None);
            }
            if last.as_ref() != Some(&missing) {
                (last, moved) = (Some(missing.clone()), Instant::now());
            }
            if missing.is_idle() && moved.elapsed() > IDLE {
                return Ok(None);
            }
            if missing.queued == 0 && missing.dead > u64::from(self.poisoned) && moved.elapsed() > ALL_DEAD {
                return Ok(None);
            }
            if moved.elapsed() > STALLED {
                let Missing { entries, profiles, queued, flagged, .. } = missing;
                return Ok(Some(format!(
                    "nothing has moved for {} s: {entries} entries and {profiles} profiles are missing, {queued} messages \
                     are queued, {flagged} entries flagged",
                    STALLED.as_secs()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn missing(&self, entries: usize) -> Result<Missing> {
        let queues = self.operator.queues().await?;
        let queues = queues.iter().filter(|queue| !pipeline::has(&queue.name));
        let (dead, waiting): (Vec<_>, Vec<_>) = queues.partition(|queue| queue.is_dead_letter());
        let [dead, queued] = [dead, waiting].map(|queues| queues.iter().map(|queue| queue.total()).sum());
        // Only when the queues are empty do the flags decide.
        let flagged = if queued == 0 { flagged(self.world, self.checker).await? } else { 0 };
        let profiles = self.profiles.saturating_sub(self.fakes.user_count());
        Ok(Missing { entries, profiles, queued, dead, flagged })
    }
}
