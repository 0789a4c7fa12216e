//! What every worker that calls a service does about each status: a status that all of its calls get is an outage, which
//! uses no attempt; among good answers it is one record's own. Here are the workers that queues feed.

mod streams;

use super::change;
use fake_services::{Faults, Service};
use host_adapters::manifest::{App, SourceConfig};
use host_adapters_records::Attribute;
use host_adapters_records::queue::{Message, SendBatch};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tests::{TestHost, entry, wait, without_stream};

pub(super) const CAMPAIGN: &str = "campaign-123";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";
/// Wrong credentials, a wrong path, a wrong method, a broken service; with 200 the page of a proxy.
const STATUSES: [u16; 6] = [500, 401, 403, 404, 405, 200];
/// It speaks of the address alone, so a worker does not find out which record of a request gets it.
const OF_THE_ADDRESS: u16 = 405;
/// A trace that records come in.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// The attempts of a record.
const ATTEMPTS: u64 = 3;

/// A worker that calls a service.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub(super) worker: &'static str,
    pub(super) queue: &'static str,
    pub(super) service: Service,
    pub(super) operation: &'static str,
    route: &'static str,
}

pub(super) const SAVE_ENTRIES: Caller = Caller {
    worker: "save-entries",
    queue: "saveEntriesQueue",
    service: Service::Entry,
    operation: "upsertEntries",
    route: "POST /{campaignId}/entries",
};
pub(super) const RETRY_SCORE: Caller = Caller {
    worker: "retry-score",
    queue: "retryScoreQueue",
    service: Service::Entry,
    operation: "refreshScores",
    route: "POST /{campaignId}/scores/refresh",
};
pub(super) const UPSERT_USERS: Caller = Caller {
    worker: "upsert-users",
    queue: "userInfoQueue",
    service: Service::User,
    operation: "upsertUsers",
    route: "POST /users",
};

const SAVE_SELECTIONS: Caller = Caller {
    worker: "save-selections",
    queue: "saveSelectionQueue",
    service: Service::Entry,
    operation: "assignCodes",
    route: "POST /{campaignId}/entries/codes",
};

pub(super) fn item(fan: &str) -> Value {
    entry(CAMPAIGN, fan, &json!({ "email": "fan@example.com" }), UPDATED)
}

impl Caller {
    /// Makes what the record of a fan is about; returns the record.
    pub(super) async fn record(&self, host: &TestHost, fan: &str) -> String {
        match self.worker {
            "save-entries" => {
                host.put_entry(&item(fan)).await;
                change("INSERT", &item(fan), fan)
            }
            "retry-score" => {
                host.send_past_host(CAMPAIGN, &item(fan)).await;
                json!({ "campaignId": CAMPAIGN, "globalUserId": fan }).to_string()
            }
            "save-selections" => {
                host.put_entry(&item(fan)).await;
                host.send_past_host(CAMPAIGN, &item(fan)).await;
                let mut winner = json!({ "taskId": "task-1", "campaignId": CAMPAIGN, "marketId": "m" });
                winner["globalUserId"] = fan.into();
                winner["verdict"] = true.into();
                winner["code"] = format!("CODE-{fan}").into();
                winner.to_string()
            }
            _ => json!({ "globalUserId": fan }).to_string(),
        }
    }

    pub(super) fn faults(&self, host: &TestHost, faults: Faults) {
        host.faults(self.service, Faults { operations: vec![self.operation.to_owned()], ..faults });
    }

    fn dead_letter_queue(&self) -> String {
        format!("{}Dlq", self.queue)
    }

    async fn answered(&self, host: &TestHost, status: u16) -> u64 {
        let answers = host.answers(self.service).await;
        answers.get(&format!("{} {status}", self.operation)).copied().unwrap_or_default()
    }

    /// Every call gets this status, for longer than a record has attempts. Then the service is as usual.
    pub(super) async fn outage(&self, host: &TestHost, status: u16) {
        let record = self.record(host, &format!("all-{status}")).await;
        let before = self.answered(host, status).await;
        self.faults(host, Faults { refused: 1.0, refusal: status, ..Faults::default() });
        host.queue(self.queue, &[record]).await;
        wait::eventually("more calls than a record has attempts", async || {
            (self.answered(host, status).await > before + ATTEMPTS).then_some(())
        })
        .await;
        let reason = wait::eventually("the pause", async || host.paused(self.worker).await).await;
        let told = told(self.service, self.route, status);
        assert!(reason.contains(&told), "{status}: {reason}");
        host.faults(self.service, Faults::default());
        host.drained(self.queue).await;
        wait::eventually("the end of the pause", async || host.paused(self.worker).await.is_none().then_some(())).await;
    }

