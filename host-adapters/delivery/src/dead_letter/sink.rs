//! Stores dead letters: the payload of the record and, in attributes, who gave it up and why.

use super::payload;
use crate::dead_letter::{self, attribute};
use crate::event::Event;
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::QueueBackend;
use host_adapters_platform::dead_letter::is_queue_char;
use host_adapters_records::queue::Message;
use host_adapters_records::{Attribute, Error, ErrorKind};
use serde_json::Value;
use std::sync::Arc;

/// Most bytes of a reason. It may be a guest's whole backtrace, and counts towards the size of the message.
const MAX_REASON: usize = 1024;

const TRACEPARENT: &str = "traceparent";

/// The dead letter queue of one source.
#[derive(Clone)]
pub struct DeadLetterSink {
    /// Its name.
    pub queue: String,
    backend: Arc<dyn QueueBackend>,
    worker: String,
}

/// Who gave up on a record and why.
#[derive(Clone, Debug)]
pub struct Cause<'a> {
    /// The reason, for people to read.
    pub reason: &'a str,
    /// Digest of the component that handled it last.
    pub digest: &'a str,
}

impl DeadLetterSink {
    /// Sends the dead letters of `worker` to `queue`.
    pub fn new(backend: Arc<dyn QueueBackend>, queue: String, worker: &str) -> Self {
        Self { queue, backend, worker: worker.to_owned() }
    }

    /// Makes the dead letter of a record, with the payload as the body.
    pub fn message(&self, event: &Event, cause: &Cause<'_>) -> Message {
        let (body, encoding) = payload::body(&event.payload);
        let told = [
            (attribute::ORDERING_KEY, event.ordering_key.clone().unwrap_or_default()),
            (attribute::PAYLOAD_ENCODING, encoding.unwrap_or_default().to_owned()),
        ];
        self.dead_letter(event, body, cause, told)
    }

    /// Makes the dead letter of a stream's record, with `envelope` and the record as the body. Also returns the body
    /// without the record, for a record that is too large for a queue.
    pub fn stream(&self, event: &Event, envelope: Value, cause: &Cause<'_>) -> (Message, String) {
        let bare = envelope.to_string();
        let body = payload::in_envelope(envelope, &event.payload, event.ordering_key.as_deref());
        (self.dead_letter(event, body, cause, []), bare)
    }

    fn dead_letter<const N: usize>(
        &self,
        event: &Event,
        body: String,
        cause: &Cause<'_>,
        more: [(&'static str, String); N],
    ) -> Message {
        let mut told = vec![
            (attribute::REASON, shortened(cause.reason)),
            (attribute::ATTEMPT, event.attempt.to_string()),
            (attribute::WORKER, self.worker.clone()),
            (attribute::SOURCE, event.source.clone()),
            (attribute::SOURCE_MESSAGE_ID, event.id.clone()),
            (attribute::SOURCE_TIMESTAMP, event.time_ms.to_string()),
            (attribute::DIGEST, cause.digest.to_owned()),
        ];
        told.extend(more);
        let attributes = dead_letter::attributes(told, own_attributes(event));
        Message { attributes, ..Message::new(body) }
    }

    /// Stores dead letters. Returns one entry for each, in order: the error if it was not stored.
    pub async fn send(&self, dead_letters: Vec<Message>) -> Vec<Option<Error>> {
        let count = dead_letters.len();
        if count == 0 {
            return Vec::new();
        }
        let sent = self.backend.send_batch(&self.queue, dead_letters).await;
        if sent.is_ok() {
            failpoint::reached(Step::DeadLetter);
        }
        let (mut errors, unanswered) = match sent {
            Ok(answers) => {
                let errors: Vec<_> = answers.into_iter().map(Result::err).collect();
                (
                    errors,
                    Error::new(
                        ErrorKind::Unavailable,
                        format!("{}: the response does not mention the message", self.queue),
                    ),
                )
            }
            Err(error) => (Vec::new(), error),
        };
        errors.resize(count, Some(unanswered));
        errors
    }
}

/// The record's own attributes. The trace context comes first, so that it is kept if not all fit.
fn own_attributes(event: &Event) -> Vec<Attribute> {
    let (own, others): (Vec<_>, Vec<_>) = event.attributes.iter().cloned().partition(|it| it.name == TRACEPARENT);
    let made = event.traceparent.as_ref().filter(|_| own.is_empty()).map(|value| Attribute::text(TRACEPARENT, value));
    own.into_iter().chain(made).chain(others).collect()
}

/// Without characters that a queue refuses: a worker may take its reason from a record or a service.
fn shortened(reason: &str) -> String {
    let end = reason.char_indices().map(|(at, _)| at).take_while(|at| *at <= MAX_REASON).last().unwrap_or(0);
    let short = if reason.len() <= MAX_REASON { reason } else { reason.get(..end).unwrap_or_default() };
    let kept = |c| if is_queue_char(c) { c } else { char::REPLACEMENT_CHARACTER };
    if short.is_empty() { "unnamed".to_owned() } else { short.chars().map(kept).collect() }
}
