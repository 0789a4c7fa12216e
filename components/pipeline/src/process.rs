//! How process-data handles a batch of `dataQueue`: it checks type and data, formats, and publishes to the topic, which
//! sends each type to its own queue.

use crate::fault;
use crate::format;
use crate::identity::campaign_id;
use crate::kind::Kind;
use crate::message::{Message, TYPE};
use crate::outcomes::Outcomes;
use crate::switch;
use futures::future::join_all;
use host_adapters_event::{Attribute, Disposition, Event, can_follow};
use std::collections::{BTreeMap, BTreeSet};

/// A message for the topic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TopicMessage {
    /// `{type, data}`.
    pub body: String,
    /// The type, by which the queues are chosen, and what follows the record: `correlationId`, `traceparent`.
    pub attributes: Vec<Attribute>,
}

/// What the worker needs. An error is the disposition of the affected records.
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait Ports {
    /// The document of the campaign with this id, as JSON text, if there is one.
    async fn campaign(&self, id: &str) -> Result<Option<String>, Disposition>;
    /// Publishes messages to the topic, each on its own. Returns the result of each, in their order.
    async fn publish(&self, messages: Vec<TopicMessage>) -> Vec<Result<(), Disposition>>;
}

/// Whether the data of each campaign of a batch is published.
type Switches = BTreeMap<String, Result<bool, Disposition>>;

/// Handles a batch.
pub async fn handle(ports: &impl Ports, batch: &[Event]) -> Outcomes {
    let records: Vec<_> = batch.iter().map(Message::read).collect();
    let switches = switches(ports, records.iter().flatten()).await;
    let mut outcomes = Outcomes::of(batch.len());
    let (mut indices, mut messages) = (vec![], vec![]);
    for (index, (event, record)) in batch.iter().zip(records).enumerate() {
        match record.map_err(Disposition::Reject).and_then(|record| decide(event, record, &switches)) {
            Ok(Some(message)) => {
                indices.push(index);
                messages.push(message);
            }
            Ok(None) => {
                outcomes.off += 1;
                outcomes.settle(index, Disposition::Ack);
            }
            Err(disposition) => outcomes.settle(index, disposition),
        }
    }
    if !messages.is_empty() {
        let mut results = ports.publish(messages).await.into_iter();
        indices.into_iter().for_each(|index| outcomes.answer(&[index], results.next()));
    }
    outcomes
}

/// Asks once for each campaign of the batch. A campaign says itself whether it is published.
async fn switches(ports: &impl Ports, records: impl Iterator<Item = &Message>) -> Switches {
    let of_others = records.filter(|record| record.kind != Kind::Campaign);
    let ids: BTreeSet<_> = of_others.filter_map(|record| campaign_id(record.kind, &record.data).ok()).collect();
    join_all(ids.into_iter().map(async |id| {
        let found = ports.campaign(&id).await;
        let is_on = found.and_then(|it| switch::is_on_by_document(&id, it.as_deref()).map_err(Disposition::retry));
        (id, is_on)
    }))
    .await
    .into_iter()
    .collect()
}

/// The message for a record; `None` if its campaign's data is not published.
fn decide(event: &Event, record: Message, switches: &Switches) -> Result<Option<TopicMessage>, Disposition> {
    let invalid = |fault| Disposition::Reject(fault::reason(&[fault]));
    let Message { kind, data } = record;
    let campaign_id = campaign_id(kind, &data).map_err(invalid)?;
    let is_on = match kind {
        Kind::Campaign => switch::is_on(&data),
        _ => switches.get(&campaign_id).cloned().unwrap_or(Ok(true))?,
    };
    if !is_on {
        return Ok(None);
    }
    let message = Message { kind, data: format::format(kind, data, queued_ms(event)).map_err(invalid)? };
    let body = message.text(&message.data_text().map_err(Disposition::Reject)?);
    // A value that no message can carry is left out.
    let follows = [("correlationId", Some(&event.correlation_id)), ("traceparent", event.traceparent.as_ref())];
    let follows = follows.into_iter().filter_map(|(name, text)| Some((name, text.filter(|text| can_follow(text))?)));
    let follows = follows.map(|(name, text)| Attribute::text(name, text));
    let attributes = std::iter::once(Attribute::text(TYPE, kind.name())).chain(follows).collect();
    Ok(Some(TopicMessage { body, attributes }))
}

/// When a record was queued first, milliseconds since 1970. One that was redriven is a new message, which has the time
/// of the first one as an attribute (docs/delivery.md, 11.11). With its own time, the change would get a second dedup
/// identifier.
fn queued_ms(event: &Event) -> u64 {
    let first = event.attribute("sourceTimestamp").filter(|_| event.attribute("redriven") == Some("true"));
    let first = first.and_then(|ms| ms.parse::<u64>().ok()).filter(|ms| (1..=event.time_ms).contains(ms));
    first.unwrap_or(event.time_ms)
}

#[cfg(test)]
mod tests;
