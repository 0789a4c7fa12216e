//! Converts created objects to events.

use super::notification::{Object, read};
use crate::lambda::Several;
use host_adapters_event::{Event, Payload};

/// The event of an object in the notification `message`, with the id `id`.
pub(super) fn event(message: &Event, object: &Object, id: String) -> Event {
    Event {
        id,
        source: format!("s3:{}", object.bucket),
        ordering_key: None,
        // Strings and numbers can always be serialised.
        payload: Payload::Json(serde_json::to_string(object).unwrap_or_default()),
        ..message.clone()
    }
}

/// The contents of a message.
pub(super) struct Objects {
    /// Those that were created, each with the id of its event: the message's, and its number if there are several.
    pub(super) created: Vec<(String, Object)>,
    /// Why one of them cannot be read.
    pub(super) malformed: Option<String>,
}

/// The objects in a message; `None` if the message is not from S3.
pub(super) fn objects(message: &Event) -> Option<Objects> {
    let Payload::Json(text) = &message.payload else { return None };
    let (mut objects, mut malformed) = (Vec::new(), None);
    for object in read(text)? {
        match object {
            Ok(object) => objects.push(object),
            Err(why) => malformed = malformed.or_else(|| Some(format!("malformed: {why}"))),
        }
    }
    let is_one = objects.len() == 1;
    let id = |index: usize| if is_one { message.id.clone() } else { format!("{}#{index}", message.id) };
    let created = objects.into_iter().enumerate().map(|(index, object)| (id(index), object)).collect();
    Some(Objects { created, malformed })
}

/// The events in a message; `None` if it is not from S3.
pub(super) fn events(message: &Event) -> Option<Several> {
    let Objects { created, malformed } = objects(message)?;
    let events = created.into_iter().map(|(id, object)| event(message, &object, id)).collect();
    Some(Several { id: message.id.clone(), events, malformed })
}
