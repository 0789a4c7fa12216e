//! Replicates a batch: reads, checks, sends by campaign, unflags, and repeats that for what changed meanwhile.

use crate::convergence::{self, MAX_ROUNDS, Next, Why};
use crate::plan::{Action, Input, Job, Look, Settled, UNREAD, plan};
use crate::ports::{Ports, Score};
use crate::record::Item;
use futures::{StreamExt, stream};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use worker_kit::Disposition;
use worker_kit::platform::ErrorKind;
use worker_kit::platform::table::Key;
use worker_kit::services::entry::Deletion;
use worker_kit::services::{MAX_PER_REQUEST, ServiceError, isolate};

/// Most keys of one read.
const KEYS_PER_READ: usize = 500;
/// Most reads at a time.
const READS: usize = 4;
/// Most campaigns at a time. The Entry Service's limit is per campaign, so one that must wait does not delay the
/// others.
const CAMPAIGNS: usize = 8;
/// Most requests at a time for one campaign.
const REQUESTS_PER_CAMPAIGN: usize = 4;

/// Replicates the records; returns the disposition of each.
pub async fn replicate(ports: &impl Ports, inputs: Vec<Input>) -> Settled {
    let keys: BTreeSet<_> = inputs.iter().map(|input| input.record.image.key.clone()).collect();
    let looks = look(ports, keys.into_iter().collect()).await;
    let plan = plan(inputs, &looks);
    let campaigns = plan.campaigns.iter().map(|(campaign_id, jobs)| campaign(ports, campaign_id, jobs));
    let sent: Vec<_> = stream::iter(campaigns).buffer_unordered(CAMPAIGNS).collect().await;
    plan.settled.into_iter().chain(sent.into_iter().flatten()).collect()
}

/// The present items. If a read fails, the records of its items are delivered again.
async fn look(ports: &impl Ports, keys: Vec<Key>) -> HashMap<Key, Look> {
    let reads = keys.chunks(KEYS_PER_READ).map(|keys| look_at(ports, keys));
    let looks: Vec<_> = stream::iter(reads).buffer_unordered(READS).collect().await;
    looks.into_iter().flatten().collect()
}

/// The items of one read. A read that can never succeed is halved, until the key that the table refuses is alone.
async fn look_at(ports: &impl Ports, keys: &[Key]) -> Vec<(Key, Look)> {
    let (mut looks, mut waiting) = (Vec::with_capacity(keys.len()), vec![keys]);
    while let Some(keys) = waiting.pop() {
        let items = ports.read(keys.to_vec()).await;
        if let Err(error) = &items {
            if error.kind == ErrorKind::Invalid && keys.len() > 1 {
                waiting.extend(<[_; 2]>::from(keys.split_at(keys.len() / 2)));
                continue;
            }
            ports.warn("Items not read", json!({"items": keys.len(), "problem": error.message}));
        }
        let look = |index: usize| match &items {
            Ok(items) => {
                items.get(index).map_or_else(|| Err(Disposition::retry(UNREAD)), |item| parse(item.as_deref()))
            }
            Err(error) => Err(error.disposition()),
        };
        looks.extend(keys.iter().cloned().enumerate().map(|(index, key)| (key, look(index))));
    }
    looks
}

fn parse(item: Option<&str>) -> Look {
    item.map(|item| Item::from_table(item).map(Rc::new)).transpose().map_err(Disposition::Reject)
}

async fn campaign(ports: &impl Ports, campaign_id: &str, jobs: &[Job]) -> Settled {
    let chunks = jobs.chunks(MAX_PER_REQUEST).map(|jobs| converge(ports, campaign_id, jobs.to_vec()));
    let settled: Vec<_> = stream::iter(chunks).buffer_unordered(REQUESTS_PER_CAMPAIGN).collect().await;
    settled.into_iter().flatten().collect()
}

/// Repeats rounds until flag and service agree for every job, at most [`MAX_ROUNDS`] times.
async fn converge(ports: &impl Ports, campaign_id: &str, mut jobs: Vec<Job>) -> Settled {
    let mut settled = Settled::new();
    for _ in 0..MAX_ROUNDS {
        if jobs.is_empty() {
            return settled;
        }
        let mut round = Round { ports, campaign_id, settled: vec![], stored: vec![], changed: vec![] };
        jobs = round.run(jobs).await;
        settled.append(&mut round.settled);
    }
    ports.warn("Items keep changing", json!({"campaignId": campaign_id, "items": jobs.len()}));
    settled.extend(
        jobs.into_iter().flat_map(|job| settle(job, &Disposition::retry("the item kept changing while it was sent"))),
    );
    settled
}

fn settle(job: Job, disposition: &Disposition) -> Settled {
    job.records.into_iter().map(|record| (record, disposition.clone())).collect()
}

/// One round: send, unflag, read again.
struct Round<'a, P> {
    ports: &'a P,
    campaign_id: &'a str,
    settled: Settled,
    /// Jobs that the service has stored; their flags are to be cleared.
    stored: Vec<Job>,
    /// Jobs to be read again.
    changed: Vec<(Job, Why)>,
}

