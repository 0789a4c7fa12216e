//! One task of a market at a time, and the list of the market's plans: both in one item, `SELECTION#<marketId>`.
//!
//! - `holder` and `expires`: which task has the market, and until when. Without `expires` it is free. A running task
//!   extends `expires` regularly, however long it runs; one that was killed blocks the market for 16 minutes at most.
//!   Another attempt of the same task takes it at once.
//! - `fence`: counts how often the market was taken. Every write of the holder is on condition that the fence is
//!   unchanged, so that a task that was suspended and has lost the market can no longer change anything.
//! - `plans`: the plans of the market, each with its number of winners and whether their messages are queued. A plan is
//!   valid once it is in this list.

use crate::failed::{Failed, WAITS};
use crate::input::Selection;
use crate::plan::{self, Head};
use crate::ports::Ports;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::Cell;
use worker_kit::log::timestamp;
use worker_kit::platform::{
    Error, ErrorKind,
    table::{Key, Predicate, Update},
};

/// Seconds for which a market is held: the default wall time of a task, 15 minutes, and a minute more.
const HELD_SECS: i64 = 16 * 60;
/// Seconds before the end at which it is extended.
const PUT_OFF_SECS: i64 = HELD_SECS / 2;

/// A market that is taken.
#[derive(Debug)]
pub struct Lock {
    key: Key,
    holder: String,
    expires: Cell<DateTime<Utc>>,
    /// Its number, the same in no other call.
    pub fence: u64,
    /// The plans of the market, the first one first.
    pub plans: Vec<Head>,
    /// Whether the item has these plans. After a write that failed it is not known.
    is_current: bool,
}

/// The item.
#[derive(Debug, Default, Deserialize)]
struct Item {
    #[serde(default)]
    fence: u64,
    #[serde(default)]
    holder: String,
    expires: Option<DateTime<Utc>>,
    #[serde(default)]
    plans: Vec<Head>,
}

impl Lock {
    /// Takes the market for a task. While another task has it, this one answers that it waits, and the host asks again.
    pub async fn take(ports: &impl Ports, selection: &Selection) -> Result<Self, Failed> {
        Self::try_take(ports, selection).await.map_err(|failed| match failed {
            Failed::Busy(message) => Failed::fatal(WAITS, "MARKET_BUSY", message),
            failed => failed,
        })
    }

    async fn try_take(ports: &impl Ports, selection: &Selection) -> Result<Self, Failed> {
        let key = key(selection);
        let old = read(ports, &key).await?;
        old.check(selection, ports.now())?;
        let (holder, expires) = (selection.task_id.clone(), Cell::new(end(ports.now())));
        let mut lock = Self { key, holder, expires, fence: old.fence + 1, plans: vec![], is_current: true };
        match lock.taken(ports, selection, &old).await {
            Ok(()) => Ok(lock),
            Err(failed) => {
                // Perhaps it is taken, and only the response was lost.
                if !matches!(failed, Failed::Busy(_)) {
                    lock.release(ports).await;
                }
                Err(failed)
            }
        }
    }

    async fn taken(&mut self, ports: &impl Ports, selection: &Selection, old: &Item) -> Result<(), Failed> {
        let again = || Failed::Busy(format!("market {} is taken again and again", selection.market_id));
        match ports.update(taking(&self.key, old, selection, self.expires.get())).await? {
            None => {}
            Some(error) if error.kind == ErrorKind::ConditionFailed => return Err(again()),
            Some(error) => return Err(error.into()),
        }
        // Up to this moment the last holder could add its plan.
        let Item { fence, plans, .. } = read(ports, &self.key).await?;
        if fence != self.fence {
            return Err(again());
        }
        clean_up(ports, selection, old, &plans, &async || self.go_on(ports).await).await;
        self.plans = plans;
        Ok(())
    }

    /// Adds a plan whose pages are stored. From then on it is the task's plan.
    pub async fn commit(&mut self, ports: &impl Ports, plan: Head) -> Result<(), Failed> {
        let plans = self.plans.iter().cloned().chain([plan]).collect();
        self.write(ports, plans).await
    }

