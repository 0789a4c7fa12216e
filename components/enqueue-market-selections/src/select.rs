//! The steps of a selection, in the order of use case 2.

use crate::codes::{self, Wanted};
use crate::failed::Failed;
use crate::fans::{self, Fans};
use crate::input::Selection;
use crate::lock::{self, Lock};
use crate::messages;
use crate::plan::{self, Head, Plan, Plans};
use crate::ports::Ports;
use serde_json::json;
use std::collections::HashMap;
use worker_kit::services::campaign::Market;
use worker_kit::services::entry::{Stats, StatsStatus};

/// The status of a campaign whose winners are selected: it no longer accepts entries.
const CLOSED: &str = "CLOSED";

/// Does a task. Returns the stats as they were reported last, and why it failed if it did.
pub async fn select(ports: &impl Ports, selection: &Selection) -> (Stats, Result<(), Failed>) {
    let mut stats = stats(selection);
    let result = steps(ports, selection, &mut stats).await;
    if let Err(failed) = &result {
        let data = json!({"taskId": selection.task_id, "marketId": selection.market_id, "problem": failed.message()});
        match failed {
            failed if failed.is_waiting() => ports.info("Selection waits", data),
            _ => ports.error("Selection failed", data),
        }
    }
    (stats, result)
}

/// Reports a failed task whose input names its market but is malformed otherwise, unless another task has taken the
/// market or has selected its winners. Returns the stats.
pub async fn refuse(ports: &impl Ports, selection: &Selection) -> Stats {
    let mut stats = stats(selection);
    report_failed(ports, selection, &mut stats, lock::check_unselected(ports, selection)).await;
    stats
}

/// The stats of a selection before anything is known.
fn stats(selection: &Selection) -> Stats {
    let (market_id, status) = (selection.market_id.clone(), StatsStatus::Processing);
    Stats { market_id, status, total: 0, processed: None, failed: None }
}

async fn steps(ports: &impl Ports, selection: &Selection, stats: &mut Stats) -> Result<(), Failed> {
    let mut lock = match Lock::take(ports, selection).await {
        Ok(lock) => lock,
        Err(failed) => {
            // No task can take such a market, so the stats belong to no other task.
            if failed.is_final() && !failed.is_waiting() {
                report_failed(ports, selection, stats, async { Ok(()) }).await;
            }
            return Err(failed);
        }
    };
    let mut task = Task { ports, selection, lock: &mut lock, lost: 0 };
    let result = task.run(stats).await;
    let lost = task.lost;
    // A report must not omit winners who stand.
    let current = if result.is_err() { lock.update_plans(ports).await } else { Ok(()) };
    let has_plan = lock.has_plan(&selection.task_id);
    let result = result.map_err(|failed| if has_plan { failed.after_plan() } else { failed });
    if let Err(failed) = &result
        && (failed.is_final() || !selection.attempts_remain)
        && !lock.is_outdated(&selection.task_id)
    {
        // The winners of stored plans count, whatever has failed.
        if let Some(last) = lock.plans.last() {
            (stats.processed, stats.failed) = (Some(lock.winners() as u64), Some(last.rejected + lock.lost() + lost));
        }
        let check = async {
            current?;
            lock.hold(ports).await
        };
        report_failed(ports, selection, stats, check).await;
    }
    lock.release(ports).await;
    result
}

/// The market, if its campaign no longer accepts entries.
async fn market(ports: &impl Ports, selection: &Selection) -> Result<Market, Failed> {
    let _span = ports.span("getMarket");
    let Selection { campaign_id, market_id, .. } = selection;
    let Some(campaign) = ports.campaign(selection).await? else {
        return Err(Failed::fatal(404, "CAMPAIGN_NOT_FOUND", format!("there is no campaign {campaign_id}")));
    };
    if campaign.status != CLOSED {
        let message = format!("campaign {campaign_id} is {}: close it before selecting its winners", campaign.status);
        return Err(Failed::fatal(409, "CAMPAIGN_NOT_CLOSED", message));
    }
    let message = || format!("campaign {campaign_id} has no market {market_id}");
    ports.market(selection).await?.ok_or_else(|| Failed::fatal(404, "MARKET_NOT_FOUND", message()))
}

/// Reports that the selection has failed, permanently or if it is unknown whether another attempt follows. If one
/// certainly follows, the selection is still in progress. If another task has the market by now, according to `check`,
/// its stats are not changed. The report may fail, too; then only the task's own end shows the failure.
async fn report_failed(
    ports: &impl Ports,
    selection: &Selection,
    stats: &mut Stats,
    check: impl Future<Output = Result<(), Failed>>,
) {
    stats.status = StatsStatus::Failed;
    let report = async {
        check.await?;
        ports.report(selection, stats).await.map_err(Failed::from)
    };
    if let Err(failed) = report.await {
        ports.warn("Failure not reported", json!({"marketId": selection.market_id, "problem": failed.message()}));
    }
}

/// A task that has its market.
struct Task<'a, P> {
    ports: &'a P,
    selection: &'a Selection,
    lock: &'a mut Lock,
    /// The number of losers with invalid messages. The lock has that of the winners.
    lost: u64,
}

