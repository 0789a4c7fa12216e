//! Saves a batch: assigns the winners' codes by campaign, writes all verdicts, and queues reports of the winners.

use crate::plan::{Campaign, Job, Settled, plan};
use crate::ports::{Ports, Report};
use crate::selection::{Prize, Selection};
use crate::verdict::{self, MAX_ROUNDS, Next, Written};
use futures::{Stream, StreamExt, stream};
use serde_json::json;
use std::collections::BTreeMap;
use std::pin::pin;
use worker_kit::platform::Error;
use worker_kit::platform::table::Update;
use worker_kit::services::entry::Assignment;
use worker_kit::services::{MAX_PER_REQUEST, isolate};
use worker_kit::{Disposition, calls};

/// Most campaigns at a time. The Entry Service's limit is per campaign, so one that must wait does not delay the
/// others.
const CAMPAIGNS: usize = 8;
/// Most requests at a time for one campaign.
const REQUESTS_PER_CAMPAIGN: usize = 4;
/// Most losers of one update.
const LOSERS_PER_UPDATE: usize = 500;

/// The outcome of a part of a batch.
#[derive(Default)]
struct Saved {
    /// Records that are settled.
    settled: Settled,
    /// Winners whose codes are in the Entry Service and in the table. Their records are settled when they are reported.
    winners: Vec<Job>,
}

/// Saves the selections; returns the disposition of each record.
pub async fn save(ports: &impl Ports, selections: Vec<(usize, Selection)>) -> Settled {
    let campaigns = plan(selections).into_iter().map(|(campaign_id, plan)| campaign(ports, campaign_id, plan));
    let Saved { mut settled, winners } = together(stream::iter(campaigns).buffer_unordered(CAMPAIGNS)).await;
    settled.extend(report(ports, winners).await);
    settled
}

async fn campaign(ports: &impl Ports, campaign_id: String, Campaign { passes, losers }: Campaign) -> Saved {
    let mut saved = Saved::default();
    for pass in passes {
        let requests = pass.chunks(MAX_PER_REQUEST).map(|jobs| winners(ports, &campaign_id, jobs.to_vec()));
        saved.add(together(stream::iter(requests).buffer_unordered(REQUESTS_PER_CAMPAIGN)).await);
    }
    for jobs in losers.chunks(LOSERS_PER_UPDATE) {
        saved.add(write(ports, jobs.to_vec()).await);
    }
    saved
}

/// Assigns the codes of one request, and writes them at once, so that a crash leaves at most this request unfinished.
async fn winners(ports: &impl Ports, campaign_id: &str, jobs: Vec<Job>) -> Saved {
    let mut saved = Saved::default();
    let present = leave_out_gone(ports, jobs, &mut saved.settled).await;
    let (settled, assigned) = assign(ports, campaign_id, present).await;
    saved.settled.extend(settled);
    saved.add(write(ports, assigned).await);
    saved
}

/// Leaves out winners who have no entry any more. The Entry Service may not know yet that they have left, and would assign
/// their codes, which a later task of the market may have planned for other fans.
async fn leave_out_gone(ports: &impl Ports, jobs: Vec<Job>, settled: &mut Settled) -> Vec<Job> {
    let mut present = vec![];
    for (job, item) in read(ports, jobs).await {
        match item {
            Ok(Some(_)) => present.push(job),
            Ok(None) => settled.extend(job.settle(&verdict::gone())),
            Err(disposition) => settled.extend(job.settle(&disposition)),
        }
    }
    present
}