    /// Records of plans that the messages of their winners are queued. `lost` is the number of a plan's winners with
    /// invalid messages; `None` for a plan whose messages are not queued now.
    pub async fn mark_queued(&mut self, ports: &impl Ports, lost: impl Fn(&Head) -> Option<u64>) -> Result<(), Failed> {
        let mut plans = self.plans.clone();
        for plan in &mut plans {
            if let Some(lost) = lost(plan) {
                (plan.queued, plan.lost) = (true, lost);
            }
        }
        self.write(ports, plans).await
    }

    /// Reads the plans again if a write of them has failed: it may have taken effect, and only its response was lost.
    pub async fn update_plans(&mut self, ports: &impl Ports) -> Result<(), Failed> {
        if !self.is_current {
            self.plans = read(ports, &self.key).await?.plans;
            self.is_current = true;
        }
        Ok(())
    }

    /// Extends the time for which the market is taken. Fails if it is no longer taken by this task.
    pub async fn hold(&self, ports: &impl Ports) -> Result<(), Failed> {
        let expires = end(ports.now());
        let set = vec![("expires".to_owned(), json!(timestamp(expires)).to_string())];
        held(ports.update(self.update(set, vec![])).await?)?;
        self.expires.set(expires);
        Ok(())
    }

    /// As [`hold`](Self::hold), once half of the time is over: for work that may take long. Fails, too, when the host would
    /// soon end the attempt, which could not report then.
    pub async fn go_on(&self, ports: &impl Ports) -> Result<(), Failed> {
        if let Some(end) = ports.end().filter(|end| *end <= ports.now()) {
            return Err(Failed::Later(format!("out of time: the attempt had to end at {}", timestamp(end))));
        }
        let is_due = ports.now() + TimeDelta::seconds(PUT_OFF_SECS) >= self.expires.get();
        if is_due { self.hold(ports).await } else { Ok(()) }
    }

    /// How many winners the market has.
    pub fn winners(&self) -> usize {
        self.plans.iter().map(|plan| plan.winners).sum()
    }

    /// The number of the market's winners with invalid messages.
    pub fn lost(&self) -> u64 {
        self.plans.iter().map(|plan| plan.lost).sum()
    }

    /// Whether a task has a plan.
    pub fn has_plan(&self, task_id: &str) -> bool {
        self.plans.iter().any(|plan| plan.task_id == task_id)
    }

    /// Whether a later task than this one has queued its messages. Then this task's report about the market is
    /// outdated, unless it reports that all messages are queued.
    pub fn is_outdated(&self, task_id: &str) -> bool {
        let own = self.plans.iter().position(|plan| plan.task_id == task_id);
        own.is_some_and(|own| self.plans.iter().skip(own + 1).any(|plan| plan.queued))
    }

    /// Writes the list, if the market is still held.
    async fn write(&mut self, ports: &impl Ports, plans: Vec<Head>) -> Result<(), Failed> {
        let set = vec![("plans".to_owned(), json!(plans).to_string())];
        self.is_current = false;
        held(ports.update(self.update(set, vec![])).await?)?;
        (self.plans, self.is_current) = (plans, true);
        Ok(())
    }

    /// Releases the market, if it is still taken. A failure only delays the next task.
    pub async fn release(self, ports: &impl Ports) {
        let failed = match ports.update(self.update(vec![], vec!["expires".to_owned()])).await {
            Ok(failed) => failed,
            Err(error) => Some(error),
        };
        if let Some(error) = failed {
            ports.warn("Market lock not released; it expires", json!({"problem": error.message}));
        }
    }

    fn update(&self, set: Vec<(String, String)>, remove: Vec<String>) -> Update {
        // Where the response of taking it was lost, the number may be another task's.
        let expected = [("fence", json!(self.fence)), ("holder", json!(self.holder))];
        let condition = expected.map(|(name, value)| Predicate::Equals((name.to_owned(), value.to_string()))).into();
        Update { key: self.key.clone(), set, increment: vec![], remove, condition }
    }
}

