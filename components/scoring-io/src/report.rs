//! Queues the reports of a file's campaigns, once all its rows are done.
//!
//! A report must cover the whole file. `save-fan-scores` writes the records that `load-scores` puts, so `load-scores`
//! waits until the last records are saved. Then the fans of each campaign are counted by their score items: these are
//! lower bounds of `meta:counts` once `count-verdicts` has counted all of them.

use crate::load::{Loader, State};
use crate::ports::Ports;
use crate::save::is_saved;
use scoring::fan::{SCORE, jobs};
use scoring::fans::Fans;
use scoring::progress::{self, Ending};
use scoring::report::{Expected, Message};
use scoring::table::Key;
use scoring::tail::Tail;
use serde_json::json;
use worker_kit::{Disposition, messages};

/// How long the last records are waited for, milliseconds: as long as a report waits for counts.
const PATIENCE_MS: u64 = scoring::report::PATIENCE_MS;
/// The shortest and the longest wait between two looks, milliseconds. A wait grows with the time that has passed, so a queue
/// counts some thirty receives in all.
const WAITS_MS: std::ops::RangeInclusive<u64> = 1_000..=30_000;
/// Messages that are sent together.
const MESSAGES: usize = 100;

impl<P: Ports> Loader<'_, P> {
    pub(crate) async fn report(&self, state: &mut State) -> Result<Disposition, Disposition> {
        let mut ending = state.progress.ending.clone().unwrap_or_default();
        self.wait_for_tail(state, &ending).await?;
        let (mut messages, mut fans) = (vec![], Fans::default());
        while let Some(campaign_id) = ending.campaign(&state.campaigns.ids).map(str::to_owned) {
            let key = Key::of_campaign(&campaign_id, SCORE);
            let page = match self.ports.query(&key.pk, &key.sk, ending.after.clone()).await {
                Ok(page) => page,
                Err(error) => {
                    // A table that is too busy may fail each call at some page: the next call continues there.
                    self.store_ending(state, ending, &messages).await?;
                    return Err(error.disposition());
                }
            };
            ending.count(&page.items, page.next, &mut fans);
            if ending.after.is_none() {
                fans = Fans::default();
                messages.push(ending.report(&campaign_id, &self.file));
            }
            let is_over = self.is_over();
            if is_over || messages.len() >= MESSAGES {
                self.store_ending(state, ending.clone(), &messages).await?;
                messages.clear();
            }
            if is_over {
                return Ok(self.goes_on());
            }
        }
        state.progress.is_done = true;
        self.store_ending(state, ending, &messages).await?;
        Ok(Disposition::Ack)
    }

    /// Sends the messages, and stores the counts and which campaigns are reported.
    async fn store_ending(&self, state: &mut State, ending: Ending, messages: &[Message]) -> Result<(), Disposition> {
        self.send_reports(messages).await?;
        state.progress.ending = Some(ending);
        self.store(state).await
    }

    /// Starts reports for the campaigns that have queued rows but are not covered by the stored progress. Their expected
    /// counts are unknown, so they are reported when their counts stand still. The others are reported by the call for the
    /// file's next version.
    pub(crate) async fn report_unstored(&self, state: &State) -> Result<(), Disposition> {
        let unstored = state.campaigns.ids.difference(&state.covered.ids);
        let message = |id: &String| progress::message(id, &self.file, Expected::default(), self.ports.now_ms());
        self.send_reports(&unstored.map(message).collect::<Vec<_>>()).await
    }

    /// Sends the messages. An invalid one does not affect the others: its campaign is not reported, which is logged as
    /// an error.
    async fn send_reports(&self, messages: &[Message]) -> Result<(), Disposition> {
        let body = |message: &Message| json!(message).to_string();
        let sent = messages::send(messages, body, async |bodies| self.ports.report(bodies).await).await;
        for (message, error) in sent.map_err(|error| error.disposition())? {
            let data = json!({"file": self.file.name(), "campaignId": message.campaign_id, "problem": error.message});
            self.ports.error("Campaign not reported: its message is invalid", data);
        }
        Ok(())
    }

    /// Looks whether the file's last records are saved; the call ends if they are not.
    async fn wait_for_tail(&self, state: &mut State, ending: &Ending) -> Result<(), Disposition> {
        let jobs = jobs(state.tail.records().cloned().enumerate());
        let is_saved = is_saved(self.ports, &jobs).await.map_err(|error| error.disposition())?;
        let waited_ms = self.ports.now_ms().saturating_sub(ending.since_ms);
        if !is_saved && waited_ms < PATIENCE_MS {
            let wait_ms = (waited_ms / 4).clamp(*WAITS_MS.start(), *WAITS_MS.end());
            let reason = format!("the last records of {} are not saved yet", self.file.name());
            return Err(Disposition::retry_after(Some(wait_ms), reason));
        }
        if !is_saved {
            let data = json!({"file": self.file.name()});
            self.ports.warn("The file is reported although its last records are not saved after 10 minutes", data);
        }
        state.tail = Tail::default();
        Ok(())
    }
}
