//! A small world: a clock, the table, the queue and Slack in memory.

use crate::handle;
use crate::ports::Ports;
use futures::executor::block_on;
use scoring::counts::{Counts, Totals};
use scoring::report::{self, DELAY_SECS, Message};
use scoring_io::table::Table;
use scoring_io::testing::{World as Tables, down};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::time::Duration;
use worker_kit::platform::Error;
use worker_kit::services::{ResponseSummary, ServiceError};
use worker_kit::testing::Fate;
use worker_kit::{Disposition, Event, Payload};

/// The campaign of most tests.
pub const CAMPAIGN: &str = "c";

/// How Slack behaves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SlackMode {
    #[default]
    Ok,
    /// It cannot be reached.
    Down,
    /// The host has no address of it.
    NotSetUp,
}

/// A message that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub at_ms: u64,
    pub sent_ms: u64,
    pub id: String,
    pub body: String,
}

#[derive(Debug, Default)]
pub struct World {
    pub tables: Tables,
    pub slack: Cell<SlackMode>,
    /// Slack refuses texts that have this: 400, `invalid_payload`.
    pub refused: Option<&'static str>,
    /// How often Slack was asked.
    pub asked: Cell<usize>,
    /// The texts that Slack has, each with its time.
    pub posts: RefCell<Vec<(u64, String)>>,
    pub queue: RefCell<Vec<Waiting>>,
    pub logs: RefCell<Vec<String>>,
    /// How old reports were, with what they were of.
    pub observed: RefCell<Vec<String>>,
    pub now_ms: Cell<u64>,
    pub ids: Cell<usize>,
}

impl World {
    /// Sets a campaign's counts.
    pub fn count(&self, campaign: &str, [verified, rejected, selected]: [i64; 3]) {
        let totals = json!({"verified": verified, "rejected": rejected, "selected": selected, "position": {}});
        let items = &mut self.tables.table.borrow_mut().items;
        items.insert(Counts::key(campaign), totals.as_object().cloned().unwrap_or_default());
    }

    /// What Slack was told last, as the table says.
    pub fn told(&self, campaign: &str) -> Option<Totals> {
        let item = self.tables.table.borrow().get(&report::key(campaign));
        report::read_told(item.as_deref()).unwrap_or_default().map(|told| told.totals)
    }

    /// Queues a message, for now.
    pub fn queue(&self, body: &Value) {
        self.put(body.to_string(), 0);
    }

    fn put(&self, body: String, delay_secs: u32) {
        self.ids.set(self.ids.get() + 1);
        let (sent_ms, id) = (self.now_ms.get(), format!("message-{}", self.ids.get()));
        let at_ms = sent_ms + u64::from(delay_secs) * 1_000;
        self.queue.borrow_mut().push(Waiting { at_ms, sent_ms, id, body });
    }

    /// The texts that Slack has.
    pub fn texts(&self) -> Vec<String> {
        self.posts.borrow().iter().map(|(_, text)| text.clone()).collect()
    }

    /// A message of a campaign for each of these numbers.
    pub fn queue_each(&self, campaigns: std::ops::Range<usize>) {
        for campaign in campaigns.map(|n| format!("c-{n:02}")) {
            self.count(&campaign, [2, 0, 0]);
            self.queue(&json!({"campaignId": campaign, "source": "scoring"}));
        }
    }

    /// Moves the clock.
    pub fn pass(&self, ms: u64) {
        self.now_ms.set(self.now_ms.get() + ms);
    }

    /// Delivers the messages that may be received now, a hundred at most, and settles them. Returns their dispositions.
    pub fn deliver(&self) -> Vec<Disposition> {
        let now_ms = self.now_ms.get();
        let mut batch: Vec<Waiting> = self.queue.borrow().iter().filter(|it| it.at_ms <= now_ms).cloned().collect();
        batch.truncate(100);
        let dispositions = block_on(handle(self, batch.iter().map(event).collect()));
        for (message, disposition) in batch.iter().zip(&dispositions) {
            let mut queue = self.queue.borrow_mut();
            match disposition {
                Disposition::Retry(retry) => {
                    let wait_ms = retry.after_ms.unwrap_or(30_000);
                    queue.iter_mut().filter(|it| it.id == message.id).for_each(|it| it.at_ms = now_ms + wait_ms);
                }
                _ => queue.retain(|it| it.id != message.id),
            }
        }
        dispositions
    }

    /// Delivers until the queue is empty, a second between two batches, for this many milliseconds at most.
    pub fn run(&self, most_ms: u64) {
        let end_ms = self.now_ms.get() + most_ms;
        while !self.queue.borrow().is_empty() && self.now_ms.get() < end_ms {
            self.deliver();
            self.pass(1_000);
        }
    }
}

/// A message as its event.
fn event(message: &Waiting) -> Event {
    Event {
        id: message.id.clone(),
        source: "sqs:verdictReporterQueue".to_owned(),
        ordering_key: None,
        payload: Payload::of_text(message.body.clone()),
        attributes: vec![],
        attempt: 1,
        time_ms: message.sent_ms,
        correlation_id: String::new(),
        traceparent: None,
    }
}

impl Ports for World {
    fn table(&self) -> &impl Table {
        &self.tables
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    async fn post(&self, _campaign_ids: &[&str], text: &str) -> Result<(), ServiceError> {
        let service = "slack";
        let unavailable = || ServiceError::Unavailable { service, message: "down".to_owned() };
        let take = || self.posts.borrow_mut().push((self.now_ms.get(), text.to_owned()));
        self.asked.set(self.asked.get() + 1);
        let is_refused = self.refused.is_some_and(|part| text.contains(part));
        match (self.slack.get(), self.tables.choices.fate(|| ()).await) {
            _ if is_refused => Err(ServiceError::Refused(ResponseSummary::new(service, 400, "invalid_payload"))),
            (SlackMode::NotSetUp, _) => Err(ServiceError::NotThere { service, message: "not set up".to_owned() }),
            (SlackMode::Down, _) | (_, Fate::Lost) => Err(unavailable()),
            (SlackMode::Ok, Fate::Good) => {
                take();
                Ok(())
            }
            (SlackMode::Ok, Fate::ResponseLost) => {
                take();
                Err(unavailable())
            }
        }
    }

    async fn send(&self, messages: &[Message]) -> Result<Vec<Result<String, Error>>, Error> {
        let send = |message: &Message| {
            if self.tables.choices.choose(8) == 7 {
                return Err(down());
            }
            self.put(json!(message).to_string(), DELAY_SECS);
            Ok("id".to_owned())
        };
        self.tables.call(|| messages.iter().map(send).collect()).await
    }

    async fn wait(&self, time: Duration) {
        self.pass(u64::try_from(time.as_millis()).unwrap_or_default());
    }

    fn info(&self, message: &str, data: Value) {
        self.logs.borrow_mut().push(format!("INFO {message} {data}"));
    }

    fn warn(&self, message: &str, data: Value) {
        self.logs.borrow_mut().push(format!("WARN {message} {data}"));
    }

    fn observe(&self, name: &str, seconds: f64, labels: &[(&str, &str)]) {
        self.observed.borrow_mut().push(format!("{name} {labels:?} {seconds}"));
    }

    fn failed(&self, message: &str, error: &ServiceError, data: Value) {
        self.logs.borrow_mut().push(format!("FAILED {message} {error} {data}"));
    }
}
