//! Sends the records of dead letters back to where they came from, or drops them. A dead letter is deleted only after
//! its record is sent, so an interruption may repeat records but never loses one (docs/delivery.md, 11).
//!
//! - A queue's record goes back to its queue as a new message, with a new id, a new receive count and the record's own
//!   attributes (docs/delivery.md, 11.1).
//! - A stream cannot take records back. The record is handed to its worker at once, out of the stream's order, as a
//!   first delivery. Only `ack` settles it.

use crate::dead_letter::{DeadLetter, Origin, Summary, with};
use crate::dispatch::Dispatch;
use crate::event::{Attribute, Disposition, Event, Retry};
use host_adapters_platform::{Page, QueueBackend, QueueBrowser, Received, Result, fifo};
use host_adapters_records::queue::Message;
use host_adapters_records::{Error, ErrorKind};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a dead letter is invisible to others while its record is sent to a queue, or while it is dropped.
const VISIBILITY: Duration = Duration::from_secs(60);
/// How long it is invisible while a worker is called: longer than a batch may take.
const CALL_VISIBILITY: Duration = Duration::from_secs(15 * 60);

/// The attribute of a record that was sent back (docs/delivery.md, 11.9).
pub const REDRIVEN: &str = "redriven";

/// How the records of one kind of source go back.
#[derive(Clone, Copy)]
pub struct Recovery {
    /// Where to.
    pub way: Way,
    /// Converts a dead letter to the event for its worker.
    pub event: fn(&DeadLetter) -> std::result::Result<Event, String>,
}

/// Where records go back to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// To the queue that they came from.
    Queue,
    /// To the worker, at once.
    Worker,
}

/// How records of a kind of source go back; `None` if there is no such kind.
pub type Recoveries = fn(kind: &str) -> Option<Recovery>;

impl Recovery {
    /// How records of `source`, `<kind>:<name>`, go back.
    ///
    /// # Errors
    /// When there is no such kind of source.
    pub fn of(recoveries: Recoveries, source: &str) -> std::result::Result<Self, String> {
        let kind = source.split_once(':').map_or(source, |(kind, _)| kind);
        recoveries(kind).ok_or_else(|| format!("there is no kind of source `{kind}` that its record could go back to"))
    }
}

/// Works on dead letters.
#[derive(Clone)]
pub struct Redriver {
    /// The dead letter queues, and the queues that records go back to.
    pub queues: Arc<dyn QueueBackend>,
    /// Finds dead letters.
    pub browser: Arc<dyn QueueBrowser>,
    /// Takes the records of streams.
    pub dispatch: Arc<dyn Dispatch>,
    /// How records go back.
    pub recoveries: Recoveries,
    /// The dead letter queues, and what feeds each.
    pub origins: Arc<BTreeMap<String, Vec<Origin>>>,
}

/// The outcome for one dead letter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Its record was sent back, or handled; the dead letter is gone.
    Redriven,
    /// The dead letter is gone.
    Dropped,
    /// The dead letter no longer exists, or another operator is processing it.
    Missing,
    /// The dead letter stays in its queue, for this reason.
    Kept(String),
}

impl Redriver {
    /// A page of the dead letters of a queue.
    ///
    /// # Errors
    /// When `queue` takes no dead letters, or cannot be read.
    pub async fn list(&self, queue: &str, from: Option<&str>, max: usize) -> Result<(Vec<DeadLetter>, Option<String>)> {
        let origins = self.origins(queue)?;
        let Page { messages, next } = self.browser.browse(queue, from, max).await?;
        Ok((messages.into_iter().map(|message| DeadLetter::read(queue, message, origins)).collect(), next))
    }

    /// One dead letter.
    ///
    /// # Errors
    /// As [`Redriver::list`].
    pub async fn find(&self, queue: &str, id: &str) -> Result<Option<DeadLetter>> {
        let origins = self.origins(queue)?;
        let found = self.browser.find(queue, id).await?;
        Ok(found.map(|message| DeadLetter::read(queue, message, origins)))
    }

    /// Sends the records of these dead letters back; one outcome for each id, in order.
    ///
    /// # Errors
    /// As [`Redriver::list`]; nothing is sent then.
    pub async fn redrive(&self, queue: &str, ids: &[String]) -> Result<Vec<Outcome>> {
        let origins = self.origins(queue)?;
        let mut outcomes = BTreeMap::new();
        let mut settled = Vec::new();
        let calls = origins.iter().any(|origin| self.way(&origin.source) == Ok(Way::Worker));
        let visibility = if calls { CALL_VISIBILITY } else { VISIBILITY };
        for message in self.browser.take(queue, ids, visibility).await? {
            let (id, receipt) = (message.id.clone(), message.receipt.clone());
            match self.send_back(queue, message, origins).await {
                Ok(()) => settled.push((id, receipt)),
                Err(why) => {
                    self.put_back(queue, receipt).await;
                    outcomes.insert(id, Outcome::Kept(why));
                }
            }
        }
        self.delete(queue, settled, &Outcome::Redriven, &mut outcomes).await;
        Ok(in_order(ids, &outcomes))
    }