impl<P: Ports> Task<'_, P> {
    async fn run(&mut self, stats: &mut Stats) -> Result<(), Failed> {
        let (ports, selection) = (self.ports, self.selection);
        // What was last known of the market, though a later task has found it.
        let last = self.lock.plans.last().map(|plan| plan.total);
        let own = last.filter(|_| self.lock.has_plan(&selection.task_id));
        stats.total = last.unwrap_or_default();
        let mut plans = Plans::read(ports, selection, &self.lock.plans, &async || self.lock.go_on(ports).await).await?;
        self.tell_others(&plans).await?;
        let (plan, losers) = match own {
            // The campaign's status no longer matters: the winners are selected.
            Some(total) => {
                let losers = self.start(total, &plans, stats).await?.ranked;
                (plans.take(&selection.task_id)?, losers)
            }
            None => {
                let market = market(ports, selection).await?;
                let total = ports.eligible_count(selection).await?;
                let fans = self.start(total, &plans, stats).await?;
                self.plan(&market, &plans, fans, total).await?
            }
        };
        let Head { winners, rejected, .. } = plan.head;
        let data = json!({
            "taskId": selection.task_id, "marketId": selection.market_id, "eligible": stats.total,
            "winners": winners, "losers": losers.len(), "rejected": rejected, "repeated": own.is_some(),
        });
        ports.info("Selection planned", data);
        let lost = self.tell(&plan, &losers).await?;
        // Winners of all tasks of the market, whichever reports last; but each task rejects the same records again, and
        // tells the same losers.
        let processed = self.lock.winners() as u64;
        let rejected = self.lock.plans.last().map_or(rejected, |last| last.rejected);
        stats.status = StatsStatus::Finished;
        (stats.processed, stats.failed) = (Some(processed), Some(rejected + self.lock.lost() + self.lost));
        ports.report(selection, stats).await?;
        let messages = ((winners + losers.len()) as u64).saturating_sub(lost);
        ports.info("Selection queued", json!({"marketId": selection.market_id, "messages": messages, "lost": lost}));
        Ok(())
    }

    /// Queues the messages of plans whose tasks ended before all of them were queued. The losers of those tasks are
    /// losers of this one, or of the next.
    async fn tell_others(&mut self, plans: &Plans) -> Result<(), Failed> {
        let (ports, selection) = (self.ports, self.selection);
        let is_left = |head: &Head| !head.queued && head.task_id != selection.task_id;
        let left: Vec<_> = plans.0.iter().filter(|plan| is_left(&plan.head)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let mut untold = HashMap::new();
        for Plan { head, winners } in left {
            let theirs = Selection { task_id: head.task_id.clone(), ..selection.clone() };
            let lost =
                messages::send(ports, &theirs, winners, &[], async || self.lock.go_on(ports).await).await?.winners;
            untold.insert(head.task_id.as_str(), lost);
            let queued = (head.winners as u64).saturating_sub(lost);
            let data = json!({"taskId": head.task_id, "winners": queued, "lost": lost});
            ports.info("Winners of an earlier task queued", data);
        }
        self.lock.mark_queued(ports, |head| untold.get(head.task_id.as_str()).copied()).await
    }

    /// Reports that the selection is in progress, unless the messages of a later one are queued already, and reads the
    /// eligible fans.
    async fn start(&self, total: u64, plans: &Plans, stats: &mut Stats) -> Result<Fans, Failed> {
        let Self { ports, selection, lock, .. } = self;
        stats.total = total;
        lock.hold(*ports).await?;
        if !lock.is_outdated(&selection.task_id) {
            ports.report(selection, stats).await?;
        }
        let _span = ports.span("getScoringRecords");
        fans::read(*ports, selection, &plans.fans(), async || lock.go_on(*ports).await).await
    }

    /// Selects the winners, finds their codes and stores both. Returns the plan and the losers.
    async fn plan(
        &mut self,
        market: &Market,
        plans: &Plans,
        fans: Fans,
        total: u64,
    ) -> Result<(Plan, Vec<String>), Failed> {
        let (ports, selection) = (self.ports, self.selection);
        let Fans { ranked: mut winners, open, rejected } = fans;
        let wanted = fans::wanted(selection, market, total, plans.count()).ok_or_else(|| {
            let message =
                format!("market {} has neither capacity nor selectionRatio, and the task no selectionCount", market.id);
            Failed::fatal(422, "NO_COUNT", message)
        })?;
        let losers = winners.split_off(wanted.min(winners.len()));
        let codes = {
            let _span = ports.span("reserveCodes");
            let wanted = Wanted { fence: self.lock.fence, market, plans, open: &open, winners: winners.len() };
            codes::find(ports, selection, wanted, &async || self.lock.go_on(ports).await).await?
        };
        self.lock.go_on(ports).await?;
        let _span = ports.span("storePlan");
        let winners: Vec<_> = winners.into_iter().zip(codes).collect();
        let (task_id, fence) = (selection.task_id.clone(), self.lock.fence);
        let pages = plan::store(ports, selection, fence, &winners, &async || self.lock.go_on(ports).await).await?;
        let head = Head { task_id, fence, pages, winners: winners.len(), rejected, total, queued: false, lost: 0 };
        self.lock.commit(ports, head.clone()).await?;
        Ok((Plan { head, winners }, losers))
    }

    /// Queues the message of each fan, and records that. Returns the number of fans with invalid messages.
    async fn tell(&mut self, plan: &Plan, losers: &[String]) -> Result<u64, Failed> {
        let _span = self.ports.span("queueSelections");
        let go_on = async || self.lock.go_on(self.ports).await;
        let lost = messages::send(self.ports, self.selection, &plan.winners, losers, go_on).await?;
        self.lost = lost.losers;
        let is_own = |head: &Head| (head.task_id == plan.head.task_id).then_some(lost.winners);
        self.lock.mark_queued(self.ports, is_own).await?;
        Ok(lost.winners + lost.losers)
    }
}
