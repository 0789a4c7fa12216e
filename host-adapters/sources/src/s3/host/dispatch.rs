//! Hands the objects in messages to the worker, and combines the dispositions of the objects into one for each message.
//! So everything that delivery does with messages (batches, attempts, pauses, dead letters) applies to objects, too.
//!
//! A message is settled when all of its objects are. S3 sends one object per message; if there are several and one is
//! retried, the others are delivered again with it.

use crate::s3::event::{self, Objects};
use crate::s3::notification::Object;
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_event::{Disposition, Event, Request, Response, UNANSWERED};
use host_adapters_platform::objects::Notification;
use std::collections::HashMap;
use std::sync::Arc;

/// Which objects a source hands over.
pub(super) struct Filter {
    /// The bucket as it is declared, prefix and suffix.
    pub(super) wanted: Notification,
    /// What S3 calls the bucket.
    pub(super) real: String,
}

/// A worker that receives messages of S3.
pub(super) struct ObjectDispatch {
    pub(super) worker: Arc<dyn Dispatch>,
    pub(super) filter: Filter,
}

#[async_trait::async_trait]
impl Dispatch for ObjectDispatch {
    async fn dispatch(&self, worker: &str, batch: Vec<Event>) -> Dispatched {
        let Unpacked { events, messages } = self.filter.unpack(&batch);
        let records = events.len();
        let dispatched = match records {
            0 => Dispatched::default(),
            _ => self.worker.dispatch(worker, events).await,
        };
        let result = dispatched.result.and_then(|mut answered| {
            if answered.len() > records {
                return Err(CallError::TooMany(answered.len(), records));
            }
            answered.resize(records, Disposition::retry(UNANSWERED));
            Ok(messages.into_iter().map(|message| message.disposition(&answered)).collect())
        });
        Dispatched { result, ..dispatched }
    }

    async fn request(&self, worker: &str, request: Request) -> Dispatched<Response> {
        self.worker.request(worker, request).await
    }
}

/// A batch of messages, unpacked.
struct Unpacked {
    /// The events for the worker, each object once.
    events: Vec<Event>,
    messages: Vec<Message>,
}

/// The disposition of a message.
#[derive(Default)]
struct Message {
    /// Which events of the batch are its objects.
    objects: Vec<usize>,
    /// What the worker does not decide.
    decided: Vec<Disposition>,
}

impl Message {
    fn disposition(self, answered: &[Disposition]) -> Disposition {
        let answers = self.objects.into_iter().filter_map(|index| answered.get(index).cloned());
        host_adapters_event::gravest(self.decided.into_iter().chain(answers))
    }
}

impl Filter {
    fn unpack(&self, batch: &[Event]) -> Unpacked {
        let read: Vec<_> = batch.iter().map(event::objects).collect();
        let mut latest: HashMap<String, String> = HashMap::new();
        for (_, object) in read.iter().flatten().flat_map(|objects| &objects.created) {
            if let Some(place) = object.place().filter(|_| self.is_wanted(object)) {
                let known = latest.entry(object.key.clone()).or_default();
                *known = std::mem::take(known).max(place);
            }
        }
        let (mut events, mut known) = (Vec::new(), HashMap::new());
        let messages = batch.iter().zip(read).map(|(message, read)| {
            let mut of = Message::default();
            let Some(Objects { created, malformed }) = read else {
                of.decided.push(Disposition::Reject("malformed: not a notification of S3".to_owned()));
                return of;
            };
            of.decided.extend(malformed.map(Disposition::Reject));
            for (id, mut object) in created {
                if let Some(skipped) = self.skipped(&object, &latest) {
                    of.decided.push(Disposition::Skip(skipped));
                    continue;
                }
                let version = object.place().map_or_else(|| Err(object.etag.clone()), Ok);
                let index = *known.entry((object.key.clone(), version)).or_insert_with(|| {
                    object.bucket.clone_from(&self.wanted.bucket);
                    events.push(event::event(message, &object, id));
                    events.len() - 1
                });
                of.objects.push(index);
            }
            of
        });
        let messages = messages.collect();
        Unpacked { events, messages }
    }

    fn is_wanted(&self, object: &Object) -> bool {
        object.bucket == self.real && self.wanted.is_of(&self.wanted.bucket, &object.key)
    }

    /// Why the worker does not get an object, if so.
    fn skipped(&self, object: &Object, latest: &HashMap<String, String>) -> Option<String> {
        let (bucket, key) = (&object.bucket, &object.key);
        if !self.is_wanted(object) {
            return Some(format!("not for this source: {bucket}/{key}"));
        }
        let is_overtaken = object.place().is_some_and(|place| latest.get(key).is_some_and(|latest| place < *latest));
        is_overtaken.then(|| format!("overtaken: a later event of {bucket}/{key} is in the same batch"))
    }
}