/// Repeats the request without the fans for whom it was refused, at most [`MAX_ROUNDS`] times. Returns what is settled,
/// and the jobs whose codes the Entry Service has.
async fn assign(ports: &impl Ports, campaign_id: &str, mut jobs: Vec<Job>) -> (Settled, Vec<Job>) {
    let send = async |jobs: &[Job]| ports.assign(campaign_id, &assignments(jobs)).await;
    let (mut settled, mut assigned, mut refused) = (vec![], vec![], vec![]);
    for _ in 0..MAX_ROUNDS {
        if jobs.is_empty() {
            break;
        }
        for (sent, answer) in isolate(std::mem::take(&mut jobs), 1, &send).await {
            if let Err(error) = &answer {
                let data = json!({"campaignId": campaign_id, "winners": sent.len()});
                ports.failed("Codes not assigned", error, data);
            }
            for job in sent {
                let next = match &answer {
                    Ok(answer) => verdict::after_assign(answer, &job.global_user_id),
                    Err(error) if error.is_refusal() => Next::Look(error.disposition()),
                    Err(error) => Next::Settle(error.disposition()),
                };
                match next {
                    Next::Write => assigned.push(job),
                    Next::Again => jobs.push(job),
                    Next::Look(disposition) => refused.push((job, disposition)),
                    Next::Settle(disposition) => settled.extend(job.settle(&disposition)),
                }
            }
        }
    }
    let left = Disposition::retry("the entry service kept assigning nothing because of other winners");
    settled.extend(jobs.into_iter().flat_map(|job| job.settle(&left)));
    look(ports, refused, &mut settled, &mut assigned).await;
    (settled, assigned)
}

/// Reads the items of winners whom the service refuses; each comes with the disposition for the case that the item does
/// not explain it.
async fn look(ports: &impl Ports, refused: Vec<(Job, Disposition)>, settled: &mut Settled, assigned: &mut Vec<Job>) {
    let (jobs, dispositions): (Vec<_>, Vec<_>) = refused.into_iter().unzip();
    for ((job, item), refused) in read(ports, jobs).await.into_iter().zip(dispositions) {
        match item.and_then(|item| verdict::after_refusal(&job, item.as_deref(), refused)) {
            Ok(()) => assigned.push(job),
            Err(disposition) => settled.extend(job.settle(&disposition)),
        }
    }
}

fn assignments(jobs: &[Job]) -> Vec<Assignment> {
    let assignment = |job: &Job| {
        let Prize { market_id, code } = job.won.clone()?;
        Some(Assignment { global_user_id: job.global_user_id.clone(), market_id, code })
    };
    jobs.iter().filter_map(assignment).collect()
}

/// Writes verdicts to the fans' items. Updates fail one by one: the others are done.
async fn write(ports: &impl Ports, jobs: Vec<Job>) -> Saved {
    let mut saved = Saved::default();
    let jobs = jobs.into_iter().map(|job| (verdict::update(&job), job)).collect();
    let unmet = update(ports, jobs, &mut saved).await;
    let mut blank = vec![];
    for (job, item) in read(ports, unmet).await {
        match item
            .map(|item| (verdict::update_of_blank(&job, item.as_deref()), verdict::why_not(&job, item.as_deref())))
        {
            Ok((Some(update), _)) => blank.push((update, job)),
            Ok((None, disposition)) | Err(disposition) => saved.settled.extend(job.settle(&disposition)),
        }
    }
    let unmet = update(ports, blank, &mut saved).await;
    saved.settled.extend(explain(ports, unmet).await);
    saved
}

/// Makes updates, and adds their outcomes to `saved`. Returns the jobs whose items do not meet the condition.
async fn update(ports: &impl Ports, jobs: Vec<(Update, Job)>, saved: &mut Saved) -> Vec<Job> {
    if jobs.is_empty() {
        return vec![];
    }
    let (updates, jobs): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
    let results = ports.update(updates).await;
    let mut unmet = vec![];
    for (index, job) in jobs.into_iter().enumerate() {
        let written = match results.as_ref().map(|results| results.get(index)) {
            Ok(Some(error)) => verdict::after_update(error.as_ref()),
            Ok(None) => {
                let problem = "table demand-table: the response does not mention the update";
                Written::Failed(Disposition::retry(problem))
            }
            Err(error) => Written::Failed(error.disposition()),
        };
        match written {
            Written::Done if job.won.is_some() => saved.winners.push(job),
            Written::Done => saved.settled.extend(job.settle(&Disposition::Ack)),
            Written::Unmet => unmet.push(job),
            Written::Failed(disposition) => saved.settled.extend(job.settle(&disposition)),
        }
    }
    unmet
}

