//! `{"Records": […]}` as AWS Lambda hands records over, turned into events by the functions that the host uses too.

use crate::{Event, Payload};
use host_adapters_event as host;
use host_adapters_sources::lambda::{self, Context};

pub use lambda::MalformedEvent;

/// A record that came as Lambda hands it over.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// What the worker is to handle.
    Event(Event),
    /// A malformed record, under the name its source knows it by. It can never succeed.
    Malformed {
        /// For the answer.
        id: String,
        /// Which field, and why.
        reason: String,
    },
}

/// Reads an event. `correlation_id` and `traceparent` are the request's.
pub fn parse(
    body: &[u8],
    correlation_id: Option<&str>,
    traceparent: Option<&str>,
) -> Result<Vec<Incoming>, MalformedEvent> {
    let incoming = lambda::parse(body, &Context { correlation_id, traceparent })?;
    Ok(incoming.into_iter().map(Incoming::from).collect())
}

impl Incoming {
    /// The event, if the record is one.
    pub fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(event),
            Self::Malformed { .. } => None,
        }
    }
}

impl From<lambda::Incoming> for Incoming {
    fn from(incoming: lambda::Incoming) -> Self {
        match incoming {
            lambda::Incoming::Event(event) => Self::Event(event.into()),
            lambda::Incoming::Malformed { id, reason } => Self::Malformed { id, reason },
        }
    }
}

impl From<host::Event> for Event {
    fn from(event: host::Event) -> Self {
        Self {
            id: event.id,
            source: event.source,
            ordering_key: event.ordering_key,
            payload: match event.payload {
                host::Payload::Json(text) => Payload::Json(text),
                host::Payload::Bytes(bytes) => Payload::Bytes(bytes),
            },
            attributes: event.attributes,
            attempt: event.attempt,
            time_ms: event.time_ms,
            correlation_id: event.correlation_id,
            traceparent: event.traceparent,
        }
    }
}
