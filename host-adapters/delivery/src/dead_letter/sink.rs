//! Stores dead letters: the payload of the record and, in attributes, who gave it up and why.

use super::cause::Details;
use super::{Cause, Unstored};
use crate::dead_letter::attribute;
use crate::event::{Event, cut};
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::QueueBackend;
use host_adapters_platform::dead_letter;
use host_adapters_records::{Error, ErrorKind, is_queue_char};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Most bytes of a reason. It may be a guest's whole backtrace, and counts towards the size of the message.
const MAX_REASON: usize = 1024;

/// The dead letter queue of one source.
#[derive(Clone)]
pub struct DeadLetterSink {
    /// Its name.
    pub queue: String,
    backend: Arc<dyn QueueBackend>,
    worker: String,
}

impl DeadLetterSink {
    /// Sends the dead letters of `worker` to `queue`.
    pub fn new(backend: Arc<dyn QueueBackend>, queue: String, worker: &str) -> Self {
        Self { queue, backend, worker: worker.to_owned() }
    }

    /// Makes the dead letter of a record, with the payload as the body.
    pub fn message(&self, event: &Event, cause: &Cause<'_>) -> Unstored {
        let told = self.told(event, cause, event.ordering_key.clone());
        // As when SQS moves a message, its id takes the place of its deduplication id.
        let id = event.id.clone();
        Unstored::new(&self.queue, &self.worker, event.clone(), told, None, id)
    }

    /// Makes the dead letter of a record of a stream's `shard`, with `envelope` and the record as the body.
    pub fn stream(&self, event: &Event, shard: &str, envelope: Value, cause: &Cause<'_>) -> Unstored {
        let (told, id) = (self.told(event, cause, None), self.id_of(event, shard));
        Unstored::new(&self.queue, &self.worker, event.clone(), told, Some(envelope), id)
    }

    /// Identifies the dead letter of a stream's record in its queue. A sequence number is unique only in its shard, and
    /// several workers may give the record up.
    fn id_of(&self, event: &Event, shard: &str) -> String {
        let mut hash = Sha256::new();
        for part in [&*self.worker, &event.source, shard, &event.id] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        format!("{:x}", hash.finalize())
    }

    fn told(&self, event: &Event, cause: &Cause<'_>, ordering_key: Option<String>) -> Vec<(&'static str, String)> {
        vec![
            (attribute::REASON, shortened(cause.reason)),
            (attribute::ATTEMPT, event.attempt.to_string()),
            (attribute::WORKER, self.worker.clone()),
            (attribute::SOURCE, event.source.clone()),
            (attribute::SOURCE_MESSAGE_ID, event.id.clone()),
            (attribute::DIGEST, cause.digest.to_owned()),
            (attribute::DETAILS, dead_letter::json(&Details::new(event, cause, ordering_key))),
        ]
    }

    /// Stores dead letters. Returns one entry for each, in order: the error if it was not stored. One that the queue
    /// does not accept is sent in a smaller form.
    pub async fn send(&self, mut dead_letters: Vec<Unstored>) -> Vec<Option<Error>> {
        self.send_what_is_left(&mut dead_letters).await
    }

    /// As [`Self::send`]. Dead letters that were not stored can be sent again, without the parts that were.
    pub(crate) async fn send_what_is_left(&self, dead_letters: &mut [Unstored]) -> Vec<Option<Error>> {
        let mut errors = self.send_once(dead_letters.iter_mut().collect()).await;
        loop {
            let refused = |error: &Option<Error>| error.as_ref().is_some_and(|error| error.kind == ErrorKind::Invalid);
            let (mut again, mut smaller) = (Vec::new(), Vec::new());
            for (error, dead_letter) in errors.iter_mut().zip(&mut *dead_letters) {
                if refused(error) && dead_letter.shrink() {
                    again.push(error);
                    smaller.push(dead_letter);
                }
            }
            if again.is_empty() {
                return errors;
            }
            for (error, sent) in again.into_iter().zip(self.send_once(smaller).await) {
                *error = sent;
            }
        }
    }

    async fn send_once(&self, dead_letters: Vec<&mut Unstored>) -> Vec<Option<Error>> {
        if dead_letters.is_empty() {
            return Vec::new();
        }
        let messages: Vec<_> = dead_letters.iter().flat_map(|dead_letter| dead_letter.messages.clone()).collect();
        let count = messages.len();
        let sent = self.backend.send_batch(&self.queue, messages).await;
        if sent.is_ok() {
            failpoint::reached(Step::DeadLetter);
        }
        let unmentioned = || format!("{}: the response does not mention the message", self.queue);
        let (mut errors, unanswered) = match sent {
            Ok(answers) => {
                let errors: Vec<_> = answers.into_iter().map(Result::err).collect();
                (errors, Error::new(ErrorKind::Unavailable, unmentioned()))
            }
            Err(error) => (Vec::new(), error),
        };
        errors.resize(count, Some(unanswered));
        let mut errors = errors.into_iter();
        dead_letters.into_iter().map(|dead_letter| dead_letter.settle(&mut errors)).collect()
    }
}

/// The text without characters that a queue refuses: a worker's reason may come from a record or a service.
fn shortened(reason: &str) -> String {
    let short = cut(reason, MAX_REASON);
    let kept = |c| if is_queue_char(c) { c } else { char::REPLACEMENT_CHARACTER };
    if short.is_empty() { "unnamed".to_owned() } else { short.chars().map(kept).collect() }
}