    /// The record of a fan gets this status, while others are done, one of them in the same request. Returns its dead
    /// letter.
    pub(super) async fn own(&self, host: &TestHost, status: u16) -> Value {
        let fan = format!("own-{status}");
        let record = self.record(host, &fan).await;
        let beside = self.record(host, &format!("beside-{status}")).await;
        self.faults(host, Faults { poison: vec![fan], refusal: status, ..Faults::default() });
        self.send_all(host, &[&record, &beside], TRACE).await;
        let dead_letter = self.dead_letter_among_others(host, &record, TRACE).await;
        host.faults(self.service, Faults::default());
        host.drained(self.queue).await;
        dead_letter
    }

    /// Sends a record in a trace.
    pub(super) async fn send(&self, host: &TestHost, record: &str, trace: &str) {
        self.send_all(host, &[record], trace).await;
    }

    /// Sends records in a trace, so that they are received together.
    async fn send_all(&self, host: &TestHost, records: &[&str], trace: &str) {
        let attributes = vec![Attribute::text("traceparent", trace)];
        let message = |record: &&str| Message { attributes: attributes.clone(), ..Message::new(*record) };
        let messages = records.iter().map(message).collect();
        let sent = host.platform(&SendBatch { queue: self.queue.to_owned(), messages }).await;
        assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    }

    /// The dead letter of a record, while a good record comes every quarter of a second. A call is in the trace of its
    /// first record, so all have the same.
    pub(super) async fn dead_letter_among_others(&self, host: &TestHost, record: &str, trace: &str) -> Value {
        for n in 0..240 {
            let dead_letters = host.peek(&self.dead_letter_queue()).await;
            if let Some(dead_letter) = dead_letters.iter().find(|dead_letter| dead_letter["body"] == record) {
                return dead_letter.clone();
            }
            let good = self.record(host, &format!("good-{n}")).await;
            self.send(host, &good, trace).await;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("{record} has no dead letter after a minute");
    }

    /// The records that have become dead letters. On a machine that stalls for a second, one is received again while it is
    /// handled, and may become two.
    async fn given_up(&self, host: &TestHost) -> BTreeSet<String> {
        let dead_letters = host.peek(&self.dead_letter_queue()).await;
        dead_letters.iter().map(|it| it["body"].as_str().unwrap().to_owned()).collect()
    }

    /// All statuses, one after the other.
    async fn all(self) {
        let (host, worker) = (TestHost::with(hasty).await, self.worker);
        for status in STATUSES {
            self.outage(&host, status).await;
            assert_eq!(self.given_up(&host).await, BTreeSet::new(), "{worker}, {status}: an outage gives nothing up");
        }
        let own = STATUSES.into_iter().filter(|status| *status != OF_THE_ADDRESS);
        for (count, status) in (1..).zip(own) {
            let dead_letter = self.own(&host, status).await;
            let reason = super::services::attribute(&dead_letter, "reason");
            let service = format!("the {} service", self.service.name());
            assert!(reason.contains(&service) && reason.contains(&format!("status {status}: ")), "{worker}: {reason}");
            assert_eq!(self.given_up(&host).await.len(), count, "{worker}, {status}: it costs no other");
        }
    }
}

/// The reason of a pause during the outage of a route.
fn told(service: Service, route: &str, status: u16) -> String {
    format!("service:{} {route}: every request is answered with {status}", service.name())
}

/// Messages come back after a second and wait for no others, and save-entries gets them from the test alone.
pub(super) fn hasty(app: &mut App) {
    without_stream(app);
    for component in app.components.values_mut() {
        for source in &mut component.sources {
            if let SourceConfig::Sqs(config) = source {
                config.visibility_timeout_secs = 1;
                (config.batch_window_secs, config.batch_size) = (0, config.batch_size.min(10));
            }
        }
    }
}

/// They mostly wait, so they have their hosts at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn point_16_each_status_that_the_workers_of_queues_get() {
    tokio::join!(SAVE_ENTRIES.all(), RETRY_SCORE.all(), UPSERT_USERS.all(), SAVE_SELECTIONS.all());
}
