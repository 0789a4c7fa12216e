//! S3 → worker. S3 sends its notifications to a queue. The source of S3 is a source of this queue that hands over the
//! objects in the messages (`dispatch`). For a bucket that is a folder, the embedded backend sends the notifications.

mod canned;
mod config;
mod dispatch;

pub(crate) use canned::CANNED;
pub use config::S3Config as Config;
pub use config::S3Config;

use super::event::events;
use host_adapters_delivery::dead_letter::DeadLetter;
use host_adapters_delivery::redrive::{Recovery, Way};
use host_adapters_event::Event;

/// A message goes back to its queue, as it was.
pub(crate) const RECOVERY: Option<Recovery> = Some(Recovery { way: Way::Queue, event });

/// The object in a dead letter.
fn event(dead_letter: &DeadLetter) -> Result<Event, String> {
    let message = dead_letter.message_event()?;
    let objects = events(&message).ok_or("the dead letter is not a notification of S3")?;
    let count = objects.events.len();
    match <[Event; 1]>::try_from(objects.events) {
        Ok([event]) => Ok(event),
        Err(_) => Err(format!("the dead letter contains {count} objects, not one; redrive it")),
    }
}
