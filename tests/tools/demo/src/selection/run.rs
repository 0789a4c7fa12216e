//! Prepares the services for the selection, starts the tasks of all markets, and waits for their verdicts.

use super::change::{self, Change};
use super::found::{Ended, EntryCodes, Task};
use super::memory::{Measured, Memory};
use super::rank::Contest;
use super::read::entry_codes;
use crate::check::{Name, Wanted};
use crate::gateway::{Execution, Gateway};
use crate::generate::World;
use crate::host::Killer;
use crate::kills;
use crate::progress::Progress;
use crate::services::Services;
use anyhow::{Context, Result, bail};
use host_adapters_records::documents::ReplaceOne;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The worker that selects a market's winners.
const WORKER: &str = "enqueue-market-selections";
/// The queue of the verdicts.
const VERDICTS: &str = "saveSelectionQueue";
/// The queue of those that are given up.
const DEAD_VERDICTS: &str = "saveSelectionQueueDlq";
const POLL: Duration = Duration::from_millis(100);
/// For how long nothing may change: a task may wait for the lease of its attempt, a message for its visibility.
const STALLED: Duration = Duration::from_secs(180);
/// How long the Code Service may take to know of the last code: a stream waits for its lease after a kill.
const LATE_CODES: Duration = Duration::from_secs(60);
/// In how many parts fans change their entries, and how far apart these are.
const WAVES: usize = 4;
const WAVE: Duration = Duration::from_millis(250);

/// What the selection works with.
pub struct Selecting<'a> {
    /// The run's campaigns and scores.
    pub world: &'a World,
    /// The markets.
    pub contests: &'a [Contest<'a>],
    /// What the run is drawn from.
    pub seed: u64,
    /// Reads and tells the services.
    pub services: &'a Services,
    /// Closes campaigns.
    pub seeder: &'a Gateway,
    /// Writes what fans change.
    pub resolver: &'a Gateway,
    /// Starts tasks, and reads the depths of queues.
    pub operator: &'a Gateway,
    /// The file with the host's process id.
    pub process_id: &'a Path,
}

/// How the tasks and their verdicts went.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What fans changed meanwhile.
    pub changes: Vec<Change>,
    /// By campaign and market, what became of its tasks.
    pub ended: BTreeMap<(String, String), Task>,
    /// The codes of the Entry Service after the first tasks, where a later one followed.
    pub first_codes: EntryCodes,
    /// From the start of the tasks to the end of the last.
    pub tasks: Duration,
    /// From the end of the last task to the last verdict.
    pub verdicts: Duration,
    /// How many verdicts had become dead letters by then: they are written once they are redriven.
    pub dead: u64,
    /// The memory of the host meanwhile.
    pub memory: Measured,
}

/// A task of a market.
struct MarketTask<'a> {
    contest: &'a Contest<'a>,
    /// The name of its execution.
    name: String,
    /// How many win, if the market does not say it.
    count: Option<usize>,
}

