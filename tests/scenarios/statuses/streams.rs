//! The same of the workers that streams feed, which cannot give a record back (docs/delivery.md, 7.8).

use super::super::scores;
use super::super::services::attribute;
use super::{ATTEMPTS, CAMPAIGN, OF_THE_ADDRESS, STATUSES, item, told};
use fake_services::{CodeState, Faults, Service};
use host_adapters::manifest::{App, SourceConfig};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;
use tests::{TestHost, wait};

/// Records of an outage: of one that comes alone it is not known whose fault a refusal is.
const TOGETHER: usize = 3;
/// Requests about so many records, of which each is refused: all, then halves, until each has stood alone.
const HALVED: u64 = 5;
/// The market of the codes.
const MARKET: &str = "m";
/// More records than a test makes.
const CODES: usize = 900;

/// A worker that calls a service, and its source's dead letters.
#[derive(Clone, Copy)]
struct Streamed {
    worker: &'static str,
    dead_letters: &'static str,
    service: Service,
    operation: &'static str,
    route: &'static str,
}

const SAVE_ENTRY_SCORES: Streamed = Streamed {
    worker: "save-entry-scores",
    dead_letters: "saveEntryScoresDlq",
    service: Service::Entry,
    operation: "upsertScores",
    route: "POST /{campaignId}/scores",
};
const MARK_ASSIGNED_CODES: Streamed = Streamed {
    worker: "mark-assigned-codes",
    dead_letters: "markAssignedCodesDlq",
    service: Service::Code,
    operation: "markAssigned",
    route: "POST /{campaignId}/assign",
};

/// A host, and the records that it has been given. Each has a number, and by that its id: the fan's of a score, or the code.
/// All have the same key, so that they go the same way.
struct Run {
    caller: Streamed,
    host: TestHost,
    made: Cell<usize>,
    /// The ids that the service has refused for good.
    given_up: BTreeSet<String>,
}

/// As `TestHost::reserve_codes` names them.
fn id(number: usize) -> String {
    format!("{MARKET}-{number:03}")
}

impl Run {
    async fn of(caller: Streamed) -> Self {
        let host = TestHost::with(|app| without_other_streams(app, caller.worker)).await;
        host.reserve_codes(CAMPAIGN, MARKET, CODES).await;
        Self { caller, host, made: Cell::new(0), given_up: BTreeSet::new() }
    }

    /// Makes so many records.
    async fn make(&self, count: usize) {
        let numbers = self.made.get()..self.made.get() + count;
        self.made.set(numbers.end);
        assert!(numbers.end <= CODES);
        if self.caller.service == Service::Code {
            for number in numbers {
                let mut item = item("fan");
                (item["accessCode"], item["marketId"]) = (id(number).into(), MARKET.into());
                self.host.put_entry(&item).await;
            }
            return;
        }
        let records: Vec<_> = numbers.map(|number| scores::score(&id(number), "0A", 0, 5)).collect();
        scores::put(&self.host, records.iter().map(|record| ("one-key".to_owned(), record))).await;
    }

    /// What the service has.
    fn done(&self) -> BTreeSet<String> {
        let fakes = &self.host.fakes;
        if self.caller.service == Service::Code {
            let codes = fakes.codes().codes(CAMPAIGN).into_iter();
            return codes.filter(|code| code.state == CodeState::Assigned).map(|code| code.code).collect();
        }
        let scores = fakes.entries().scores(CAMPAIGN);
        scores.iter().map(|score| score["memberId"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the service has all that it has not refused for good.
    async fn handled(&self) {
        let all = (0..self.made.get()).map(id).collect::<BTreeSet<_>>();
        let expected: BTreeSet<_> = all.difference(&self.given_up).cloned().collect();
        let what = format!("{} records", expected.len());
        wait::eventually(&what, async || (self.done() == expected).then_some(())).await;
    }

    fn faults(&self, faults: Faults) {
        let operations = vec![self.caller.operation.to_owned()];
        self.host.faults(self.caller.service, Faults { operations, ..faults });
    }

    async fn answered(&self, status: u16) -> u64 {
        let answers = self.host.answers(self.caller.service).await;
        answers.get(&format!("{} {status}", self.caller.operation)).copied().unwrap_or_default()
    }

    /// Every call gets this status, for longer than a record has attempts. Then the service is as usual.
    async fn outage(&self, status: u16) {
        let Streamed { worker, service, route, .. } = self.caller;
        let requests = if status == OF_THE_ADDRESS { 1 } else { HALVED };
        let enough = self.answered(status).await + requests * ATTEMPTS;
        self.faults(Faults { refused: 1.0, refusal: status, ..Faults::default() });
        self.make(TOGETHER).await;
        wait::eventually("more calls than a record has attempts", async || {
            (self.answered(status).await > enough).then_some(())
        })
        .await;
        let reason = wait::eventually("the pause", async || self.host.paused(worker).await).await;
        assert!(reason.contains(&told(service, route, status)), "{status}: {reason}");
        self.faults(Faults::default());
        self.handled().await;
        let is_over = async || self.host.paused(worker).await.is_none().then_some(());
        wait::eventually("the end of the pause", is_over).await;
    }

    /// One record gets this status, while others are done. Returns the reason of its dead letter.
    async fn own(&mut self, status: u16) -> String {
        let bad = id(self.made.get());
        self.faults(Faults { poison: vec![bad.clone()], refusal: status, ..Faults::default() });
        let reason = self.reason_among_others(&format!("status {status}: ")).await;
        assert!(!self.done().contains(&bad), "{status}");
        self.given_up.insert(bad);
        self.faults(Faults::default());
        self.handled().await;
        reason
    }

    /// The reason of the dead letter that says this, while a record comes every half second, of which the first is bad.
    async fn reason_among_others(&self, said: &str) -> String {
        for _ in 0..120 {
            self.make(1).await;
            let dead_letters = self.host.peek(self.caller.dead_letters).await;
            let mut reasons = dead_letters.iter().map(|dead_letter| attribute(dead_letter, "reason"));
            if let Some(reason) = reasons.find(|reason| reason.contains(said)) {
                return reason.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("no record has a dead letter with `{said}` after a minute");
    }

    async fn given_up(&self) -> u64 {
        self.host.depth(self.caller.dead_letters).await
    }
}

/// All statuses, one after the other.
async fn all(caller: Streamed) {
    let mut run = Run::of(caller).await;
    for status in STATUSES {
        run.outage(status).await;
        assert_eq!(run.given_up().await, 0, "{}, {status}: an outage gives nothing up", caller.worker);
    }
    let own = STATUSES.into_iter().filter(|status| *status != OF_THE_ADDRESS);
    for (count, status) in (1..).zip(own) {
        let reason = run.own(status).await;
        assert!(reason.contains(&format!("the {} service", caller.service.name())), "{reason}");
        assert_eq!(run.given_up().await, count, "{}, {status}: it costs no other", caller.worker);
    }
}

/// The table's changes are the worker's alone: nothing is replicated or counted meanwhile. Scores wait for no others.
fn without_other_streams(app: &mut App, worker: &str) {
    for component in app.components.values_mut() {
        let is_other = component.id.as_str() != worker;
        component.sources.retain(|source| !(is_other && matches!(source, SourceConfig::DynamodbStream(_))));
        for source in &mut component.sources {
            if let SourceConfig::Kinesis(config) = source {
                config.batch_window_secs = 0;
            }
        }
    }
}

/// They mostly wait, so they have their hosts at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn point_16_each_status_that_the_workers_of_streams_get() {
    tokio::join!(all(SAVE_ENTRY_SCORES), all(MARK_ASSIGNED_CODES));
}
