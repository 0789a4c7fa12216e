//! Converts `{"Records": […]}`, the format of AWS Lambda, to events; also `{"records": {"<topic>-<partition>": […]}}`, which it
//! has for Kafka.

use crate::{LAMBDA, OPENS};
use host_adapters_event::{Attribute, Disposition, Event, gravest, json};
use host_adapters_json::{compact, lenient};
use serde::de::{DeserializeOwned, Error, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::str::FromStr;

/// A record that Lambda handed over.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// The event for the worker.
    Event(Event),
    /// A record that contains several events.
    Several(Several),
    /// A malformed record. It can never succeed.
    Malformed {
        /// The id that its source knows it by, for the response.
        id: String,
        /// Which field is malformed, and why.
        reason: String,
    },
}

/// A record that contains several events, and is settled when all of them are: a message with objects of S3, or a
/// record of Kinesis into which its producer has packed others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Several {
    /// The id that its source knows the record by, for the response.
    pub id: String,
    /// Any number.
    pub events: Vec<Event>,
    /// Which field of an event that could not be made is malformed, and why.
    pub malformed: Option<String>,
}

impl Several {
    /// The disposition of the record, from those of its events.
    pub fn disposition(&self, events: impl IntoIterator<Item = Disposition>) -> Disposition {
        gravest(events.into_iter().chain(self.malformed.clone().map(Disposition::Reject)))
    }
}

impl Incoming {
    /// The event, if the record is one.
    pub fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(event),
            Self::Several(_) | Self::Malformed { .. } => None,
        }
    }

    /// The events in it, for the worker.
    pub fn events(&self) -> &[Event] {
        match self {
            Self::Event(event) => std::slice::from_ref(event),
            Self::Several(several) => &several.events,
            Self::Malformed { .. } => &[],
        }
    }

    /// Adds the shard, if the record itself does not name it.
    fn add_shard(&mut self, shard: &str) {
        let events = match self {
            Self::Event(event) => std::slice::from_mut(event),
            Self::Several(several) => &mut several.events,
            Self::Malformed { .. } => &mut [],
        };
        for event in events.iter_mut().filter(|event| Attribute::find(&event.attributes, "shardId").is_none()) {
            event.attributes.push(Attribute::text("shardId", shard));
        }
    }
}

/// The event is not one for a batch worker.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the event is not one of AWS Lambda's: {0}")]
pub struct MalformedEvent(String);

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a RawValue>,
    /// The shard of all records. Lambda provides it only with a tumbling window.
    #[serde(default, rename = "shardId")]
    shard_id: Optional<String>,
    #[serde(default)]
    window: Option<IgnoredAny>,
}

/// Kafka's records, which are in lists by their partitions.
#[derive(Deserialize)]
struct Partitions<'a> {
    #[serde(borrow)]
    records: BTreeMap<String, Vec<&'a RawValue>>,
}

/// The records of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// In order.
    pub incoming: Vec<Incoming>,
    /// Whether they belong to a tumbling window. Then Lambda treats a response without `state` as a failure.
    pub has_window: bool,
}

/// The call that brought the records; empty if the host read them itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// `x-correlation-id` of the request.
    pub correlation_id: Option<&'a str>,
    /// `traceparent` of the request.
    pub traceparent: Option<&'a str>,
}

impl Context<'_> {
    /// The correlation id of a record: its own, else that of the call, else the record's id.
    pub(crate) fn correlation_id(&self, own: Option<String>, id: &str) -> String {
        own.or_else(|| self.correlation_id.map(str::to_owned)).unwrap_or_else(|| id.to_owned())
    }

    /// The trace in which a record is handled: that of the call if there is one, because a call of many records has one
    /// trace (`wit/events.wit`), else the record's own.
    pub(crate) fn traceparent(&self, own: Option<String>) -> Option<String> {
        self.traceparent.map(str::to_owned).or(own)
    }
}