impl Selecting<'_> {
    /// Says when fans registered, gives the markets their codes, and closes the campaigns. The scores came in scored files, but
    /// for those of records without a fan.
    pub async fn prepare(&self) -> Result<()> {
        let campaigns = self.world.selected_campaigns();
        for campaign in &campaigns {
            let scores = self.world.scores.iter().filter(|score| score.campaign_id == **campaign);
            let records: Vec<Value> = scores
                .map(|score| {
                    let at = &score.registered_at;
                    match &score.global_user_id {
                        Some(fan) => json!({ "globalUserId": fan, "registeredAt": at }),
                        None => json!({ "marketId": score.market_id, "score": score.score, "registeredAt": at }),
                    }
                })
                .collect();
            self.services.tell_entry(&format!("/_control/scores/{campaign}"), json!(records)).await?;
        }
        for contest in self.contests {
            let (path, market) = (format!("/_control/codes/{}", contest.campaign()), contest.market());
            match &contest.selection.shared_code {
                Some(code) => {
                    self.services.tell_code(&format!("{path}/shared"), json!({ "codes": [code] })).await?;
                }
                None => {
                    let codes: Vec<String> =
                        (0..contest.selection.codes).map(|it| format!("{market}-{it:06}")).collect();
                    self.services.tell_code(&path, json!({ "marketId": market, "codes": codes })).await?;
                }
            }
        }
        for campaign in self.world.campaigns.iter().filter(|it| id(it).is_some_and(|id| campaigns.contains(id))) {
            self.close(campaign.clone()).await?;
        }
        Ok(())
    }

    async fn close(&self, mut campaign: Value) -> Result<()> {
        let id = id(&campaign).context("a campaign has no id")?.to_owned();
        if let Some(campaign) = campaign.as_object_mut() {
            campaign.insert("status".to_owned(), "CLOSED".into());
        }
        let (filter, document) = (json!({ "id": id }).to_string(), campaign.to_string());
        self.seeder.call(&ReplaceOne { collection: "campaigns".to_owned(), filter, document }).await?;
        self.services.put_campaign(&format!("/_control/campaigns/{id}"), campaign).await
    }

    /// Runs the tasks of all markets at once, and waits for their verdicts, while fans change their entries and the
    /// host is killed this many times. Then it does so with the later tasks, if there are any, which get half of the kills.
    pub async fn run(
        &self,
        wanted: &BTreeMap<Name<'_>, Wanted<'_>>,
        kills: usize,
        killer: &Killer,
        progress: &Progress,
    ) -> Result<Ran> {
        let memory = Memory::watch(self.process_id).await?;
        let (began, mut changes) = (now_ms(), change::draw(self.contests, wanted, self.seed));
        let mut tasks = self.first_tasks();
        self.start(&tasks).await?;
        let later = self.later_tasks();
        let kills_later = if later.is_empty() { 0 } else { kills / 2 };
        let killed = self.killed(kills - kills_later, self.seed, killer);
        let (mut executions, (), ()) =
            tokio::try_join!(self.wait_for_tasks(&tasks, progress), self.change(&mut changes), killed)?;
        self.wait_for_verdicts(progress).await?;
        let mut first_codes = EntryCodes::new();
        if !later.is_empty() {
            first_codes = entry_codes(self.contests, self.services).await?;
            self.start(&later).await?;
            let killed = self.killed(kills_later, !self.seed, killer);
            let (more, ()) = tokio::try_join!(self.wait_for_tasks(&later, progress), killed)?;
            executions.extend(more);
            self.wait_for_verdicts(progress).await?;
            tasks.extend(later);
        }
        let (last, memory, dead) = (now_ms(), memory.measured(), self.operator.depth(DEAD_VERDICTS).await?);
        let ended_at = executions.iter().filter_map(|execution| execution.ended_ms).max().unwrap_or(began);
        Ok(Ran {
            changes,
            ended: ended(&tasks, &executions),
            first_codes,
            tasks: Duration::from_millis(ended_at.saturating_sub(began)),
            verdicts: Duration::from_millis(last.saturating_sub(ended_at)),
            dead,
            memory,
        })
    }

    /// Kills the host this many times while tasks run.
    async fn killed(&self, kills: usize, seed: u64, killer: &Killer) -> Result<()> {
        kills::meanwhile(kills, kills::INTO_TASKS_MS, seed, killer).await;
        Ok(())
    }

    /// The tasks that are started at once: two of a market that has a later one, else one.
    fn first_tasks(&self) -> Vec<MarketTask<'_>> {
        let tasks = self.contests.iter().flat_map(|contest| {
            let twin = contest.first.map(|_| self.task(contest, "-twin", None));
            [Some(self.task(contest, "", None)), twin]
        });
        tasks.flatten().collect()
    }

    /// The tasks by which more win, after the first ones.
    fn later_tasks(&self) -> Vec<MarketTask<'_>> {
        let raised = self.contests.iter().filter(|contest| contest.first.is_some());
        raised.map(|contest| self.task(contest, "-later", Some(contest.seats))).collect()
    }

    fn task<'a>(&self, contest: &'a Contest<'a>, suffix: &str, count: Option<usize>) -> MarketTask<'a> {
        let name = format!("{}-{}-{}{suffix}", contest.campaign(), contest.market(), self.seed);
        MarketTask { contest, name, count }
    }

    async fn start(&self, tasks: &[MarketTask<'_>]) -> Result<()> {
        for MarketTask { contest, name, count } in tasks {
            let mut input = json!({ "campaignId": contest.campaign(), "marketId": contest.market() });
            if let Some(input) = input.as_object_mut() {
                input.extend(count.map(|count| ("selectionCount".to_owned(), count.into())));
            }
            self.operator.start_task(WORKER, name, &input).await?;
        }
        Ok(())
    }

    /// Changes entries, part by part.
    async fn change(&self, changes: &mut [Change]) -> Result<()> {
        let part = changes.len().div_ceil(WAVES).max(1);
        for changes in changes.chunks_mut(part) {
            change::write(changes, self.resolver).await?;
            tokio::time::sleep(WAVE).await;
        }
        Ok(())
    }

    /// Waits until all these tasks have ended; returns their executions in this order.
    async fn wait_for_tasks(&self, tasks: &[MarketTask<'_>], progress: &Progress) -> Result<Vec<Execution>> {
        let bar = progress.bar("selecting winners", tasks.len());
        let (mut last, mut moved) = (None, Instant::now());
        loop {
            let mut executions = Vec::with_capacity(tasks.len());
            for task in tasks {
                executions.push(self.operator.task(WORKER, &task.name).await?);
            }
            let ended = executions.iter().filter(|execution| execution.ended_ms.is_some()).count();
            bar.set_position(ended as u64);
            if ended == executions.len() {
                bar.finish_and_clear();
                return Ok(executions);
            }
            let seen: Vec<_> = executions.iter().map(|it| (it.state.clone(), it.attempts)).collect();
            if last.as_ref() != Some(&seen) {
                (last, moved) = (Some(seen), Instant::now());
            }
            if moved.elapsed() > STALLED {
                bail!("no task of a selection has moved for {} s: {last:?}", STALLED.as_secs());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until all verdicts are written, that is until their queue is empty.
    async fn wait_for_verdicts(&self, progress: &Progress) -> Result<()> {
        let mut left = self.operator.depth(VERDICTS).await?;
        let bar = progress.bar("waiting for the verdicts", usize::try_from(left).unwrap_or(usize::MAX));
        let mut moved = Instant::now();
        while left > 0 {
            tokio::time::sleep(POLL).await;
            let now = self.operator.depth(VERDICTS).await?;
            if now != left {
                (left, moved) = (now, Instant::now());
            }
            if moved.elapsed() > STALLED {
                bail!("{left} verdicts have not been written for {} s", STALLED.as_secs());
            }
            bar.set_position(bar.length().unwrap_or_default().saturating_sub(left));
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Waits until the Code Service knows the winners' codes as assigned, or for a minute.
    pub async fn wait_for_codes(&self) -> Result<()> {
        let began = Instant::now();
        let mut missing = BTreeSet::new();
        for contest in self.contests.iter().filter(|it| it.selection.shared_code.is_none()) {
            let codes = self.services.entry_codes(contest.campaign(), contest.market()).await?;
            missing.extend(codes.into_iter().map(|(_, code)| code.value));
        }
        while !missing.is_empty() && began.elapsed() < LATE_CODES {
            for campaign in self.world.selected_campaigns() {
                let assigned = self.services.assigned_codes(campaign).await?;
                missing.retain(|code| !assigned.contains(code));
            }
            if !missing.is_empty() {
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }
}

/// By campaign and market, what became of its tasks.
fn ended(tasks: &[MarketTask<'_>], executions: &[Execution]) -> BTreeMap<(String, String), Task> {
    let mut ended = BTreeMap::new();
    for (MarketTask { contest, .. }, execution) in tasks.iter().zip(executions) {
        let name = (contest.campaign().to_owned(), contest.market().to_owned());
        let task = ended.entry(name).or_insert(Task { ended: Ended::Succeeded, failures: 0 });
        if execution.state != "succeeded" {
            task.ended = Ended::Failed;
        }
        task.failures = task.failures.max(execution.failures);
    }
    ended
}

fn id(document: &Value) -> Option<&str> {
    document.get("id")?.as_str()
}

/// Milliseconds since 1970 (UTC), as the host tells when a task has ended.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
