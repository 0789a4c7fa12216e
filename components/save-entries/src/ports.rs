//! The requests of a replication. The worker sends them to the platform and the Entry Service; tests use a small fake,
//! in which anything may happen between two requests.

use serde::Serialize;
use serde_json::Value;
use worker_kit::platform::{
    Error, queue, table,
    table::{Key, Update},
};
use worker_kit::services::entry::{Deleted, Deletion, Entry, Upserted};
use worker_kit::services::{EntryService, Results, ServiceError};
use worker_kit::{Call, log};

/// The table of entries.
const TABLE: &str = "demand-table";
/// The queue of scores that the Entry Service could not update.
const RETRY_SCORE_QUEUE: &str = "retryScoreQueue";

/// A score to compute again: the body of a message to retryScoreQueue.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// The campaign.
    pub campaign_id: String,
    /// The fan.
    pub global_user_id: String,
}

/// The requests of a replication.
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait Ports {
    /// The present items, in the order of the keys.
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error>;
    /// Conditional updates, each independent of the others.
    async fn update(&self, updates: Vec<Update>) -> Result<Vec<Option<Error>>, Error>;
    /// Stores entries of one campaign.
    async fn upsert(&self, campaign_id: &str, entries: &[Entry<'_>]) -> Result<Results<Upserted>, ServiceError>;
    /// Deletes entries of one campaign.
    async fn delete(&self, campaign_id: &str, entries: &[Deletion]) -> Result<Results<Deleted>, ServiceError>;
    /// Queues scores to be computed again later.
    async fn queue_scores(&self, scores: &[Score]) -> Result<Vec<Result<String, Error>>, Error>;
    /// The present time, RFC 3339 with milliseconds.
    fn now(&self) -> String;
    /// Logs a problem that was handled.
    fn warn(&self, message: &str, data: Value);
    /// Logs what a service did not accept.
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

impl Ports for Live<'_> {
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        table::batch_get(TABLE.to_owned(), keys).await
    }

    async fn update(&self, updates: Vec<Update>) -> Result<Vec<Option<Error>>, Error> {
        table::batch_update(TABLE.to_owned(), updates).await
    }

    async fn upsert(&self, campaign_id: &str, entries: &[Entry<'_>]) -> Result<Results<Upserted>, ServiceError> {
        self.service.upsert(campaign_id, entries).await
    }

    async fn delete(&self, campaign_id: &str, entries: &[Deletion]) -> Result<Results<Deleted>, ServiceError> {
        self.service.delete(campaign_id, entries).await
    }

    async fn queue_scores(&self, scores: &[Score]) -> Result<Vec<Result<String, Error>>, Error> {
        let body = |score| serde_json::json!(score).to_string();
        let message = |score| queue::Message::new(body(score), self.call.attributes());
        queue::send_batch(RETRY_SCORE_QUEUE.to_owned(), scores.iter().map(message).collect()).await
    }

    fn now(&self) -> String {
        log::timestamp(chrono::Utc::now())
    }

    fn warn(&self, message: &str, data: Value) {
        self.call.warn(message, data);
    }

    fn failed(&self, message: &str, error: &ServiceError, data: Value) {
        error.log(self.call, message, data);
    }
}
