//! The requests of a batch of selections. The worker sends them to the platform and the Entry Service; tests use a small
//! fake, in which anything may happen between two requests.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use worker_kit::Call;
use worker_kit::platform::{
    Error, queue, table,
    table::{Key, Update},
};
use worker_kit::services::entry::{Assigned, Assignment};
use worker_kit::services::{EntryService, Results, ServiceError};

/// The table of entries.
const TABLE: &str = "demand-table";
/// The queue of reports.
const VERDICT_REPORTER_QUEUE: &str = "verdictReporterQueue";

/// Winners of one market: a message to verdictReporterQueue, whose `expected.selected` is a minimum of the campaign's
/// total. It is the number of winners of the market that this batch has written, not an increment: in a second
/// selection of a market, or in another market of the campaign, the total also counts the winners before, so it is at
/// least as large. Only where entries of winners are removed, which subtracts them, the total may stay below.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// The campaign.
    pub campaign_id: String,
    /// The market.
    pub market_id: String,
    /// How many winners are written: at least as many fans of the campaign are selected now.
    pub selected: usize,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { campaign_id, market_id, selected } = self;
        let expected = json!({"selected": selected});
        json!({"campaignId": campaign_id, "marketId": market_id, "source": "selection", "expected": expected})
            .serialize(to)
    }
}

/// The requests of a batch.
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait Ports {
    /// Assigns codes to fans of one campaign: all of them, or none.
    async fn assign(&self, campaign_id: &str, assignments: &[Assignment]) -> Result<Results<Assigned>, ServiceError>;
    /// Conditional updates, each independent of the others.
    async fn update(&self, updates: Vec<Update>) -> Result<Vec<Option<Error>>, Error>;
    /// The present items, in the order of the keys.
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error>;
    /// Queues reports.
    async fn report(&self, reports: &[Report]) -> Result<Vec<Result<String, Error>>, Error>;
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
    async fn assign(&self, campaign_id: &str, assignments: &[Assignment]) -> Result<Results<Assigned>, ServiceError> {
        self.service.assign_codes(campaign_id, assignments).await
    }

    async fn update(&self, updates: Vec<Update>) -> Result<Vec<Option<Error>>, Error> {
        table::batch_update(TABLE.to_owned(), updates).await
    }

    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        table::batch_get(TABLE.to_owned(), keys).await
    }

    async fn report(&self, reports: &[Report]) -> Result<Vec<Result<String, Error>>, Error> {
        let message = |report| queue::Message::new(json!(report).to_string(), self.call.attributes());
        queue::send_batch(VERDICT_REPORTER_QUEUE.to_owned(), reports.iter().map(message).collect()).await
    }

    fn warn(&self, message: &str, data: Value) {
        self.call.warn(message, data);
    }

    fn failed(&self, message: &str, error: &ServiceError, data: Value) {
        error.log(self.call, message, data);
    }
}
