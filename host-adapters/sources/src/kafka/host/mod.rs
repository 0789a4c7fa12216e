//! Topic of the event log → worker: [`host_adapters_delivery::stream`] with records of partitions.

mod canned;
mod config;
mod filter;

pub use crate::start::{StartingPosition, Timestamp};
pub(crate) use canned::CANNED;
pub use config::KafkaSourceConfig as Config;
pub use config::KafkaSourceConfig;

use super::event::{events_of, ordering_key};
use host_adapters_delivery::dead_letter::DeadLetter;
use host_adapters_delivery::event::Event;
use host_adapters_delivery::redrive::{Recovery, Way};
use host_adapters_delivery::stream::OrderedStreams;
use host_adapters_platform::EventLogReader;
use std::sync::Arc;

/// A record goes to its worker: other groups that read its topic have no business with it.
pub(crate) const RECOVERY: Option<Recovery> = Some(Recovery { way: Way::Worker, event: event_of });

/// The event of a dead letter's record, with its key as the ordering key.
fn event_of(dead_letter: &DeadLetter) -> Result<Event, String> {
    let event = dead_letter.stream_event()?;
    Ok(Event { ordering_key: ordering_key(&event.attributes), ..event })
}

/// The topics of an event log, for all workers of this host.
fn topics(store: Arc<dyn EventLogReader>) -> Arc<OrderedStreams> {
    OrderedStreams::new(store.clone(), store, events_of)
}