/// How records of one shape are recognised and read.
pub(crate) struct Shape {
    /// The field that only such records have; `None` for the shape of records that have none of these fields.
    pub(crate) field: Option<&'static str>,
    /// The JSON pointer to the id by which the source knows the record: `batchItemFailures` must name it.
    pub(crate) id: &'static str,
    /// Makes the event.
    pub(crate) event: fn(String, Value, &Context<'_>, &mut Notes<'_>) -> Result<Event, String>,
    /// Whether a call with such records has no item failures, because the caller does not wait for a response: only an
    /// error of the whole call makes Lambda call again.
    pub(crate) fails_as_a_whole: bool,
    /// Whether the field only describes what is to be read elsewhere, or has it in an encoding: parts of such a field
    /// that cannot be read count as null. In data, that would be a change.
    pub(crate) is_description: bool,
}

/// The events in an event whose record holds others; `None` for any other event.
pub(crate) type Open = fn(&Event) -> Option<Several>;

/// An attribute that cannot be read. It is left out, and its record is handed over without it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LeftOut {
    /// `<kind>:<name>`.
    pub source: String,
    /// The id that the record's source knows it by.
    pub id: String,
    /// The attribute's name.
    pub attribute: String,
}

/// Takes what is left out.
pub type Notes<'a> = dyn FnMut(LeftOut) + 'a;

/// The records of an event, as [`parse_call`] reads them.
///
/// # Errors
/// As there.
pub fn parse(body: &[u8], context: &Context<'_>, notes: &mut Notes<'_>) -> Result<Vec<Incoming>, MalformedEvent> {
    parse_call(body, context, notes).map(|call| call.incoming)
}

/// Reads an event that `context` brought, with notes of what is left out of its records.
///
/// # Errors
/// When it is not a Lambda event with records. A malformed record fails alone.
pub fn parse_call(body: &[u8], context: &Context<'_>, notes: &mut Notes<'_>) -> Result<Call, MalformedEvent> {
    if std::str::from_utf8(body).is_err() {
        // Fails, and says where.
        json::from_slice::<Value>(body).map_err(MalformedEvent)?;
    }
    let envelope = match json::from_slice::<Envelope<'_>>(body) {
        Ok(envelope) => envelope,
        Err(error) => of_partitions(body).ok_or(MalformedEvent(error))?,
    };
    let records = envelope.records.into_iter().enumerate();
    let mut incoming: Vec<_> = records.map(|(index, record)| incoming(index, record, context, notes)).collect();
    if let Some(shard) = envelope.shard_id.0 {
        incoming.iter_mut().for_each(|record| record.add_shard(&shard));
    }
    Ok(Call { incoming, has_window: envelope.window.is_some() })
}

/// The records of all partitions, one after the other.
fn of_partitions(body: &[u8]) -> Option<Envelope<'_>> {
    let Partitions { records } = serde_json::from_slice(body).ok()?;
    Some(Envelope { records: records.into_values().flatten().collect(), shard_id: Optional(None), window: None })
}

fn incoming(index: usize, record: &RawValue, context: &Context<'_>, notes: &mut Notes<'_>) -> Incoming {
    let unnamed = || format!("record-{index}");
    let record = match read(record) {
        Ok(record) => record,
        Err(error) => return Incoming::Malformed { id: unnamed(), reason: format!("malformed: not JSON: {error}") },
    };
    let id = identifier(&record).unwrap_or_else(unnamed);
    let event = shape(&record).map(|shape| (shape.event)(id.clone(), record, context, notes));
    match event.unwrap_or_else(|| Err("not a record of any source".to_owned())).map(opened) {
        Ok(incoming) => incoming,
        Err(reason) => Incoming::Malformed { id, reason: format!("malformed: {reason}") },
    }
}

/// A message that contains records of another source is replaced by them; so is a record into which others are packed.
fn opened(event: Event) -> Incoming {
    let several = OPENS.iter().flatten().find_map(|open| open(&event));
    several.map_or_else(|| Incoming::Event(event), Incoming::Several)
}

/// Whether item failures have no effect in this call, because of the shape of one of its records.
pub fn fails_as_a_whole(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Called {
        #[serde(rename = "Records")]
        records: Vec<BTreeMap<String, Option<IgnoredAny>>>,
    }
    let has_one = |record: BTreeMap<String, Option<IgnoredAny>>| {
        let mut fields = shapes().filter(|shape| shape.fails_as_a_whole).filter_map(|shape| shape.field);
        fields.any(|field| record.get(field).is_some_and(Option::is_some))
    };
    let called: Option<Called> = serde_json::from_slice(body).ok();
    called.is_some_and(|called| called.records.into_iter().any(has_one))
}

