//! The steps of a selection, in the order of use case 2.

use crate::codes;
use crate::failed::Failed;
use crate::fans::{self, Fans};
use crate::input::Selection;
use crate::lock::Lock;
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
        ports.error("Selection failed", data);
    }
    (stats, result)
}

async fn steps(ports: &impl Ports, selection: &Selection, stats: &mut Stats) -> Result<(), Failed> {
    let taken = async {
        let market = market(ports, selection).await?;
        Ok::<_, Failed>((market, Lock::take(ports, selection).await?))
    };
    let (market, mut lock) = match taken.await {
        Ok(taken) => taken,
        Err(failed) => return Err(report_failed(ports, selection, stats, failed).await),
    };
    let result = Task { ports, selection, market: &market, lock: &mut lock }.run(stats).await;
    let result = match result {
        Ok(()) => Ok(()),
        Err(failed) => Err(report_failed(ports, selection, stats, failed).await),
    };
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

/// Reports that the selection has failed, if it is this task's to report. The report may fail, too: the task's own end
/// tells it then.
async fn report_failed(ports: &impl Ports, selection: &Selection, stats: &mut Stats, failed: Failed) -> Failed {
    if !matches!(failed, Failed::Busy(_)) {
        stats.status = StatsStatus::Failed;
        if let Err(error) = ports.report(selection, stats).await {
            ports.warn("Failure not reported", json!({"marketId": selection.market_id, "problem": error.to_string()}));
        }
    }
    failed
}

/// A task that has its market.
struct Task<'a, P> {
    ports: &'a P,
    selection: &'a Selection,
    market: &'a Market,
    lock: &'a mut Lock,
}

impl<P: Ports> Task<'_, P> {
    async fn run(&mut self, stats: &mut Stats) -> Result<(), Failed> {
        let (ports, selection) = (self.ports, self.selection);
        let plans = Plans::read(ports, selection, &self.lock.plans).await?;
        let own = plans.of(&selection.task_id).cloned();
        stats.total = match &own {
            Some(plan) => plan.head.total,
            None => ports.eligible_count(selection).await?,
        };
        ports.report(selection, stats).await?;

        let fans = {
            let _span = ports.span("getScoringRecords");
            fans::read(ports, selection, &plans.fans()).await?
        };
        let is_repeated = own.is_some();
        let (plan, losers) = match own {
            Some(plan) => (plan, fans.ranked),
            None => self.plan(&plans, fans, stats.total).await?,
        };
        let Head { winners, rejected, .. } = plan.head;
        let data = json!({
            "taskId": selection.task_id, "marketId": selection.market_id, "eligible": stats.total,
            "winners": winners, "losers": losers.len(), "rejected": rejected, "repeated": is_repeated,
        });
        ports.info("Selection planned", data);

        {
            let _span = ports.span("queueSelections");
            messages::send(ports, selection, &plan.winners, &losers).await?;
        }
        (stats.status, stats.processed, stats.failed) = (StatsStatus::Finished, Some(winners as u64), Some(rejected));
        ports.report(selection, stats).await?;
        ports.info("Selection queued", json!({"marketId": selection.market_id, "messages": winners + losers.len()}));
        Ok(())
    }

    /// Selects the winners, finds their codes and stores both. Returns the plan and the losers.
    async fn plan(&mut self, plans: &Plans, fans: Fans, total: u64) -> Result<(Plan, Vec<String>), Failed> {
        let (ports, selection, market) = (self.ports, self.selection, self.market);
        let Fans { ranked: mut winners, rejected } = fans;
        let wanted = fans::wanted(selection, market, total, plans.count()).ok_or_else(|| {
            let message =
                format!("market {} has neither capacity nor selectionRatio, and the task no selectionCount", market.id);
            Failed::fatal(422, "NO_COUNT", message)
        })?;
        let losers = winners.split_off(wanted.min(winners.len()));
        let codes = {
            let _span = ports.span("reserveCodes");
            codes::find(ports, selection, self.lock.fence, market, plans, winners.len()).await?
        };
        let _span = ports.span("storePlan");
        let winners: Vec<_> = winners.into_iter().zip(codes).collect();
        let (task_id, fence) = (selection.task_id.clone(), self.lock.fence);
        let pages = plan::store(ports, selection, fence, &winners).await?;
        let head = Head { task_id, fence, pages, winners: winners.len(), rejected, total };
        self.lock.commit(ports, head.clone()).await?;
        Ok((Plan { head, winners }, losers))
    }
}
