//! The requests of a selection. The worker sends them to the platform and the services; tests use a small fake, in which
//! any of them may fail or be the last one.

use crate::input::Selection;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::time::Duration;
use worker_kit::platform::{
    Error, queue, table,
    table::{Key, Page, Update},
};
use worker_kit::services::campaign::{Campaign, Market};
use worker_kit::services::code::CodePage;
use worker_kit::services::entry::{self, ScoringPage, ScoringQuery, ScoringState, Stats};
use worker_kit::services::{CampaignService, CodeService, EntryService, ServiceError};
use worker_kit::{Call, Span};

/// The table of entries, and of plans.
const TABLE: &str = "demand-table";
/// The queue of saveSelections.
const QUEUE: &str = "saveSelectionQueue";

/// Time kept for reporting before the wall time ends; a quarter of a short wall time.
const SPARE: Duration = Duration::from_secs(30);

/// The requests of a selection. Those to a service are about the selection's campaign and market.
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait Ports {
    /// Ends when dropped.
    type Span;

    /// The campaign, if the Campaign Service knows it.
    async fn campaign(&self, selection: &Selection) -> Result<Option<Campaign>, ServiceError>;
    /// The market, if the Campaign Service knows it.
    async fn market(&self, selection: &Selection) -> Result<Option<Market>, ServiceError>;
    /// How many records of the market are eligible.
    async fn eligible_count(&self, selection: &Selection) -> Result<u64, ServiceError>;
    /// A page of the market's eligible records without a code.
    async fn unassigned(&self, selection: &Selection, after: Option<String>) -> Result<ScoringPage, ServiceError>;
    /// A page of the market's records with a code.
    async fn assigned(&self, selection: &Selection, after: Option<String>) -> Result<ScoringPage, ServiceError>;
    /// Reports how far the selection is.
    async fn report(&self, selection: &Selection, stats: &Stats) -> Result<(), ServiceError>;
    /// Reserves codes, all or none. The same reservation again gives the same codes.
    async fn reserve(&self, selection: &Selection, count: usize, id: &str) -> Result<Vec<String>, ServiceError>;
    /// A page of the codes that are reserved for the market and not assigned.
    async fn reserved(&self, selection: &Selection, after: Option<String>) -> Result<CodePage, ServiceError>;

    /// The present items, in the order of the keys.
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error>;
    /// Stores and deletes items, each on its own.
    async fn write(&self, puts: Vec<String>, deletes: Vec<Key>) -> Result<Vec<Option<Error>>, Error>;
    /// A conditional update.
    async fn update(&self, update: Update) -> Result<Option<Error>, Error>;
    /// A page of the items of `pk` whose sort key begins with `prefix`.
    async fn query(&self, pk: &str, prefix: &str, after: Option<String>) -> Result<Page, Error>;
    /// Queues messages for saveSelections, each on its own.
    async fn send(&self, bodies: Vec<String>) -> Result<Vec<Result<String, Error>>, Error>;

    /// The present time.
    fn now(&self) -> DateTime<Utc>;
    /// When the attempt is to come to its end, because the host would end it soon after; `None` if that is not known.
    fn end(&self) -> Option<DateTime<Utc>>;
    /// Starts a span.
    fn span(&self, name: &'static str) -> Self::Span;
    /// Logs what happened.
    fn info(&self, message: &str, data: Value);
    /// Logs a problem that was handled.
    fn warn(&self, message: &str, data: Value);
    /// Logs what needs attention.
    fn error(&self, message: &str, data: Value);
}

/// The real implementation.
#[derive(Debug)]
pub struct Live<'a> {
    campaigns: CampaignService<'a>,
    entries: EntryService<'a>,
    codes: CodeService<'a>,
    call: &'a Call,
    end: Option<DateTime<Utc>>,
}

impl<'a> Live<'a> {
    /// The requests of a call that begins now.
    pub fn new(call: &'a Call) -> Self {
        Self {
            campaigns: CampaignService::new(call),
            entries: EntryService::new(call),
            codes: CodeService::new(call),
            call,
            end: Call::wall_time().and_then(|wall_time| end(Utc::now(), wall_time)),
        }
    }
}