/// Fails if another task has the market now, if the market has a plan, or if that is not known.
pub async fn check_unselected(ports: &impl Ports, selection: &Selection) -> Result<(), Failed> {
    let item = read(ports, &key(selection)).await?;
    item.check(selection, ports.now())?;
    match item.plans.len() {
        0 => Ok(()),
        plans => Err(Failed::Busy(format!("market {} has {plans} plans, whose stats stay", selection.market_id))),
    }
}

fn key(selection: &Selection) -> Key {
    Key { pk: plan::pk(selection), sk: format!("SELECTION#{}", selection.market_id) }
}

fn end(now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::seconds(HELD_SECS)
}

/// Whether a write that is on condition of the market's number has succeeded.
fn held(error: Option<Error>) -> Result<(), Failed> {
    match error {
        None => Ok(()),
        Some(error) if error.kind == ErrorKind::ConditionFailed => {
            Err(Failed::Busy("another attempt has taken the market: this one was too slow".to_owned()))
        }
        Some(error) => Err(error.into()),
    }
}

impl Item {
    /// Fails if another task has the market.
    fn check(&self, selection: &Selection, now: DateTime<Utc>) -> Result<(), Failed> {
        let Selection { task_id, market_id, .. } = selection;
        let held = self.expires.filter(|expires| *expires > now && self.holder != *task_id);
        let held = held.map(|expires| (&self.holder, timestamp(expires)));
        held.map_or(Ok(()), |(holder, expires)| {
            Err(Failed::Busy(format!("market {market_id} is held by task {holder}, until {expires} at the latest")))
        })
    }
}

async fn read(ports: &impl Ports, key: &Key) -> Result<Item, Failed> {
    let item = ports.read(vec![key.clone()]).await?.pop().flatten();
    let Some(item) = item else { return Ok(Item::default()) };
    let malformed = |error| Failed::fatal(422, "MALFORMED_ITEM", format!("item {} is malformed: {error}", key.sk));
    serde_json::from_str(&item).map_err(malformed)
}

fn taking(key: &Key, old: &Item, selection: &Selection, expires: DateTime<Utc>) -> Update {
    let fence = "fence".to_owned();
    let condition = match old.fence {
        0 => Predicate::NotExists(fence),
        old => Predicate::Equals((fence, old.to_string())),
    };
    let set =
        [("fence", json!(old.fence + 1)), ("holder", json!(selection.task_id)), ("expires", json!(timestamp(expires)))];
    let set = set.map(|(name, value): (&str, Value)| (name.to_owned(), value.to_string())).into();
    Update { key: key.clone(), set, increment: vec![], remove: vec![], condition: vec![condition] }
}