    /// Deletes these dead letters for good; one outcome for each id, in order.
    ///
    /// # Errors
    /// As [`Redriver::list`]; nothing is deleted then.
    pub async fn discard(&self, queue: &str, ids: &[String]) -> Result<Vec<Outcome>> {
        self.origins(queue)?;
        let taken = self.browser.take(queue, ids, VISIBILITY).await?;
        let taken = taken.into_iter().map(|message| (message.id, message.receipt)).collect();
        let mut outcomes = BTreeMap::new();
        self.delete(queue, taken, &Outcome::Dropped, &mut outcomes).await;
        Ok(in_order(ids, &outcomes))
    }

    fn origins(&self, queue: &str) -> Result<&[Origin]> {
        self.origins.get(queue).map(Vec::as_slice).ok_or_else(|| {
            let known: Vec<_> = self.origins.keys().map(|name| format!("`{name}`")).collect();
            let message = format!("`{queue}` takes no dead letters; those that do: {}", known.join(", "));
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// Sends a record only to a source that feeds this queue: senders of messages must not choose by attributes where
    /// they go.
    async fn send_back(&self, queue: &str, message: Received, origins: &[Origin]) -> std::result::Result<(), String> {
        let dead_letter = DeadLetter::read(queue, message, origins);
        let Summary { source, worker, .. } = &dead_letter.summary;
        let to_queue = self.way(source) == Ok(Way::Queue);
        let of_source = || origins.iter().filter(|it| it.source == *source);
        let any = || if to_queue { of_source().next() } else { None };
        let Some(origin) = of_source().find(|it| it.worker == *worker).or_else(any) else {
            return Err(format!("by spin.toml, dead letters of `{worker}` from `{source}` do not come to this queue"));
        };
        let recovery = Recovery::of(self.recoveries, source)?;
        match (recovery.way, &origin.queue) {
            (Way::Queue, Some(name)) => {
                let message = with(dead_letter.message()?, Attribute::text(REDRIVEN, "true"));
                // A new message: the queue must not deduplicate it against the one that failed.
                let deduplication_id = fifo::is_fifo(name).then(|| dead_letter.summary.id.clone());
                self.send(name, Message { deduplication_id, ..message }).await
            }
            _ => {
                let mut event = (recovery.event)(&dead_letter)?;
                event.attributes.push(Attribute::text(REDRIVEN, "true"));
                self.hand_over(&origin.worker, event).await
            }
        }
    }

    fn way(&self, source: &str) -> std::result::Result<Way, String> {
        Recovery::of(self.recoveries, source).map(|recovery| recovery.way)
    }

    async fn send(&self, queue: &str, message: Message) -> std::result::Result<(), String> {
        let sent = self.queues.send_batch(queue, vec![message]).await.and_then(|answers| {
            let missing = || Error::new(ErrorKind::Unavailable, "the response does not mention the message");
            answers.into_iter().next().map_or_else(|| Err(missing()), Result::from)
        });
        sent.map(drop).map_err(|error| format!("{queue}: {error}"))
    }

    async fn hand_over(&self, worker: &str, event: Event) -> std::result::Result<(), String> {
        let dispatched = self.dispatch.dispatch(worker, vec![event]).await;
        let outages = dispatched.outages.join(", ");
        match dispatched.result.map(|dispositions| dispositions.into_iter().next()) {
            Ok(Some(Disposition::Ack | Disposition::Skip(_))) => Ok(()),
            Ok(Some(Disposition::Reject(reason))) => Err(format!("{worker} rejected it: {reason}")),
            Ok(Some(Disposition::GiveUp(reason))) => Err(format!("{worker} gave it up: {reason}")),
            Ok(answer) => {
                let Some(Disposition::Retry(Retry { reason, .. })) = answer else {
                    return Err(format!("{worker} answered no disposition"));
                };
                let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                let down = if outages.is_empty() { String::new() } else { format!(" while this was down: {outages}") };
                Err(format!("{worker} answered retry{down}{reason}"))
            }
            Err(failure) => Err(failure.to_string()),
        }
    }

    async fn delete(
        &self,
        queue: &str,
        settled: Vec<(String, String)>,
        outcome: &Outcome,
        outcomes: &mut BTreeMap<String, Outcome>,
    ) {
        let (ids, receipts): (Vec<_>, Vec<_>) = settled.into_iter().unzip();
        if receipts.is_empty() {
            return;
        }
        let errors = match self.queues.delete_batch(queue, &receipts).await {
            Ok(errors) => errors,
            Err(error) => vec![Some(error); receipts.len()],
        };
        for (id, error) in ids.into_iter().zip(errors) {
            let kept =
                |error: Error| Outcome::Kept(format!("it could not be deleted, and can be redriven again: {error}"));
            outcomes.insert(id, error.map_or_else(|| outcome.clone(), kept));
        }
    }

    /// Makes a dead letter visible again at once. If that fails, it becomes visible after its visibility timeout.
    async fn put_back(&self, queue: &str, receipt: String) {
        let changed = self.queues.change_visibility_batch(queue, &[(receipt, Duration::ZERO)]).await;
        if let Err(error) = changed {
            tracing::warn!(queue, %error, "dead letter not made visible again: it cannot be redriven for some minutes");
        }
    }
}

fn in_order(ids: &[String], outcomes: &BTreeMap<String, Outcome>) -> Vec<Outcome> {
    ids.iter().map(|id| outcomes.get(id).cloned().unwrap_or(Outcome::Missing)).collect()
}
