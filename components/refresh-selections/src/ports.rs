//! The requests of a refresh. The worker sends them to the platform and the Entry Service; tests use a small fake.

use serde::Serialize;
use serde_json::{Value, json};
use worker_kit::Call;
use worker_kit::platform::{Error, queue};
use worker_kit::services::entry::{ScoringPage, ScoringQuery};
use worker_kit::services::{EntryService, ServiceError};

/// The queue of selections.
pub const SAVE_SELECTION_QUEUE: &str = "saveSelectionQueue";

/// A winner to be saved: a message to saveSelectionQueue.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Selection {
    /// Who sent it: this refresh.
    pub task_id: String,
    /// The campaign.
    pub campaign_id: String,
    /// The market won.
    pub market_id: String,
    /// The fan.
    pub global_user_id: String,
    /// `true`.
    pub verdict: bool,
    /// The code that the fan has.
    pub code: String,
}

/// The requests of a refresh.
pub trait Ports {
    /// A page of a market's scoring records.
    async fn page(&self, campaign_id: &str, query: &ScoringQuery) -> Result<ScoringPage, ServiceError>;
    /// Queues selections.
    async fn queue(&self, selections: &[Selection]) -> Result<Vec<Result<String, Error>>, Error>;
    /// Logs what happened.
    fn info(&self, message: &str, data: Value);
    /// Logs a problem that was handled.
    fn warn(&self, message: &str, data: Value);
    /// Logs what a service did not answer.
    fn failed(&self, message: &str, error: &ServiceError, data: Value);
}

/// The real implementation.
#[derive(Debug)]
pub struct Live<'a> {
    /// The Entry Service.
    pub service: EntryService<'a>,
    /// The call under way.
    pub call: &'a Call,
}

impl Ports for Live<'_> {
    async fn page(&self, campaign_id: &str, query: &ScoringQuery) -> Result<ScoringPage, ServiceError> {
        self.service.scoring_records(campaign_id, query).await
    }

    async fn queue(&self, selections: &[Selection]) -> Result<Vec<Result<String, Error>>, Error> {
        let message = |selection| queue::Message::new(json!(selection).to_string(), self.call.attributes());
        queue::send_batch(SAVE_SELECTION_QUEUE.to_owned(), selections.iter().map(message).collect()).await
    }

    fn info(&self, message: &str, data: Value) {
        self.call.info(message, data);
    }

    fn warn(&self, message: &str, data: Value) {
        self.call.warn(message, data);
    }

    fn failed(&self, message: &str, error: &ServiceError, data: Value) {
        error.log(self.call, message, data);
    }
}
