//! Sends the records of dead letters back to where they came from, or drops them. A dead letter is deleted only after
//! its record is sent, so an interruption may repeat records but never loses one (docs/delivery.md, 11).
//!
//! - A queue's record goes back to its queue as a new message, with a new id, a new receive count and the record's own
//!   attributes (docs/delivery.md, 11.1), and one for the time of the first message (11.11).
//! - A stream cannot take records back. The record is handed to its worker at once, out of the stream's order, as a
//!   first delivery. Only `ack` settles it.
//! - A dead letter in parts is worked on only if all of them are named and there (docs/delivery.md, 11.10).

use crate::dead_letter::{DeadLetter, Origin, Summary, attribute, by_dead_letter, with};
use crate::dispatch::Dispatch;
use crate::event::{Attribute, Disposition, Event, Retry};
use host_adapters_platform::{Page, QueueBackend, QueueBrowser, Result, fifo};
use host_adapters_records::queue::Message;
use host_adapters_records::{Error, ErrorKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long a dead letter is invisible to others while its record is sent to a queue, or while it is dropped.
const VISIBILITY: Duration = Duration::from_secs(60);
/// How long it is invisible while a worker is called: longer than a batch may take.
const CALL_VISIBILITY: Duration = Duration::from_secs(15 * 60);
/// How many messages are read at a time to find the parts of a dead letter.
const PAGE: usize = 50;

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

/// A dead letter that is worked on.
struct Taken {
    dead_letter: DeadLetter,
    /// Ids and receipts of its messages: several if it is in parts.
    messages: Vec<(String, String)>,
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
    /// A page of the dead letters of a queue. Parts are listed one by one, because others may be on another page.
    ///
    /// # Errors
    /// When `queue` takes no dead letters, or cannot be read.
    pub async fn list(&self, queue: &str, from: Option<&str>, max: usize) -> Result<(Vec<DeadLetter>, Option<String>)> {
        let origins = self.origins(queue)?;
        let Page { messages, next } = self.browser.browse(queue, from, max).await?;
        Ok((messages.into_iter().map(|message| DeadLetter::read(queue, message, origins)).collect(), next))
    }

    /// One dead letter, which one of its messages has the id of. It is a part if others are missing.
    ///
    /// # Errors
    /// As [`Redriver::list`].
    pub async fn find(&self, queue: &str, id: &str) -> Result<Option<DeadLetter>> {
        let origins = self.origins(queue)?;
        let Some(found) = self.browser.find(queue, id).await? else { return Ok(None) };
        let found = DeadLetter::read(queue, found, origins);
        let Some(part) = &found.summary.part else { return Ok(Some(found)) };
        let parts = self.parts(queue, &part.id).await?;
        Ok(DeadLetter::joined(parts).filter(|it| it.summary.part.is_none()).or(Some(found)))
    }

    /// All parts of a dead letter that are in the queue.
    async fn parts(&self, queue: &str, of: &str) -> Result<Vec<DeadLetter>> {
        let mut parts: BTreeMap<String, DeadLetter> = BTreeMap::new();
        let (mut from, mut seen): (Option<String>, _) = (None, BTreeSet::new());
        loop {
            // To the last page: until then SQS hides what it has shown.
            let (page, next) = self.list(queue, from.as_deref(), PAGE).await?;
            // The first are visible again while a large queue is read; a page of them alone is the end.
            let count = seen.len();
            seen.extend(page.iter().map(|it| it.summary.id.clone()));
            let is_last = next.is_none() || seen.len() == count;
            let is_one = |it: &DeadLetter| it.summary.part.as_ref().is_some_and(|part| part.id == of);
            parts.extend(page.into_iter().filter(is_one).map(|it| (it.summary.id.clone(), it)));
            if is_last {
                return Ok(by_dead_letter(parts.into_values()).pop().unwrap_or_default());
            }
            from = next;
        }
    }

    /// Sends the records of these dead letters back; one outcome for each id, in order. All parts of a dead letter must be
    /// named.
    ///
    /// # Errors
    /// As [`Redriver::list`]; nothing is sent then.
    pub async fn redrive(&self, queue: &str, ids: &[String]) -> Result<Vec<Outcome>> {
        let origins = self.origins(queue)?;
        let mut outcomes = BTreeMap::new();
        let mut settled = Vec::new();
        let calls = origins.iter().any(|origin| self.way(&origin.source) == Ok(Way::Worker));
        let visibility = if calls { CALL_VISIBILITY } else { VISIBILITY };
        for taken in self.take(queue, ids, visibility, origins).await? {
            match self.send_back(&taken.dead_letter, origins).await {
                Ok(()) => settled.push(taken),
                Err(why) => self.keep(queue, taken, &why, &mut outcomes).await,
            }
        }
        self.delete(queue, settled, &Outcome::Redriven, &mut outcomes).await;
        Ok(in_order(ids, &outcomes))
    }

    /// Deletes these dead letters for good; one outcome for each id, in order. All parts of a dead letter must be named.
    ///
    /// # Errors
    /// As [`Redriver::list`]; nothing is deleted then.
    pub async fn discard(&self, queue: &str, ids: &[String]) -> Result<Vec<Outcome>> {
        let origins = self.origins(queue)?;
        let (mut outcomes, mut settled) = (BTreeMap::new(), Vec::new());
        for taken in self.take(queue, ids, VISIBILITY, origins).await? {
            match taken.dead_letter.check_whole() {
                Ok(()) => settled.push(taken),
                Err(why) => self.keep(queue, taken, &why, &mut outcomes).await,
            }
        }
        self.delete(queue, settled, &Outcome::Dropped, &mut outcomes).await;
        Ok(in_order(ids, &outcomes))
    }

    /// Receives these messages, and joins parts.
    async fn take(&self, queue: &str, ids: &[String], visibility: Duration, origins: &[Origin]) -> Result<Vec<Taken>> {
        let (mut receipts, mut dead_letters) = (BTreeMap::new(), Vec::new());
        for message in self.browser.take(queue, ids, visibility).await? {
            receipts.insert(message.id.clone(), message.receipt.clone());
            dead_letters.push(DeadLetter::read(queue, message, origins));
        }
        let taken = |group: Vec<DeadLetter>| {
            let messages = group.iter().filter_map(|it| receipts.remove_entry(&it.summary.id)).collect();
            Some(Taken { dead_letter: DeadLetter::joined(group)?, messages })
        };
        Ok(by_dead_letter(dead_letters).into_iter().filter_map(taken).collect())
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
    async fn send_back(&self, dead_letter: &DeadLetter, origins: &[Origin]) -> std::result::Result<(), String> {
        dead_letter.check_whole()?;
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
                let first_ms = dead_letter.summary.first_ms.to_string();
                let message = with(message, Attribute::text(attribute::SOURCE_TIMESTAMP, first_ms));
                // A new message: the queue must not deduplicate it against the one that failed.
                let deduplication_id = fifo::is_fifo(name).then(|| dead_letter.summary.id.clone());
                self.send(name, Message { deduplication_id, ..message }).await
            }
            _ => {
                let mut event = (recovery.event)(dead_letter)?;
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
        settled: Vec<Taken>,
        outcome: &Outcome,
        outcomes: &mut BTreeMap<String, Outcome>,
    ) {
        let receipts: Vec<_> = settled.iter().flat_map(|taken| receipts(&taken.messages)).collect();
        if receipts.is_empty() {
            return;
        }
        let errors = match self.queues.delete_batch(queue, &receipts).await {
            Ok(errors) => errors,
            Err(error) => vec![Some(error); receipts.len()],
        };
        let mut errors = errors.into_iter();
        for Taken { messages, .. } in settled {
            let failed: Vec<Error> = messages.iter().zip(&mut errors).filter_map(|(_, error)| error).collect();
            let kept = |error: &Error| match failed.len() == messages.len() {
                true => format!("it could not be deleted, and can be redriven again: {error}"),
                false => {
                    format!("some of its parts could not be deleted, and stay until their queue drops them: {error}")
                }
            };
            let outcome = failed.first().map_or_else(|| outcome.clone(), |error| Outcome::Kept(kept(error)));
            outcomes.extend(messages.iter().map(|(id, _)| (id.clone(), outcome.clone())));
        }
    }

    /// Makes a dead letter visible again at once. If that fails, it becomes visible after its visibility timeout.
    async fn keep(&self, queue: &str, taken: Taken, why: &str, outcomes: &mut BTreeMap<String, Outcome>) {
        let visible: Vec<_> = receipts(&taken.messages).map(|receipt| (receipt, Duration::ZERO)).collect();
        outcomes.extend(taken.messages.into_iter().map(|(id, _)| (id, Outcome::Kept(why.to_owned()))));
        if let Err(error) = self.queues.change_visibility_batch(queue, &visible).await {
            tracing::warn!(queue, %error, "dead letter not made visible again: it cannot be redriven for some minutes");
        }
    }
}

fn receipts(messages: &[(String, String)]) -> impl Iterator<Item = String> {
    messages.iter().map(|(_, receipt)| receipt.clone())
}

fn in_order(ids: &[String], outcomes: &BTreeMap<String, Outcome>) -> Vec<Outcome> {
    ids.iter().map(|id| outcomes.get(id).cloned().unwrap_or(Outcome::Missing)).collect()
}
