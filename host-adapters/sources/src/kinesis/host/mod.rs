//! Kinesis data stream → worker: [`host_adapters_delivery::stream`] with data records.

mod canned;
mod config;
mod filter;

pub use crate::start::{StartingPosition, Timestamp};
pub(crate) use canned::{CANNED, record};
pub use config::KinesisConfig as Config;
pub use config::KinesisConfig;

use super::event::{PARTITION_KEY, events_of};
use crate::dynamodb_stream::ordering_key_of;
use host_adapters_delivery::dead_letter::DeadLetter;
use host_adapters_delivery::event::Event;
use host_adapters_delivery::redrive::{Recovery, Way};
use host_adapters_delivery::stream::OrderedStreams;
use host_adapters_platform::DataStreamReader;
use std::sync::Arc;

/// A record goes to its worker: streams cannot take records back.
pub(crate) const RECOVERY: Option<Recovery> = Some(Recovery { way: Way::Worker, event: event_of });

/// The event of a dead letter's record, with its partition key, or the item of a change, as its ordering key.
fn event_of(dead_letter: &DeadLetter) -> Result<Event, String> {
    let event = dead_letter.stream_event()?;
    let key = event.attribute(PARTITION_KEY).map(str::to_owned);
    let ordering_key = key.or_else(|| ordering_key_of(&event.payload));
    Ok(Event { ordering_key: ordering_key.or(event.ordering_key), ..event })
}

/// The data streams of a store, for all workers of this host.
fn streams(store: Arc<dyn DataStreamReader>) -> Arc<OrderedStreams> {
    OrderedStreams::new(store.clone(), store, events_of)
}
