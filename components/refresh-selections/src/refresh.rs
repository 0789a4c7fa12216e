//! Reads a market's winners page by page, and queues each page before it reads the next.

use crate::ports::{Ports, SAVE_SELECTION_QUEUE, Selection};
use serde::Deserialize;
use serde_json::json;
use worker_kit::Disposition;
use worker_kit::platform::Error;
use worker_kit::services::entry::{Code, MAX_PER_PAGE, ScoringPage, ScoringQuery, ScoringRecord, ScoringState};

/// The body of a message to refreshSelectionQueue.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// The campaign.
    pub campaign_id: String,
    /// The market whose winners are queued again.
    pub market_id: String,
}

impl Body {
    /// Checks the ids. The error is a reason to reject the record, and names the field.
    pub fn checked(self) -> Result<Self, String> {
        for (field, value) in [("campaignId", &self.campaign_id), ("marketId", &self.market_id)] {
            if value.is_empty() {
                return Err(format!("malformed: {field} is empty"));
            }
        }
        Ok(self)
    }
}

/// Refreshes the selections of a market; `id` names the message. What fails has the whole message delivered again: a
/// winner who is queued twice is saved as if queued once.
pub async fn refresh(ports: &impl Ports, id: &str, body: &Body) -> Disposition {
    let (mut queued, mut left_out) = (0, 0);
    let outcome = all_pages(ports, id, body, &mut queued, &mut left_out).await;
    let Body { campaign_id, market_id } = body;
    let data = json!({"campaignId": campaign_id, "marketId": market_id, "queued": queued, "leftOut": left_out});
    if left_out > 0 {
        ports.warn("Scoring records without globalUserId or code of the market", data.clone());
    }
    match outcome {
        Ok(()) => {
            ports.info("Selections queued again", data);
            Disposition::Ack
        }
        Err(disposition) => disposition,
    }
}

async fn all_pages(
    ports: &impl Ports,
    id: &str,
    Body { campaign_id, market_id }: &Body,
    queued: &mut usize,
    left_out: &mut usize,
) -> Result<(), Disposition> {
    let (state, limit) = (ScoringState::Assigned, MAX_PER_PAGE);
    let mut query = ScoringQuery { market_id: market_id.clone(), state, limit, after: None };
    loop {
        let page = ports.page(campaign_id, &query).await;
        let ScoringPage { records, next } = page.map_err(|error| {
            ports.failed("Scoring records not read", &error, json!({"campaignId": campaign_id, "marketId": market_id}));
            error.disposition()
        })?;
        let read = records.len();
        let selection = |record| selection(record, id, campaign_id, market_id);
        let selections: Vec<_> = records.into_iter().filter_map(selection).collect();
        *left_out += read - selections.len();
        if !selections.is_empty() {
            sent(&ports.queue(&selections).await, selections.len())?;
            *queued += selections.len();
        }
        if next.is_none() {
            return Ok(());
        }
        if next == query.after {
            return Err(Disposition::retry("the entry service's next page of scoring records is the same again"));
        }
        query.after = next;
    }
}

/// The winner of a record; `None` without a fan, or without a code of the market.
fn selection(record: ScoringRecord, id: &str, campaign_id: &str, market_id: &str) -> Option<Selection> {
    let global_user_id = record.global_user_id.filter(|fan| !fan.is_empty())?;
    let Code { value, .. } = record.code.filter(|code| code.market_id == market_id && !code.value.is_empty())?;
    Some(Selection {
        task_id: format!("refresh-{id}"),
        campaign_id: campaign_id.to_owned(),
        market_id: market_id.to_owned(),
        global_user_id,
        verdict: true,
        code: value,
    })
}

/// Whether all of so many messages were accepted; else the disposition by the first that was not.
fn sent(results: &Result<Vec<Result<String, Error>>, Error>, count: usize) -> Result<(), Disposition> {
    let results = results.as_ref().map_err(Error::disposition)?;
    if let Some(Err(error)) = results.iter().find(|result| result.is_err()) {
        return Err(error.disposition());
    }
    if results.len() < count {
        let problem = format!("{SAVE_SELECTION_QUEUE}: the response does not mention every message");
        return Err(Disposition::retry(problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
