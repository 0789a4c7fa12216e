//! A dead letter that is being sent. It is sent in readable form, or compressed if that is too large. A message that is
//! still too large is sent as it was received, as by the queue's own redrive, and a stream's record in parts.

use super::parts::Part;
use super::payload;
use crate::event::{Event, Payload};
use host_adapters_platform::dead_letter::{self, attribute, attributes};
use host_adapters_platform::fifo;
use host_adapters_platform::limits::message::{MAX_MESSAGE_BYTES, bytes, is_id};
use host_adapters_records::queue::Message;
use host_adapters_records::{Attribute, Error};
use serde_json::Value;
use sha2::{Digest, Sha256};

const TRACEPARENT: &str = "traceparent";
/// The most bytes of a part: what SQS takes, and what queues take that were made while its limit was lower.
const PART_BYTES: [usize; 2] = [MAX_MESSAGE_BYTES, 256 * 1024];

/// A dead letter that is not stored yet.
#[derive(Clone, Debug)]
pub struct Unstored {
    /// The messages to be sent next: one, or those parts that the queue has not taken yet.
    pub messages: Vec<Message>,
    form: Form,
    event: Event,
    /// Why the record was given up.
    told: Vec<(&'static str, String)>,
    /// Of a stream's record.
    envelope: Option<Value>,
    /// The group in a dead letter queue that keeps an order.
    group: Option<String>,
    /// Identifies the record in its dead letter queue.
    id: String,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Readable,
    Compressed,
    AsReceived,
    /// Compressed, in messages of at most so many bytes.
    Parts(usize),
}

impl Unstored {
    /// The dead letter of a record for a queue. In a FIFO queue dead letters keep the order of their group, and one with
    /// the same `id` is not stored again.
    pub(super) fn new(
        queue: &str,
        worker: &str,
        event: Event,
        told: Vec<(&'static str, String)>,
        envelope: Option<Value>,
        id: String,
    ) -> Self {
        let group = || event.ordering_key.clone().filter(|group| is_id(group)).unwrap_or_else(|| worker.to_owned());
        let group = fifo::is_fifo(queue).then(group);
        let mut this = Self { messages: Vec::new(), form: Form::Readable, event, told, envelope, group, id };
        this.begin();
        this
    }

    /// Chooses the most readable form that a message holds.
    fn begin(&mut self) {
        (self.form, self.messages) = (Form::Readable, vec![self.readable()]);
        while self.messages.iter().any(|message| bytes(message) > MAX_MESSAGE_BYTES) && self.advance() {}
    }

    /// Changes to a smaller form. If there is none, it begins again, and returns false.
    pub(super) fn shrink(&mut self) -> bool {
        let shrunk = self.advance();
        if !shrunk {
            self.begin();
        }
        shrunk
    }

    fn advance(&mut self) -> bool {
        let smaller = match self.form {
            Form::Readable => Some((Form::Compressed, vec![self.compressed()])),
            Form::Compressed => {
                self.as_received().map(|it| (Form::AsReceived, vec![it])).or_else(|| self.in_parts(usize::MAX))
            }
            Form::AsReceived => None,
            Form::Parts(limit) => self.in_parts(limit),
        };
        let advanced = smaller.is_some();
        if let Some((form, messages)) = smaller {
            (self.form, self.messages) = (form, messages);
        }
        advanced
    }

    /// Keeps only the messages that the queue has not taken; returns why it has not taken the first of them. `errors` has
    /// an entry for each message, and more for those of other dead letters.
    pub(super) fn settle(&mut self, errors: &mut impl Iterator<Item = Option<Error>>) -> Option<Error> {
        let mut first = None;
        for (message, error) in std::mem::take(&mut self.messages).into_iter().zip(errors) {
            if error.is_some() {
                self.messages.push(message);
                first = first.or(error);
            }
        }
        first
    }

    fn readable(&self) -> Message {
        self.with_body(payload::in_envelope, payload::body)
    }

    fn compressed(&self) -> Message {
        self.with_body(payload::compressed_in_envelope, payload::compressed)
    }

    /// The body of a stream's record is its envelope; that of a message is the payload, whose encoding is an attribute.
    fn with_body(
        &self,
        in_envelope: fn(Value, &Payload, Option<&str>) -> String,
        alone: fn(&Payload) -> (String, Option<&'static str>),
    ) -> Message {
        let Event { payload, ordering_key, .. } = &self.event;
        let (body, encoding) = match &self.envelope {
            Some(envelope) => (in_envelope(envelope.clone(), payload, ordering_key.as_deref()), None),
            None => alone(payload),
        };
        let mut told = self.told.clone();
        told.extend(encoding.map(|encoding| (attribute::PAYLOAD_ENCODING, encoding.to_owned())));
        self.in_order(Message { attributes: attributes(told, own_attributes(&self.event)), ..Message::new(body) })
    }

    /// The record in parts of less than `below` bytes; `None` if there are none, or it is not a stream's.
    fn in_parts(&self, below: usize) -> Option<(Form, Vec<Message>)> {
        let mut limits = PART_BYTES.into_iter().filter(|limit| *limit < below);
        limits.find_map(|limit| Some((Form::Parts(limit), self.parts(limit)?)))
    }

    /// Parts of at most `limit` bytes, and of about the same size, so that a queue takes all or none; `None` if one
    /// message holds everything, or there is little room beside the attributes.
    fn parts(&self, limit: usize) -> Option<Vec<Message>> {
        let envelope = self.envelope.as_ref()?;
        let (text, encoding) = payload::compressed(&self.event.payload);
        let longest = Part { id: self.id_of_parts(&text, 0), part: u32::MAX, parts: u32::MAX };
        let room = limit.checked_sub(bytes(&self.part(envelope, ("", encoding), &longest)));
        let count = text.len().div_ceil(room.filter(|room| *room > limit / 4)?);
        if count < 2 {
            return None;
        }
        let pieces = text.as_bytes().chunks(text.len().div_ceil(count)).map(std::str::from_utf8);
        let pieces: Vec<&str> = pieces.collect::<Result<_, _>>().ok()?;
        let parts = u32::try_from(pieces.len()).ok()?;
        let id = self.id_of_parts(&text, parts);
        let part = |(piece, part)| self.part(envelope, (piece, encoding), &Part { id: id.clone(), part, parts });
        Some(pieces.into_iter().zip(1..).map(part).collect())
    }

    fn part(&self, envelope: &Value, (piece, encoding): (&str, Option<&'static str>), part: &Part) -> Message {
        let encoded = (piece.to_owned(), encoding);
        let body = payload::marked(envelope.clone(), encoded, self.event.ordering_key.as_deref());
        let mut told = self.told.clone();
        told.push((attribute::PART, dead_letter::json(part)));
        let message = Message { attributes: attributes(told, own_attributes(&self.event)), ..Message::new(body) };
        let deduplication_id = self.group.as_ref().map(|_| format!("{}.{}", part.id, part.part));
        Message { deduplication_id, ..self.in_order(message) }
    }

    /// What the parts of the record share. It is the same whenever the same is divided in the same way.
    fn id_of_parts(&self, text: &str, parts: u32) -> String {
        let hash = Sha256::new().chain_update(self.id.as_bytes()).chain_update(parts.to_be_bytes());
        format!("{:x}", hash.chain_update(text).finalize())
    }

    /// The message that the record was. `None` for a stream's record, and for a payload that is not text.
    fn as_received(&self) -> Option<Message> {
        let body = match &self.event.payload {
            _ if self.envelope.is_some() => return None,
            Payload::Json(text) => text.clone(),
            Payload::Bytes(bytes) => String::from_utf8(bytes.clone()).ok()?,
        };
        Some(self.in_order(Message { attributes: self.event.attributes.clone(), ..Message::new(body) }))
    }

    fn in_order(&self, message: Message) -> Message {
        let (group_id, deduplication_id) = (self.group.clone(), self.group.as_ref().map(|_| self.id.clone()));
        Message { group_id, deduplication_id, ..message }
    }
}

/// The record's own attributes. The trace context comes first, so that it is kept if not all fit.
fn own_attributes(event: &Event) -> Vec<Attribute> {
    let (own, others): (Vec<_>, Vec<_>) = event.attributes.iter().cloned().partition(|it| it.name == TRACEPARENT);
    let made = event.traceparent.as_ref().filter(|_| own.is_empty()).map(|value| Attribute::text(TRACEPARENT, value));
    own.into_iter().chain(made).chain(others).collect()
}
