//! DynamoDB stream → worker: [`host_adapters_delivery::stream`] with changes of items as records.

mod canned;
mod config;
mod tagged;

pub(crate) use canned::CANNED;
pub use config::DynamodbStreamConfig as Config;
pub use config::{DynamodbStreamConfig, StartingPosition};
pub(crate) use tagged::record_of;

use super::event::{events, ordering_key_of};
use host_adapters_delivery::dead_letter::DeadLetter;
use host_adapters_delivery::event::Event;
use host_adapters_delivery::redrive::{Recovery, Way};
use host_adapters_delivery::stream::OrderedStreams;
use host_adapters_platform::StreamBackend;
use std::sync::Arc;

/// A change goes to its worker: streams cannot take records back.
pub(crate) const RECOVERY: Option<Recovery> = Some(Recovery { way: Way::Worker, event: event_of });

/// The event of a dead letter's change, with the item as its ordering key.
fn event_of(dead_letter: &DeadLetter) -> Result<Event, String> {
    let event = dead_letter.stream_event()?;
    Ok(Event { ordering_key: ordering_key_of(&event.payload), ..event })
}

/// The change streams of tables, for all workers of this host.
fn streams(backend: Arc<dyn StreamBackend>) -> Arc<OrderedStreams> {
    OrderedStreams::new(backend.clone(), backend, events)
}
