//! A dead letter that is being sent. It is sent in readable form, or compressed if that is too large. A message that is
//! still too large is sent as it was received, as by the queue's own redrive.

use super::payload;
use crate::event::{Event, Payload};
use host_adapters_platform::dead_letter::{attribute, attributes};
use host_adapters_platform::fifo;
use host_adapters_platform::limits::message::{MAX_MESSAGE_BYTES, bytes, is_id};
use host_adapters_records::Attribute;
use host_adapters_records::queue::Message;
use serde_json::Value;

const TRACEPARENT: &str = "traceparent";

/// A dead letter that is not stored yet.
#[derive(Clone, Debug)]
pub struct Unstored {
    /// The message that is sent next.
    pub message: Message,
    form: Form,
    event: Event,
    /// Why the record was given up.
    told: Vec<(&'static str, String)>,
    /// Of a stream's record.
    envelope: Option<Value>,
    /// The group and the deduplication id in a dead letter queue that keeps an order.
    order: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Readable,
    Compressed,
    AsReceived,
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
        let order = fifo::is_fifo(queue).then(|| (group(), id));
        let mut this = Self { message: Message::new(""), form: Form::Readable, event, told, envelope, order };
        this.message = this.readable();
        while bytes(&this.message) > MAX_MESSAGE_BYTES && this.shrink() {}
        this
    }

    /// Changes to a smaller form; false if there is none.
    pub(super) fn shrink(&mut self) -> bool {
        let smaller = match self.form {
            Form::Readable => Some((Form::Compressed, self.compressed())),
            Form::Compressed => self.as_received().map(|message| (Form::AsReceived, message)),
            Form::AsReceived => None,
        };
        let shrunk = smaller.is_some();
        if let Some((form, message)) = smaller {
            (self.form, self.message) = (form, message);
        }
        shrunk
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
        let (group_id, deduplication_id) = self.order.clone().unzip();
        Message { group_id, deduplication_id, ..message }
    }
}

/// The record's own attributes. The trace context comes first, so that it is kept if not all fit.
fn own_attributes(event: &Event) -> Vec<Attribute> {
    let (own, others): (Vec<_>, Vec<_>) = event.attributes.iter().cloned().partition(|it| it.name == TRACEPARENT);
    let made = event.traceparent.as_ref().filter(|_| own.is_empty()).map(|value| Attribute::text(TRACEPARENT, value));
    own.into_iter().chain(made).chain(others).collect()
}
