//! The requests of a refresh. The worker sends them to the platform and the Entry Service; tests use a small fake.

use crate::refresh::Body;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use worker_kit::platform::{Error, queue};
use worker_kit::services::entry::{ScoringPage, ScoringQuery};
use worker_kit::services::{EntryService, ServiceError};
use worker_kit::{Call, messages};

/// The queue of selections.
const SAVE_SELECTION_QUEUE: &str = "saveSelectionQueue";
/// The worker's own queue, for the rest of a refresh.
const REFRESH_SELECTION_QUEUE: &str = "refreshSelectionQueue";

/// The requests of a refresh.
pub trait Ports {
    /// A page of a market's scoring records.
    async fn page(&self, campaign_id: &str, query: &ScoringQuery) -> Result<ScoringPage, ServiceError>;
    /// Queues messages for saveSelections, each on its own.
    async fn queue(&self, bodies: Vec<String>) -> Result<Vec<Result<String, Error>>, Error>;
    /// Queues the rest of a refresh.
    async fn go_on(&self, rest: &Body) -> Result<(), Error>;
    /// The present time.
    fn now(&self) -> DateTime<Utc>;
    /// Logs what happened.
    fn info(&self, message: &str, data: Value);
    /// Logs a problem that was handled.
    fn warn(&self, message: &str, data: Value);
    /// Logs what needs attention.
    fn error(&self, message: &str, data: Value);
    /// Logs a failed request to a service.
    fn failed(&self, message: &str, error: &ServiceError, data: Value);
}

/// The real implementation.
#[derive(Debug)]
pub struct Live<'a> {
    /// The Entry Service.
    pub service: EntryService<'a>,
    /// The call in progress.
    pub call: &'a Call,
}

impl Live<'_> {
    async fn send(&self, queue: &str, bodies: Vec<String>) -> Result<Vec<Result<String, Error>>, Error> {
        let message = |body| queue::Message::new(body, self.call.attributes());
        queue::send_batch(queue.to_owned(), bodies.into_iter().map(message).collect()).await
    }
}

impl Ports for Live<'_> {
    async fn page(&self, campaign_id: &str, query: &ScoringQuery) -> Result<ScoringPage, ServiceError> {
        self.service.scoring_records(campaign_id, query).await
    }

    async fn queue(&self, bodies: Vec<String>) -> Result<Vec<Result<String, Error>>, Error> {
        self.send(SAVE_SELECTION_QUEUE, bodies).await
    }

    async fn go_on(&self, rest: &Body) -> Result<(), Error> {
        let body = |rest: &&Body| json!(rest).to_string();
        let parts = [rest];
        let lost =
            messages::send(&parts, body, async |bodies| self.send(REFRESH_SELECTION_QUEUE, bodies).await).await?;
        lost.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn info(&self, message: &str, data: Value) {
        self.call.info(message, data);
    }

    fn warn(&self, message: &str, data: Value) {
        self.call.warn(message, data);
    }

    fn error(&self, message: &str, data: Value) {
        self.call.error(message, data);
    }

    fn failed(&self, message: &str, error: &ServiceError, data: Value) {
        error.log(self.call, message, data);
    }
}
