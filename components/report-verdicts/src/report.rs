//! The steps of a batch: one read of all counts, one write of all claims, then the posts, each with its confirmations, and
//! at last one call for all delayed copies.

use crate::campaign::{Campaign, Outcome, Posted, Sent, Telling};
use crate::ports::Ports;
use scoring::counts::Counts;
use scoring::report::{self, Message, Source};
use scoring::table::Key;
use scoring_io::table::{Table, changes};
use serde_json::json;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::{ServiceError, isolate_by};
use worker_kit::{Disposition, calls};

/// Campaigns of one message. Slack recommends texts of 4,000 characters at most, and accepts 40,000.
const PER_POST: usize = 20;

/// A report is late when Slack has it this many milliseconds after its file's end, or a selection's after its message
/// was sent (scoring, "Notification Timeliness").
const LATE_MS: u64 = 60_000;

/// The age of reports when Slack has them, by their source.
const REPORT_SECONDS: &str = "report_seconds";

/// Waits before the confirmation is written again, milliseconds. Without it the report is posted twice, so it is worth
/// several attempts.
const CONFIRMATION_WAITS_MS: [u64; 3] = [100, 500, 2_000];

/// Reports the messages of a batch. Each of them is settled.
pub async fn report(ports: &impl Ports, sent: Vec<(usize, Sent)>) -> Vec<(usize, Disposition)> {
    let now_ms = ports.now_ms();
    let (campaigns, mut settled) = read(ports, sent).await;
    let tellings: Vec<_> = campaigns.iter().map(|campaign| campaign.telling(now_ms)).collect();
    let all_posted = tell(ports, &campaigns, &tellings).await;
    let mut copies = Copies::default();
    for ((campaign, telling), posted) in campaigns.iter().zip(&tellings).zip(all_posted) {
        let (outcomes, warnings) = campaign.outcomes(now_ms, telling.as_ref().zip(posted));
        for warning in warnings {
            ports.warn("Counts not reached", json!({"campaignId": campaign.id, "warning": warning}));
        }
        for (index, outcome) in outcomes {
            match outcome {
                Outcome::Settled(disposition) => settled.push((index, disposition)),
                Outcome::Later(copy) => copies.add(index, copy),
            }
        }
    }
    settled.extend(copies.send(ports).await);
    settled
}

/// The campaigns of a batch with what the table has of them, and the messages for which that cannot be read.
async fn read(ports: &impl Ports, sent: Vec<(usize, Sent)>) -> (Vec<Campaign>, Vec<(usize, Disposition)>) {
    let mut by_campaign: BTreeMap<String, Vec<(usize, Sent)>> = BTreeMap::new();
    for (index, sent) in sent {
        by_campaign.entry(sent.message.campaign_id.clone()).or_default().push((index, sent));
    }
    let keys: Vec<Key> = by_campaign.keys().flat_map(|id| [Counts::key(id), report::key(id)]).collect();
    // An id that the table refuses as a key does not affect other campaigns.
    let items = calls::each(&keys, async |keys| ports.table().read(keys).await).await;
    let (mut campaigns, mut settled) = (vec![], vec![]);
    for ((id, sent), items) in by_campaign.into_iter().zip(items.chunks(2)) {
        let indices: Vec<_> = sent.iter().map(|(index, _)| *index).collect();
        match campaign(&id, sent, items) {
            Ok(campaign) => campaigns.push(campaign),
            Err(disposition) => settled.extend(indices.into_iter().map(|index| (index, disposition.clone()))),
        }
    }
    (campaigns, settled)
}

/// The campaign, of its two items. The error is the disposition of its messages.
fn campaign(
    id: &str,
    sent: Vec<(usize, Sent)>,
    items: &[Result<Option<String>, Error>],
) -> Result<Campaign, Disposition> {
    if let Some(error) = items.iter().find_map(|item| item.as_ref().err()) {
        return Err(error.disposition());
    }
    let item = |at: usize| items.get(at)?.as_ref().ok()?.as_deref();
    Campaign::read(id, sent, [item(0), item(1)]).map_err(Disposition::retry)
}

/// A campaign that is posted to Slack: its place in the batch, and the post.
type Part<'a> = (usize, &'a Campaign, &'a Telling);

/// Posts the campaigns to Slack, many in one message, because it accepts one message a second. Returns the outcome of
/// each.
async fn tell(ports: &impl Ports, campaigns: &[Campaign], tellings: &[Option<Telling>]) -> Vec<Option<Posted>> {
    let mut all_posted = vec![None; campaigns.len()];
    let claims = tellings.iter().flatten().filter_map(|telling| telling.claim.clone()).collect();
    let mut claims = changes(ports.table(), claims).await.into_iter();
    let mut parts: Vec<Part<'_>> = vec![];
    for ((place, campaign), telling) in campaigns.iter().enumerate().zip(tellings) {
        let Some(telling) = telling else { continue };
        let failed = telling.claim.as_ref().and_then(|_| claims.next().flatten());
        match (failed, all_posted.get_mut(place)) {
            (None, _) => parts.push((place, campaign, telling)),
            (Some(error), Some(posted)) if error.kind == ErrorKind::ConditionFailed => *posted = Some(Posted::Another),
            (Some(error), Some(posted)) => *posted = Some(Posted::Failed(error.disposition())),
            (Some(_), None) => {}
        }
    }
    let down = RefCell::new(None::<ServiceError>);
    let send = async |parts: &[Part<'_>]| {
        // The others would only wait for the same answer.
        let before = down.borrow().clone();
        before.map_or(Ok(()), Err)?;
        let posted = post(ports, parts).await;
        if let Err(error) = &posted {
            down.replace(Some(error.clone()).filter(|error| !error.is_refusal()));
        }
        posted?;
        // At once: a host that is killed before this is done posts the report twice.
        Ok(confirm(ports, parts).await)
    };
    for (parts, told) in isolate_by(PER_POST, parts, 1, send).await {
        let told = told.unwrap_or_else(|error| {
            let campaigns: Vec<_> = parts.iter().map(|(_, campaign, _)| campaign.id.as_str()).collect();
            ports.failed("Verdicts not reported", &error, json!({"campaignIds": campaigns}));
            vec![Posted::Failed(error.disposition()); parts.len()]
        });
        for ((place, ..), posted) in parts.into_iter().zip(told) {
            all_posted.get_mut(place).into_iter().for_each(|it| *it = Some(posted.clone()));
        }
    }
    all_posted
}