/// The dispositions of jobs whose items do not meet the condition, by the items as they are now.
async fn explain(ports: &impl Ports, jobs: Vec<Job>) -> Settled {
    let settle = |(job, item): (Job, Result<Option<String>, Disposition>)| {
        let disposition = item.map(|item| verdict::why_not(&job, item.as_deref())).unwrap_or_else(|failed| failed);
        job.settle(&disposition)
    };
    read(ports, jobs).await.into_iter().flat_map(settle).collect()
}

/// The items of jobs as they are now; of one that could not be read, the disposition of its records.
async fn read(ports: &impl Ports, jobs: Vec<Job>) -> Vec<(Job, Result<Option<String>, Disposition>)> {
    let keys: Vec<_> = jobs.iter().map(Job::key).collect();
    // A fan whose id the table refuses as a key does not affect others.
    let items = calls::each(&keys, async |keys| ports.read(keys).await).await;
    let failed: Vec<_> = items.iter().filter_map(|item| item.as_ref().err()).collect();
    if let Some(error) = failed.first() {
        ports.warn("Items not read", json!({"items": failed.len(), "problem": error.message}));
    }
    let with_item = |(job, item): (Job, Result<_, Error>)| (job, item.map_err(|error| error.disposition()));
    jobs.into_iter().zip(items).map(with_item).collect()
}

/// Queues one report a campaign and market. Winners whose report is not queued are delivered again, all of the market:
/// they are in the Entry Service and the table already, so repeating them has no effect, and the report is repeated
/// with the same number. It is a lower bound of the number of selected fans, never an increment, so repeated reports,
/// and winners in two reports, are not counted twice. Without the report the market's last winners might never be
/// reported.
async fn report(ports: &impl Ports, winners: Vec<Job>) -> Settled {
    let mut markets: BTreeMap<(String, String), Vec<Job>> = BTreeMap::new();
    for job in winners {
        let market_id = job.won.iter().map(|prize| prize.market_id.clone()).collect();
        markets.entry((job.campaign_id.clone(), market_id)).or_default().push(job);
    }
    if markets.is_empty() {
        return vec![];
    }
    let report = |((campaign_id, market_id), jobs): (&(String, String), &Vec<Job>)| Report {
        campaign_id: campaign_id.clone(),
        market_id: market_id.clone(),
        selected: jobs.len(),
    };
    let sent = ports.report(&markets.iter().map(report).collect::<Vec<_>>()).await;
    let mut settled = vec![];
    for (index, ((campaign_id, market_id), jobs)) in markets.into_iter().enumerate() {
        let disposition = match sent.as_ref().map(|sent| sent.get(index)) {
            Ok(Some(Ok(_))) => Disposition::Ack,
            Ok(Some(Err(error))) | Err(error) => error.disposition(),
            Ok(None) => Disposition::retry("verdictReporterQueue: the response does not mention the message"),
        };
        if disposition != Disposition::Ack {
            let data = json!({"campaignId": campaign_id, "marketId": market_id, "winners": jobs.len()});
            ports.warn("Winners not reported", data);
        }
        settled.extend(jobs.into_iter().flat_map(|job| job.settle(&disposition)));
    }
    settled
}

impl Saved {
    fn add(&mut self, other: Self) {
        self.settled.extend(other.settled);
        self.winners.extend(other.winners);
    }
}

/// The outcome of all parts.
async fn together(parts: impl Stream<Item = Saved>) -> Saved {
    let (mut all, mut parts) = (Saved::default(), pin!(parts));
    while let Some(part) = parts.next().await {
        all.add(part);
    }
    all
}