/// Deletes the pages of the last holder if they have not become a plan. They are harmless, but nothing else would
/// delete them.
async fn clean_up(
    ports: &impl Ports,
    selection: &Selection,
    old: &Item,
    plans: &[Head],
    go_on: &impl AsyncFn() -> Result<(), Failed>,
) {
    if old.fence == 0 || plans.iter().any(|plan| plan.fence == old.fence) {
        return;
    }
    if let Err(failed) = plan::discard(ports, selection, &old.holder, old.fence, go_on).await {
        ports.warn("Pages of an abandoned plan not deleted", json!({"problem": failed.message()}));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{Fault, World, selection};
    use futures::executor::block_on;

    fn take(world: &World, task: &str) -> Result<Lock, Failed> {
        block_on(Lock::take(world, &selection(task)))
    }

    fn head(task: &str, fence: u64) -> Head {
        Head { task_id: task.to_owned(), fence, pages: 0, winners: 0, rejected: 0, total: 0, queued: false, lost: 0 }
    }

    #[test]
    fn another_task_is_told_who_holds_the_market_and_until_when() {
        let world = World::default();
        let _lock = take(&world, "one").unwrap();
        let start = world.now();
        let told = "market m is held by task one, until 2024-03-01T12:16:00.000Z at the latest";
        assert_eq!(take(&world, "two").unwrap_err(), Failed::fatal(WAITS, "MARKET_BUSY", told));
        assert_eq!(world.now(), start, "at once");
    }

    #[test]
    fn a_market_of_whose_taking_nobody_has_heard_is_given_back() {
        for (step, fault) in [(1, Fault::ResponseLost), (2, Fault::Lost)] {
            let world = World { fault: Some((step, fault)).into(), ..World::default() };
            assert!(matches!(take(&world, "one"), Err(Failed::Later(_))));
            let start = world.now();
            assert_eq!((take(&world, "two").unwrap().fence, world.now()), (2, start));
        }
    }

    #[test]
    fn the_same_task_takes_its_market_again_at_once_and_its_earlier_attempt_has_lost_it() {
        let world = World::default();
        let (mut first, second) = (take(&world, "one").unwrap(), take(&world, "one").unwrap());
        assert_eq!((first.fence, second.fence), (1, 2));
        let lost = block_on(first.commit(&world, head("one", 1)));
        assert!(matches!(lost, Err(Failed::Busy(_))), "{lost:?}");
        block_on(first.release(&world));
        assert!(take(&world, "two").is_err(), "the second attempt still has the market");
    }

    #[test]
    fn a_market_that_is_given_back_is_free() {
        let world = World::default();
        let mut lock = take(&world, "one").unwrap();
        block_on(lock.commit(&world, head("one", 1))).unwrap();
        block_on(lock.release(&world));
        let lock = take(&world, "two").unwrap();
        assert_eq!((lock.fence, lock.plans), (2, vec![head("one", 1)]));
    }

    #[test]
    fn an_abandoned_task_does_not_block_its_market_for_ever() {
        let world = World::default();
        let mut abandoned = take(&world, "one").unwrap();
        world.pass(TimeDelta::seconds(HELD_SECS - 1));
        assert!(take(&world, "two").is_err());
        world.pass(TimeDelta::seconds(1));
        let lock = take(&world, "two").unwrap();
        assert!(block_on(abandoned.commit(&world, head("one", 1))).is_err(), "it comes too late");
        assert!(lock.plans.is_empty());
    }

    /// Its wall time may be longer than a market is held at first.
    #[test]
    fn a_task_that_is_at_work_keeps_its_market() {
        let world = World::default();
        let lock = take(&world, "one").unwrap();
        let go_on = |minutes| {
            world.pass(TimeDelta::minutes(minutes));
            world.steps.set(0);
            block_on(lock.go_on(&world)).map(|()| world.steps.get())
        };
        assert_eq!(go_on(7), Ok(0), "not yet");
        for _ in 0..4 {
            assert_eq!(go_on(15), Ok(1));
            assert!(take(&world, "two").is_err());
        }
        world.pass(TimeDelta::seconds(HELD_SECS));
        let _two = take(&world, "two").unwrap();
        assert!(matches!(go_on(0), Err(Failed::Busy(_))), "it comes too late");
        assert!(matches!(block_on(lock.hold(&world)), Err(Failed::Busy(_))));
    }

    /// The last holder commits between the look at the market and its taking.
    #[test]
    fn a_plan_that_is_committed_at_the_last_moment_is_seen() {
        let world = World::default();
        let mut slow = take(&world, "one").unwrap();
        world.pass(TimeDelta::seconds(HELD_SECS));
        let stale = block_on(read(&world, &slow.key)).unwrap();
        block_on(slow.commit(&world, head("one", 1))).unwrap();
        let update = taking(&slow.key, &stale, &selection("two"), end(world.now()));
        assert_eq!(block_on(world.update(update)), Ok(None));
        assert_eq!(block_on(read(&world, &slow.key)).unwrap().plans, [head("one", 1)]);
    }
}