/// Posts one message, with the text of each campaign on separate lines.
async fn post(ports: &impl Ports, parts: &[Part<'_>]) -> Result<(), ServiceError> {
    let campaign_ids: Vec<_> = parts.iter().map(|(_, campaign, _)| campaign.id.as_str()).collect();
    let texts: Vec<_> = parts.iter().map(|(_, _, telling)| telling.text.as_str()).collect();
    let age_ms = parts.iter().map(|(_, _, telling)| telling.age_ms).max().unwrap_or_default();
    let text = texts.join("\n");
    let data = json!({"campaignIds": campaign_ids, "text": text, "ageMs": age_ms});
    let posted = ports.post(&campaign_ids, &text).await;
    for (_, _, telling) in parts.iter().filter(|_| posted.is_ok()) {
        let of = match telling.source {
            Source::Scoring => "scoring",
            Source::Selection => "selection",
        };
        ports.observe(REPORT_SECONDS, Duration::from_millis(telling.age_ms).as_secs_f64(), &[("of", of)]);
    }
    match posted {
        Ok(()) if age_ms > LATE_MS => ports.warn("Verdicts reported late", data),
        Ok(()) => ports.info("Verdicts told to Slack", data),
        // An application without Slack: the log has the report.
        Err(ServiceError::NotThere { .. }) => ports.info("Verdicts reported here, since Slack is not set up", data),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Records that Slack has the posted counts.
async fn confirm(ports: &impl Ports, parts: &[Part<'_>]) -> Vec<Posted> {
    let mut all_posted = vec![Posted::Told; parts.len()];
    let mut waits = CONFIRMATION_WAITS_MS.into_iter();
    let mut open: Vec<usize> = (0..parts.len()).collect();
    loop {
        let confirmations =
            open.iter().filter_map(|place| parts.get(*place)).map(|(_, _, telling)| telling.confirmation.clone());
        let mut results = changes(ports.table(), confirmations.collect()).await.into_iter();
        open.retain(|place| {
            let result = results.next().flatten();
            let posted = match &result {
                None => Posted::Told,
                Some(error) if error.kind == ErrorKind::ConditionFailed => Posted::Overtaken,
                Some(error) => Posted::Failed(error.disposition()),
            };
            all_posted.get_mut(*place).into_iter().for_each(|it| *it = posted.clone());
            matches!(posted, Posted::Failed(_)) && result.is_some_and(|error| error.is_retryable())
        });
        let Some(wait) = waits.next().filter(|_| !open.is_empty()) else { break };
        ports.wait(Duration::from_millis(wait)).await;
    }
    for ((_, campaign, _), posted) in parts.iter().zip(&all_posted) {
        if let Posted::Failed(why) = posted {
            let data = json!({"campaignId": campaign.id, "problem": format!("{why:?}")});
            ports.warn("Report not recorded; Slack gets it again", data);
        }
    }
    all_posted
}

/// Delayed copies, each with the messages that it replaces. Copies that differ only in the time of their first message
/// are merged.
#[derive(Default)]
struct Copies {
    copies: Vec<Message>,
    stand_for: Vec<Vec<usize>>,
}

impl Copies {
    fn add(&mut self, index: usize, copy: Message) {
        let is_same = |other: &Message| Message { since_ms: copy.since_ms, ..other.clone() } == copy;
        let known = self.copies.iter_mut().zip(&mut self.stand_for).find(|(other, _)| is_same(other));
        match known {
            Some((other, indices)) => {
                other.since_ms = other.since_ms.min(copy.since_ms);
                indices.push(index);
            }
            None => {
                self.copies.push(copy);
                self.stand_for.push(vec![index]);
            }
        }
    }

    /// Sends them; returns the disposition of each message.
    async fn send(self, ports: &impl Ports) -> Vec<(usize, Disposition)> {
        if self.copies.is_empty() {
            return vec![];
        }
        let mut results = match ports.send(&self.copies).await {
            Ok(results) => results,
            Err(error) => vec![Err(error); self.copies.len()],
        }
        .into_iter();
        let mut settled = vec![];
        for indices in self.stand_for {
            let disposition = match results.next() {
                Some(Ok(_)) => Disposition::Ack,
                Some(Err(error)) => error.disposition(),
                None => Disposition::retry("verdictReporterQueue: the response does not mention the message"),
            };
            settled.extend(indices.into_iter().map(|index| (index, disposition.clone())));
        }
        settled
    }
}
