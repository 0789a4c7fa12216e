//! Waiting until everything is replicated, or until nothing changes any more; dead letters are sent back once.

use crate::check::{Name, Wanted, flagged};
use crate::gateway::Gateway;
use crate::generate::World;
use crate::progress::Progress;
use crate::redrive::redrive;
use anyhow::Result;
use fake_services::FakeServices;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(250);
/// With work under way, a message may rest for its visibility of 30 s and a source for up to 60 s.
const STALLED: Duration = Duration::from_secs(120);
/// With nothing under way, nothing will come any more.
const IDLE: Duration = Duration::from_secs(5);
/// With dead letters, and nothing queued for so long, what is missing is among them. (Until a stream is read on after a
/// kill, nothing is queued either: its lease ends after 10 s.)
const BURIED: Duration = Duration::from_secs(15);

/// What is being waited for.
pub struct Settling<'a> {
    /// What was sent.
    pub world: &'a World,
    /// What should be held in the end.
    pub wanted: &'a BTreeMap<Name<'a>, Wanted<'a>>,
    /// How many profiles should be held in the end.
    pub profiles: usize,
    /// Where it should be held.
    pub fakes: &'a FakeServices,
    /// For the depths of the queues.
    pub operator: &'a Gateway,
    /// For the flags of the entries.
    pub checker: &'a Gateway,
    /// Whether a message was sent that must stay a dead letter.
    pub poisoned: bool,
}

/// How it ended.
pub struct Settled {
    /// What was still under way when nothing moved any more, if anything was.
    pub unsettled: Option<String>,
    /// How many dead letters were sent back.
    pub redriven: u64,
}

/// What is still missing; equal to the last one if nothing moves.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Missing {
    entries: usize,
    profiles: usize,
    queued: u64,
    /// Dead letters.
    dead: u64,
    /// Counted only when nothing is queued: it means reading the table.
    flagged: usize,
}

impl Missing {
    fn nothing(&self) -> bool {
        self.is_idle() && self.entries == 0 && self.profiles == 0
    }

    /// Whether no work is under way, so that what is missing will not come.
    fn is_idle(&self) -> bool {
        self.queued == 0 && self.flagged == 0
    }
}

impl Settling<'_> {
    /// Waits, sends dead letters back, and waits for these.
    pub async fn settle(&self, progress: &Progress) -> Result<Settled> {
        let unsettled = self.wait(progress).await?;
        let redriven = redrive(self.operator, self.poisoned, progress).await?;
        let unsettled = if redriven == 0 { unsettled } else { self.wait(progress).await? };
        Ok(Settled { unsettled, redriven })
    }

    /// Waits; answers what was still under way when nothing moved any more, if anything was. Entries that are missing
    /// although nothing is under way are for the checks to tell.
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
            if missing.queued == 0 && missing.dead > u64::from(self.poisoned) && moved.elapsed() > BURIED {
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
        let (dead, waiting): (Vec<_>, Vec<_>) = queues.iter().partition(|queue| queue.is_dead_letter());
        let [dead, queued] = [dead, waiting].map(|queues| queues.iter().map(|queue| queue.total()).sum());
        // While entries are under way there is no need to ask; once the queues are empty the flags decide.
        let flagged = if queued == 0 { flagged(self.world, self.checker).await? } else { 0 };
        let profiles = self.profiles.saturating_sub(self.fakes.user_count());
        Ok(Missing { entries, profiles, queued, dead, flagged })
    }
}
