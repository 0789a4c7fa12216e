//! The steps of a selection, in the order of use case 2.

use crate::codes::{self, Wanted};
use crate::failed::Failed;
use crate::fans::{self, Fans};
use crate::input::Selection;
use crate::lock::{Lock, WAITS};
use crate::messages;
use crate::plan::{self, Head, Plan, Plans};
use crate::ports::Ports;
use serde_json::json;
use worker_kit::services::campaign::Market;
use worker_kit::services::entry::{Stats, StatsStatus};

/// The status of a campaign whose winners are selected: it takes no entries any more.
const CLOSED: &str = "CLOSED";

/// Does a task. Returns the stats as they were reported last, and why it failed if it did.
pub async fn select(ports: &impl Ports, selection: &Selection) -> (Stats, Result<(), Failed>) {
    let mut stats = Stats {
        market_id: selection.market_id.clone(),
        status: StatsStatus::Processing,
        total: 0,
        processed: None,
        failed: None,
    };
    let result = steps(ports, selection, &mut stats).await;
    if let Err(failed) = &result {
        let data = json!({"taskId": selection.task_id, "marketId": selection.market_id, "problem": failed.message()});
        match failed {
            Failed::Final { status: WAITS, .. } => ports.info("Selection waits", data),
            _ => ports.error("Selection failed", data),
        }
    }
    (stats, result)
}

async fn steps(ports: &impl Ports, selection: &Selection, stats: &mut Stats) -> Result<(), Failed> {
    let mut lock = Lock::take(ports, selection).await?;
    let result = Task { ports, selection, lock: &mut lock }.run(stats).await;
    if let Err(failed) = &result
        && (failed.is_final() || !selection.attempts_remain)
    {
        report_failed(ports, selection, &lock, stats).await;
    }
    lock.release(ports).await;
    result
}

/// The market, if its campaign takes no entries any more.
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

/// Reports that the selection has failed: for good, or perhaps, where it is not known whether another attempt follows.
/// While one follows for sure, the selection is under way. If the market is another's by now, its stats are left alone. The
/// report may fail, too: the task's own end tells it then.
async fn report_failed(ports: &impl Ports, selection: &Selection, lock: &Lock, stats: &mut Stats) {
    stats.status = StatsStatus::Failed;
    let report = async {
        lock.check(ports).await?;
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
}

impl<P: Ports> Task<'_, P> {
    async fn run(&mut self, stats: &mut Stats) -> Result<(), Failed> {
        let (ports, selection) = (self.ports, self.selection);
        let own = self.lock.plans.iter().find(|plan| plan.task_id == selection.task_id).map(|plan| plan.total);
        stats.total = own.unwrap_or_default();
        let mut plans = Plans::read(ports, selection, &self.lock.plans).await?;
        self.tell_others(&plans).await?;
        let (plan, losers) = match own {
            // Whatever has become of the campaign since: who has won has won.
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
        self.tell(&plan, &losers).await?;
        // Winners of all tasks of the market; but each task rejects the same records again.
        let processed = self.lock.winners_until(&selection.task_id) as u64;
        (stats.status, stats.processed, stats.failed) = (StatsStatus::Finished, Some(processed), Some(rejected));
        ports.report(selection, stats).await?;
        ports.info("Selection queued", json!({"marketId": selection.market_id, "messages": winners + losers.len()}));
        Ok(())
    }

    /// Tells the winners of plans whose tasks have ended before they had told them all. Whom those tasks have left out
    /// besides is a loser of this one, or of the next.
    async fn tell_others(&mut self, plans: &Plans) -> Result<(), Failed> {
        let (ports, selection) = (self.ports, self.selection);
        let is_left = |head: &Head| !head.queued && head.task_id != selection.task_id;
        let left: Vec<_> = plans.0.iter().filter(|plan| is_left(&plan.head)).collect();
        if left.is_empty() {
            return Ok(());
        }
        for Plan { head, winners } in left {
            let theirs = Selection { task_id: head.task_id.clone(), ..selection.clone() };
            messages::send(ports, &theirs, winners, &[]).await?;
            ports.info("Winners of an earlier task queued", json!({"taskId": head.task_id, "winners": head.winners}));
        }
        self.lock.mark_queued(ports, is_left).await
    }

    /// Reports that the selection is under way, and reads who may win.
    async fn start(&self, total: u64, plans: &Plans, stats: &mut Stats) -> Result<Fans, Failed> {
        stats.total = total;
        self.ports.report(self.selection, stats).await?;
        let _span = self.ports.span("getScoringRecords");
        fans::read(self.ports, self.selection, &plans.fans()).await
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
            codes::find(ports, selection, wanted).await?
        };
        let _span = ports.span("storePlan");
        let winners: Vec<_> = winners.into_iter().zip(codes).collect();
        let (task_id, fence) = (selection.task_id.clone(), self.lock.fence);
        let pages = plan::store(ports, selection, fence, &winners).await?;
        let head = Head { task_id, fence, pages, winners: winners.len(), rejected, total, queued: false };
        self.lock.commit(ports, head.clone()).await?;
        Ok((Plan { head, winners }, losers))
    }

    /// Queues the message of each fan, and notes it.
    async fn tell(&mut self, plan: &Plan, losers: &[String]) -> Result<(), Failed> {
        let _span = self.ports.span("queueSelections");
        messages::send(self.ports, self.selection, &plan.winners, losers).await?;
        self.lock.mark_queued(self.ports, |head| head.task_id == plan.head.task_id).await
    }
}
