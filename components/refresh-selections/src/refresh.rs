//! Reads a market's winners page by page, and queues each page before it reads the next.
//!
//! A call runs for [`PER_CALL_SECS`]. Then it queues a message to itself for the rest, with the place where the next
//! page begins, so that a market of any size is refreshed in calls that end long before their wall time. After a page
//! that fails it does the same: earlier pages are not queued again, and each message has its own attempts. Only if the
//! first page of a call cannot be queued is its message delivered again.

use crate::ports::Ports;
use chrono::TimeDelta;
use registration::selection::SelectionMessage;
use registration::text::fits_message;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use worker_kit::lenient::if_readable;
use worker_kit::pages::Pages;
use worker_kit::services::entry::{Code, MAX_PER_PAGE, ScoringPage, ScoringQuery, ScoringRecord, ScoringState};
use worker_kit::{Disposition, messages};

/// Seconds after which a call begins no other page: less than half of the wall time of a batch, which is 5 minutes.
const PER_CALL_SECS: i64 = 120;

/// The body of a message to refreshSelectionQueue.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// The campaign.
    pub campaign_id: String,
    /// The market whose winners are queued again.
    pub market_id: String,
    /// In a message for the rest of a refresh: the id of that refresh. For people.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_readable")]
    pub task_id: Option<String>,
    /// In a message for the rest of a refresh: where its first page begins, as the Entry Service named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Body {
    /// Checks the ids. The error is a reason to reject the record, and names the field.
    pub fn checked(self) -> Result<Self, String> {
        for (field, value) in [("campaignId", &self.campaign_id), ("marketId", &self.market_id)] {
            if value.is_empty() {
                return Err(format!("malformed: {field} is empty"));
            }
            if !fits_message(value) {
                return Err(format!("malformed: {field} contains a character that no queue takes"));
            }
        }
        Ok(self)
    }
}

/// Refreshes the selections of a market; `id` names the message. A winner who is queued twice is saved as if queued once.
pub async fn refresh(ports: &impl Ports, id: &str, body: &Body) -> Disposition {
    let task_id = body.task_id.clone().unwrap_or_else(|| format!("refresh-{id}"));
    let place = body.after.clone();
    let mut refresh =
        Refresh { ports, body, task_id, place, is_over: false, pages: 0, queued: 0, left_out: 0, lost: 0 };
    let failed = refresh.run().await.err();
    if refresh.left_out > 0 {
        ports.warn("Scoring records without globalUserId or code of the market", refresh.data());
    }
    match failed {
        None if refresh.is_over => {
            ports.info("Selections queued again", refresh.data());
            Disposition::Ack
        }
        Some(disposition) if refresh.pages == 0 => disposition,
        _ => refresh.leave_rest().await,
    }
}

/// A refresh, or the rest of one.
struct Refresh<'a, P> {
    ports: &'a P,
    body: &'a Body,
    task_id: String,
    /// Where the first page begins that is not queued.
    place: Option<String>,
    /// Whether all pages are queued.
    is_over: bool,
    pages: usize,
    queued: usize,
    left_out: usize,
    /// Winners whose messages no queue takes.
    lost: usize,
}

impl<P: Ports> Refresh<'_, P> {
    /// Queues page after page, until all are queued or the time is over. The error is the disposition for the page that
    /// failed.
    async fn run(&mut self) -> Result<(), Disposition> {
        let end = self.ports.now() + TimeDelta::seconds(PER_CALL_SECS);
        let mut pages = Pages::behind(self.place.clone());
        while let Some(page) = pages.read(async |after| self.page(after).await).await? {
            self.queue(page).await?;
            self.pages += 1;
            self.place = pages.after().map(str::to_owned);
            self.is_over = self.place.is_none();
            if self.ports.now() >= end {
                break;
            }
        }
        Ok(())
    }

    async fn page(&self, after: Option<String>) -> Result<ScoringPage, Disposition> {
        let Body { campaign_id, market_id, .. } = self.body;
        let (market_id, state, limit) = (market_id.clone(), ScoringState::Assigned, MAX_PER_PAGE);
        let page = self.ports.page(campaign_id, &ScoringQuery { market_id, state, limit, after }).await;
        page.map_err(|error| {
            self.ports.failed("Scoring records not read", &error, self.data());
            error.disposition()
        })
    }

    async fn queue(&mut self, page: ScoringPage) -> Result<(), Disposition> {
        let ports = self.ports;
        // A fan who has left the campaign has no item to write to.
        let records: Vec<_> = page.records.into_iter().filter(|record| !record.removed).collect();
        let read = records.len();
        let winners: Vec<_> = records.into_iter().filter_map(|record| self.winner(record)).collect();
        let sent = messages::send(&winners, |winner| self.message(winner).text(), |bodies| ports.queue(bodies)).await;
        let lost = sent.map_err(|error| {
            ports.warn("Selections not queued", json!({"problem": error.message, "refresh": self.data()}));
            error.disposition()
        })?;
        // Every lost fan is logged: the refresh continues after them, and nothing else reports them.
        for (fans, problem) in messages::lines(&lost, |(fan, _)| fan.as_str()) {
            let data = json!({"globalUserIds": fans, "problem": problem, "refresh": self.data()});
            ports.error("Winners not queued: their messages are invalid", data);
        }
        self.queued += winners.len() - lost.len();
        self.left_out += read - winners.len();
        self.lost += lost.len();
        Ok(())
    }

    /// The fan and the code of a record; `None` without a fan, or without a code of the market, that a message can hold.
    fn winner(&self, record: ScoringRecord) -> Option<(String, String)> {
        let is_usable = |text: &str| !text.is_empty() && fits_message(text);
        let fan = record.global_user_id.filter(|fan| is_usable(fan))?;
        let is_ours = |code: &Code| code.market_id == self.body.market_id && is_usable(&code.value);
        Some((fan, record.code.filter(is_ours)?.value))
    }

    fn message<'a>(&'a self, (fan, code): &'a (String, String)) -> SelectionMessage<'a> {
        SelectionMessage {
            task_id: Cow::from(&self.task_id),
            campaign_id: Cow::from(&self.body.campaign_id),
            market_id: Cow::from(&self.body.market_id),
            global_user_id: Cow::from(fan),
            verdict: true,
            code: Some(Cow::from(code)),
        }
    }

    /// Queues the rest. If that fails, the message is delivered again, with all of its pages.
    async fn leave_rest(&self) -> Disposition {
        let (task_id, after) = (Some(self.task_id.clone()), self.place.clone());
        match self.ports.go_on(&Body { task_id, after, ..self.body.clone() }).await {
            Ok(()) => {
                self.ports.info("Selections queued again in part; the rest follows", self.data());
                Disposition::Ack
            }
            Err(error) => error.disposition(),
        }
    }

    fn data(&self) -> Value {
        let Body { campaign_id, market_id, .. } = self.body;
        json!({
            "taskId": self.task_id, "campaignId": campaign_id, "marketId": market_id, "pages": self.pages,
            "queued": self.queued, "leftOut": self.left_out, "lost": self.lost,
        })
    }
}

#[cfg(test)]
mod tests;