/// When an attempt of this wall time that begins at `start` is to come to its end.
fn end(start: DateTime<Utc>, wall_time: Duration) -> Option<DateTime<Utc>> {
    let time = wall_time.saturating_sub(SPARE.min(wall_time / 4));
    start.checked_add_signed(TimeDelta::from_std(time).ok()?)
}

impl Live<'_> {
    async fn records(
        &self,
        selection: &Selection,
        state: ScoringState,
        after: Option<String>,
    ) -> Result<ScoringPage, ServiceError> {
        let query = ScoringQuery { market_id: selection.market_id.clone(), state, limit: entry::MAX_PER_PAGE, after };
        self.entries.scoring_records(&selection.campaign_id, &query).await
    }
}

impl<'a> Ports for Live<'a> {
    type Span = Span<'a>;

    async fn campaign(&self, selection: &Selection) -> Result<Option<Campaign>, ServiceError> {
        self.campaigns.campaign(&selection.campaign_id).await
    }

    async fn market(&self, selection: &Selection) -> Result<Option<Market>, ServiceError> {
        self.campaigns.market(&selection.campaign_id, &selection.market_id).await
    }

    async fn eligible_count(&self, selection: &Selection) -> Result<u64, ServiceError> {
        self.entries.eligible_count(&selection.campaign_id, &selection.market_id).await
    }

    async fn unassigned(&self, selection: &Selection, after: Option<String>) -> Result<ScoringPage, ServiceError> {
        self.records(selection, ScoringState::Unassigned, after).await
    }

    async fn assigned(&self, selection: &Selection, after: Option<String>) -> Result<ScoringPage, ServiceError> {
        self.records(selection, ScoringState::Assigned, after).await
    }

    async fn report(&self, selection: &Selection, stats: &Stats) -> Result<(), ServiceError> {
        self.entries.put_stats(&selection.campaign_id, stats).await
    }

    async fn reserve(&self, selection: &Selection, count: usize, id: &str) -> Result<Vec<String>, ServiceError> {
        self.codes.reserve(&selection.campaign_id, &selection.market_id, count, id).await
    }

    async fn reserved(&self, selection: &Selection, after: Option<String>) -> Result<CodePage, ServiceError> {
        self.codes.reserved(&selection.campaign_id, &selection.market_id, after.as_deref()).await
    }

    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        table::batch_get(TABLE.to_owned(), keys).await
    }

    async fn write(&self, puts: Vec<String>, deletes: Vec<Key>) -> Result<Vec<Option<Error>>, Error> {
        table::batch_write(TABLE.to_owned(), puts, deletes).await
    }

    async fn update(&self, update: Update) -> Result<Option<Error>, Error> {
        Ok(table::batch_update(TABLE.to_owned(), vec![update]).await?.pop().flatten())
    }

    async fn query(&self, pk: &str, prefix: &str, after: Option<String>) -> Result<Page, Error> {
        const LIMIT: u32 = 10;
        table::query(TABLE.to_owned(), pk.to_owned(), prefix.to_owned(), after, LIMIT).await
    }

    async fn send(&self, bodies: Vec<String>) -> Result<Vec<Result<String, Error>>, Error> {
        let message = |body| queue::Message::new(body, self.call.attributes());
        queue::send_batch(QUEUE.to_owned(), bodies.into_iter().map(message).collect()).await
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn end(&self) -> Option<DateTime<Utc>> {
        self.end
    }

    fn span(&self, name: &'static str) -> Span<'a> {
        self.call.span(name)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_ends_half_a_minute_before_its_wall_time_is_over() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let seconds = |wall_time| end(start, Duration::from_secs(wall_time)).map(|end| end.timestamp());
        assert_eq!([900, 120, 60, 4, 0].map(seconds), [870, 90, 45, 3, 0].map(Some));
        assert_eq!(end(start, Duration::MAX), None);
    }
}
