//! Puts the scored files, and waits until all that follows of them is done.

use super::due::{Counts, Due};
use super::file::File;
use super::read::{counts, progress};
use crate::gateway::Gateway;
use crate::generate::World;
use crate::host::Killer;
use crate::kills;
use crate::progress::Progress;
use crate::stores::Stores;
use anyhow::Result;
use fake_services::FakeServices;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(200);
/// For how long nothing may change: a shard waits for its lease for 10 s after a kill, a source for up to 60 s.
const STALLED: Duration = Duration::from_secs(120);
/// Keeps the times of these kills apart from those of the selection.
const SALT: u64 = 0x7363_6f72_6564;

/// What scoring works with.
pub struct Scoring<'a> {
    /// The run's campaigns and fans.
    pub world: &'a World,
    /// The files, in their order.
    pub files: &'a [File],
    /// What they come to.
    pub due: &'a Due<'a>,
    /// Where the files are put.
    pub stores: &'a Stores,
    /// Reads the table.
    pub checker: &'a Gateway,
    /// The Entry Service, among others.
    pub fakes: &'a FakeServices,
}

/// How it went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ran {
    /// When the last row of the last file was done, milliseconds since 1970 (UTC). Its report comes after that.
    pub ended_ms: Option<u64>,
    /// From the files' arrival until the last one is done, its report included.
    pub read: Duration,
    /// From there until all fans were counted.
    pub counted: Duration,
    /// Whether something is missing and nothing changes.
    pub stalled: bool,
}

/// The present state. If it does not change, nothing moves.
#[derive(Clone, Debug, Eq, PartialEq)]
struct State {
    /// Rows read, of all files, and the number of files that are done.
    rows: (u64, usize),
    /// When the last row of any of them was done.
    ended_ms: u64,
    counts: BTreeMap<String, Counts>,
    /// Scores in the Entry Service. They are many, and counted only when all fans are.
    posted: usize,
}

impl Scoring<'_> {
    /// Puts the files and waits, while the host is killed this many times.
    pub async fn run(&self, kills: usize, seed: u64, killer: &Killer, progress: &Progress) -> Result<Ran> {
        let killed = async {
            kills::meanwhile(kills, kills::BETWEEN_MS, seed ^ SALT, killer).await;
            anyhow::Ok(())
        };
        let (ran, (), ()) = tokio::try_join!(self.wait(progress), self.put(), killed)?;
        Ok(ran)
    }

    /// Puts the files: each one when the one before is being read, so that it is the later one to whoever tells of them.
    async fn put(&self) -> Result<()> {
        let began = Instant::now();
        for file in self.files {
            self.stores.put(file.key, &file.text).await?;
            while began.elapsed() < STALLED && !progress(self.files, self.checker).await?.contains_key(file.key) {
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// Waits until the files are read, all fans counted, and the Entry Service has its scores.
    pub async fn wait(&self, shown: &Progress) -> Result<Ran> {
        let began = Instant::now();
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        let bar = shown.bar("reading scored files", usize::try_from(rows).unwrap_or(usize::MAX));
        let (mut ran, mut last, mut moved) = (Ran::default(), None, Instant::now());
        loop {
            let state = self.state().await?;
            bar.set_position(state.rows.0);
            if ran.ended_ms.is_none() && state.rows.1 == self.files.len() {
                (ran.ended_ms, ran.read) = (Some(state.ended_ms), began.elapsed());
                bar.set_message("counting the fans");
            }
            let is_done = ran.ended_ms.is_some() && self.is_right(&state);
            if last.as_ref() != Some(&state) {
                (last, moved) = (Some(state), Instant::now());
            }
            ran.stalled = !is_done && moved.elapsed() > STALLED;
            if is_done || ran.stalled {
                ran.counted = began.elapsed().saturating_sub(ran.read);
                bar.finish_and_clear();
                return Ok(ran);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn state(&self) -> Result<State> {
        let read = progress(self.files, self.checker).await?;
        let rows = (read.values().map(|it| it.rows).sum(), read.values().filter(|it| it.is_done).count());
        let ended_ms = read.values().map(|it| it.ended_ms).max().unwrap_or_default();
        let counts = counts(self.world, self.checker).await?;
        let mut state = State { rows, ended_ms, counts, posted: 0 };
        if self.is_counted(&state) {
            state.posted = self.world.campaign_ids().map(|campaign| self.fakes.entries().scores(campaign).len()).sum();
        }
        Ok(state)
    }

    fn is_counted(&self, state: &State) -> bool {
        let counted = |(campaign, due): (&&str, &Counts)| state.counts.get(*campaign) == Some(due);
        self.due.counts.iter().all(counted)
    }

    /// Whether everything is there. What the scores are, the checks compare.
    fn is_right(&self, state: &State) -> bool {
        self.is_counted(state) && state.posted >= self.due.posted.len()
    }
}