impl<P: Ports> Round<'_, P> {
    /// Runs the round; returns the jobs of the next round.
    async fn run(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let (puts, deletions) = jobs.into_iter().partition::<Vec<_>, _>(|job| job.action == Action::Put);
        self.put(puts).await;
        self.delete(deletions).await;
        self.unflag().await;
        self.reread().await
    }

    async fn put(&mut self, jobs: Vec<Job>) {
        let (ports, campaign_id) = (self.ports, self.campaign_id);
        let send = async |jobs: &[Job]| {
            let entries: Vec<_> = jobs.iter().map(|job| convergence::for_service(&job.item)).collect();
            ports.upsert(campaign_id, &entries).await
        };
        for (jobs, answer) in isolate(jobs, 1, send).await {
            let Some((jobs, answer)) = self.answered(jobs, answer) else { continue };
            let unscored = self.queue_scores(&answer.results, &jobs).await;
            for job in jobs {
                let lost = unscored.get(&job.item.key).cloned();
                let told = || convergence::after_upsert(&answer, &job.item.entry.global_user_id);
                let next = lost.map_or_else(told, Next::Settle);
                self.follow(job, next);
            }
        }
    }

    async fn delete(&mut self, jobs: Vec<Job>) {
        let (ports, campaign_id) = (self.ports, self.campaign_id);
        let deletion = |job: &Job| Deletion {
            global_user_id: job.item.entry.global_user_id.clone(),
            version: job.item.version.clone(),
        };
        let send = async |jobs: &[Job]| {
            let entries: Vec<_> = jobs.iter().map(deletion).collect();
            ports.delete(campaign_id, &entries).await
        };
        for (jobs, answer) in isolate(jobs, 1, send).await {
            let Some((jobs, answer)) = self.answered(jobs, answer) else { continue };
            for job in jobs {
                let next = convergence::after_delete(&answer, &job.item.entry.global_user_id);
                self.follow(job, next);
            }
        }
    }

    /// The jobs of a request and its results; `None` if it failed, which settles the jobs.
    fn answered<R>(&mut self, jobs: Vec<Job>, answer: Result<R, ServiceError>) -> Option<(Vec<Job>, R)> {
        let error = match answer {
            Ok(results) => return Some((jobs, results)),
            Err(error) => error,
        };
        let data = json!({"campaignId": self.campaign_id, "entries": jobs.len()});
        self.ports.failed("Entries not replicated", &error, data);
        for job in jobs {
            self.follow(job, Next::Settle(error.disposition()));
        }
        None
    }

    /// Queues failed scores to be computed again. A job whose message is not accepted keeps its flag and is delivered
    /// again.
    async fn queue_scores(
        &self,
        results: &[worker_kit::services::entry::Upserted],
        jobs: &[Job],
    ) -> HashMap<Key, Disposition> {
        let failed = |job: &&Job| {
            let fan = &job.item.entry.global_user_id;
            results.iter().any(|result| result.score_failed() && result.global_user_id == *fan)
        };
        let jobs: Vec<_> = jobs.iter().filter(failed).collect();
        if jobs.is_empty() {
            return HashMap::new();
        }
        let score = |job: &&Job| Score {
            campaign_id: self.campaign_id.to_owned(),
            global_user_id: job.item.entry.global_user_id.clone(),
        };
        let sent = self.ports.queue_scores(&jobs.iter().map(score).collect::<Vec<_>>()).await;
        let lost = jobs.iter().enumerate().filter_map(|(index, job)| {
            let disposition = match sent.as_ref().map(|sent| sent.get(index)) {
                Ok(Some(Ok(_))) => return None,
                Ok(Some(Err(error))) | Err(error) => error.disposition(),
                Ok(None) => Disposition::retry("retryScoreQueue: the response does not mention the message"),
            };
            Some((job.item.key.clone(), disposition))
        });
        lost.collect()
    }

    async fn unflag(&mut self) {
        let jobs = std::mem::take(&mut self.stored);
        if jobs.is_empty() {
            return;
        }
        let now = self.ports.now();
        let updates = jobs.iter().map(|job| convergence::unflag(&job.item, &now)).collect();
        let results = self.ports.update(updates).await;
        for (index, job) in jobs.into_iter().enumerate() {
            let next = match results.as_ref().map(|results| results.get(index)) {
                Ok(Some(error)) => convergence::after_unflag(error.as_ref()),
                Ok(None) => {
                    Next::Settle(Disposition::retry("table demand-table: the response does not mention the update"))
                }
                Err(error) => Next::Settle(error.disposition()),
            };
            self.follow(job, next);
        }
    }

    async fn reread(&mut self) -> Vec<Job> {
        let changed = std::mem::take(&mut self.changed);
        if changed.is_empty() {
            return vec![];
        }
        let looks = look(self.ports, changed.iter().map(|(job, _)| job.item.key.clone()).collect()).await;
        let mut jobs = Vec::new();
        for (job, why) in changed {
            let look = looks.get(&job.item.key).cloned().unwrap_or_else(|| Err(Disposition::retry(UNREAD)));
            let next = look.map(|item| convergence::after_reread(&job.item, why, item));
            jobs.extend(self.follow(job, next.unwrap_or_else(Next::Settle)));
        }
        jobs
    }

    /// Takes the next step of a job; returns the job if that step belongs to the next round.
    fn follow(&mut self, job: Job, next: Next) -> Option<Job> {
        match next {
            Next::Settle(disposition) => self.settled.extend(settle(job, &disposition)),
            Next::Unflag => self.stored.push(job),
            Next::Reread(why) => self.changed.push((job, why)),
            Next::Put(item) => return Some(Job { item, action: Action::Put, ..job }),
            Next::Delete => return Some(Job { action: Action::Delete, ..job }),
        }
        None
    }
}
