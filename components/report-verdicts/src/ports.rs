//! The requests of a batch. The worker sends them to the platform and to Slack; tests use a small world.

use chrono::Utc;
use scoring::report::{self, DELAY_SECS, Message};
use scoring_io::table::{DemandTable, Table};
use serde_json::{Value, json};
use std::time::Duration;
use worker_kit::Call;
use worker_kit::platform::{Error, queue};
use worker_kit::services::{ServiceError, SlackService};

/// The queue of reports.
const VERDICT_REPORTER_QUEUE: &str = "verdictReporterQueue";

/// The requests of a batch.
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait Ports {
    /// The table of counts.
    fn table(&self) -> &impl Table;
    /// Milliseconds since 1970 (UTC).
    fn now_ms(&self) -> u64;
    /// Posts a text about these campaigns to Slack.
    async fn post(&self, campaign_ids: &[&str], text: &str) -> Result<(), ServiceError>;
    /// Queues messages, delayed.
    async fn send(&self, messages: &[Message]) -> Result<Vec<Result<String, Error>>, Error>;
    /// Waits.
    async fn wait(&self, time: Duration);
    /// Logs what happened.
    fn info(&self, message: &str, data: Value);
    /// Logs a problem that was handled.
    fn warn(&self, message: &str, data: Value);
    /// Adds a time to a histogram of the worker, seconds.
    fn observe(&self, name: &str, seconds: f64, labels: &[(&str, &str)]);
    /// Logs a failed post to Slack.
    fn failed(&self, message: &str, error: &ServiceError, data: Value);
}

/// The real implementation.
#[derive(Debug)]
pub struct Live<'a> {
    /// The call in progress.
    pub call: &'a Call,
}

impl Ports for Live<'_> {
    fn table(&self) -> &impl Table {
        &DemandTable
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default()
    }

    async fn post(&self, campaign_ids: &[&str], text: &str) -> Result<(), ServiceError> {
        SlackService::new(&self.call.about(&campaign_ids.join(","))).post(&report::body(text)).await
    }

    async fn send(&self, messages: &[Message]) -> Result<Vec<Result<String, Error>>, Error> {
        let message = |message| {
            let message = queue::Message::new(json!(message).to_string(), self.call.attributes());
            queue::Message { delay_secs: DELAY_SECS, ..message }
        };
        queue::send_batch(VERDICT_REPORTER_QUEUE.to_owned(), messages.iter().map(message).collect()).await
    }

    async fn wait(&self, time: Duration) {
        worker_kit::sleep(time).await;
    }

    fn info(&self, message: &str, data: Value) {
        self.call.info(message, data);
    }

    fn warn(&self, message: &str, data: Value) {
        self.call.warn(message, data);
    }

    fn observe(&self, name: &str, seconds: f64, labels: &[(&str, &str)]) {
        self.call.observe(name, seconds, labels);
    }

    fn failed(&self, message: &str, error: &ServiceError, data: Value) {
        error.log(self.call, message, data);
    }
}
