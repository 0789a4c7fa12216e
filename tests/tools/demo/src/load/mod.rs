//! Sends registrations: first each at its own time, however the host responds, then as fast as 32 callers can.
//!
//! A fan's registrations are sent in order: one is sent once the previous one was answered and its entry written.

mod call;
mod one;

pub use call::{Caller, EligibilityResponse, event};
pub use one::Outcome;

use crate::generate::World;
use crate::inject::Plan;
use crate::resolver::Resolver;
use anyhow::{Result, anyhow};
use indicatif::ProgressBar;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SetOnce};
use tokio::task::JoinSet;

/// The duration of the open phase, in which registrations arrive at their rate.
pub const OPEN_SECS: usize = 10;
/// The number of callers that send as fast as they can.
const CALLERS: usize = 32;
/// Most calls at a time in the open phase, so that a host that hangs does not use up all ports. Waiting for a free
/// place counts as waiting for the response.
const UNDER_WAY: usize = 1_024;

/// The load, and its outcomes so far.
pub struct Load {
    world: Arc<World>,
    tokens: HashMap<String, String>,
    fans: HashMap<String, usize>,
    predecessors: Vec<Option<usize>>,
    caller: Caller,
    resolver: Resolver,
    plan: Plan,
    settled: Vec<SetOnce<()>>,
    outcomes: Vec<OnceLock<Outcome>>,
    places: Semaphore,
    answered: AtomicUsize,
    bar: ProgressBar,
}

impl Load {
    /// Prepares to send the registrations of a world.
    pub fn new(
        world: Arc<World>,
        tokens: HashMap<String, String>,
        caller: Caller,
        resolver: Resolver,
        plan: Plan,
        bar: ProgressBar,
    ) -> Arc<Self> {
        let count = world.registrations.len();
        let fans = world.fans.iter().enumerate().map(|(place, fan)| (fan.global_user_id.clone(), place)).collect();
        Arc::new(Self {
            predecessors: world.predecessors(),
            settled: std::iter::repeat_with(SetOnce::new).take(count).collect(),
            outcomes: std::iter::repeat_with(OnceLock::new).take(count).collect(),
            places: Semaphore::new(UNDER_WAY),
            answered: AtomicUsize::new(0),
            world,
            tokens,
            fans,
            caller,
            resolver,
            plan,
            bar,
        })
    }

    /// Sends those of a range at this rate a second, each when it is due; returns how long that took.
    pub async fn open(self: &Arc<Self>, positions: Range<usize>, rate: f64) -> Result<Duration> {
        let started = Instant::now();
        let mut under_way = JoinSet::new();
        for (number, position) in positions.enumerate() {
            let due = started + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
            let load = self.clone();
            under_way.spawn(async move { load.one(position, due).await });
        }
        self.all(under_way).await?;
        Ok(started.elapsed())
    }

    /// Sends those of a range with 32 callers; returns how long that took.
    pub async fn flat_out(self: &Arc<Self>, positions: Range<usize>) -> Result<Duration> {
        let started = Instant::now();
        let next = Arc::new(AtomicUsize::new(positions.start));
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (load, next) = (self.clone(), next.clone());
            callers.spawn(async move {
                // Positions are taken in order, so a caller that waits for a predecessor waits for a call in progress.
                loop {
                    let position = next.fetch_add(1, Ordering::Relaxed);
                    if position >= positions.end {
                        return Ok(());
                    }
                    load.one(position, Instant::now()).await?;
                }
            });
        }
        self.all(callers).await?;
        Ok(started.elapsed())
    }

    /// The number of answered registrations.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// The number of calls that were repeated because of an error of the server.
    pub fn repeated(&self) -> u64 {
        self.caller.repeated()
    }

    /// The outcome of each registration, in order; `None` if it was never answered.
    pub fn outcomes(&self) -> Vec<Option<&Outcome>> {
        self.outcomes.iter().map(OnceLock::get).collect()
    }

    async fn all(&self, mut tasks: JoinSet<Result<()>>) -> Result<()> {
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(|error| anyhow!("a caller ended early: {error}"))??;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