/// Reads a record. The documents print bodies that are objects. Such a body becomes text, as AWS sends it, so that its
/// numbers keep every digit.
fn read(text: &RawValue) -> serde_json::Result<Value> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        body: &'a RawValue,
    }
    let mut record = serde_json::from_str(text.get()).or_else(|error| readable(text).ok_or(error))?;
    if let Some(body @ (Value::Object(_) | Value::Array(_) | Value::Number(_))) = record.get_mut("body") {
        *body = Value::String(compact(serde_json::from_str::<Body<'_>>(text.get())?.body)?);
    }
    Ok(record)
}

/// Members that hold a record's own data, beside those by which shapes are recognised.
const DATA: [&str; 3] = ["body", "key", "value"];

/// The readable members of a record: half a character, or a number out of range, affects only its own member. `None` if
/// the unreadable member contains the data of the record itself.
fn readable(text: &RawValue) -> Option<Value> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text.get()).ok()?;
    let shape = |name: &str| shapes().find(|shape| shape.field == Some(name));
    let is_needed = |name: &str| DATA.contains(&name) || shape(name).is_some();
    let read = |(name, value): (String, &RawValue)| match serde_json::from_str(value.get()) {
        Ok(value) => Some(Some((name, value))),
        Err(_) if shape(&name).is_some_and(|shape| shape.is_description) => {
            lenient::readable(value.get()).map(|value| Some((name, value)))
        }
        Err(_) => (!is_needed(&name)).then_some(None),
    };
    let members: Option<Vec<Option<(String, Value)>>> = members.into_iter().map(read).collect();
    Some(Value::Object(members?.into_iter().flatten().collect()))
}

/// The shape whose field the record has; without one it is of the shape that has no field of its own.
fn shape(record: &Value) -> Option<&'static Shape> {
    let has = |shape: &&Shape| shape.field.is_some_and(|field| record.get(field).is_some_and(|value| !value.is_null()));
    shapes().find(has).or_else(|| shapes().find(|shape| shape.field.is_none()))
}

fn shapes() -> impl Iterator<Item = &'static Shape> {
    LAMBDA.iter().copied().flatten()
}

/// The id by which the source knows a record.
fn identifier(record: &Value) -> Option<String> {
    let paths = shapes().map(|shape| shape.id).chain(["/eventID"]);
    paths.filter_map(|path| record.pointer(path)?.as_str()).next().map(str::to_owned)
}

/// An optional member of an event: null, or a value that cannot be read, counts as absent, so that a good record is not
/// lost because of a fault in its metadata.
#[derive(Debug)]
pub(crate) struct Optional<T>(pub(crate) Option<T>);

impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: DeserializeOwned> Optional<T> {
    /// The content of a value.
    pub(crate) fn of(value: Value) -> Self {
        // serde would read a list as an object, its values in the order of the fields.
        Self(if value.is_array() { None } else { T::deserialize(value).ok() })
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Optional<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::of)
    }
}

/// Text, or a number where AWS writes one as text, or text where it does not.
#[derive(Debug)]
pub(crate) struct Scalar(pub(crate) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            _ => Err(D::Error::custom("neither text nor a number")),
        }
    }
}

impl Scalar {
    /// The number; `None` if it is not one of this type. A whole number may have a fraction of zeros.
    pub(crate) fn number<N: FromStr>(&self) -> Option<N> {
        let text = self.0.trim();
        let without_fraction = || text.split_once('.').filter(|(_, fraction)| fraction.bytes().all(|it| it == b'0'));
        text.parse().ok().or_else(|| without_fraction()?.0.parse().ok())
    }
}

/// The resource's name at the end of an ARN, and `kind:name` as [`Event::source`] has it.
pub(crate) fn source(kind: &str, arn: Option<&str>) -> String {
    let resource = arn.and_then(|arn| arn.splitn(6, ':').nth(5)).unwrap_or("http");
    // `table/demand-table/stream/2024-…`, `stream/scores`, `saveEntriesQueue`
    let name = resource.split('/').nth(1).unwrap_or(resource);
    format!("{kind}:{name}")
}
