//! How send-data handles a batch of a type's queue: it checks each record against the schema of its type, and writes it
//! to the event log.

use crate::fault::{self, Fault};
use crate::format::RECORD_ID;
use crate::identity::Identity;
use crate::message::Message;
use crate::outcomes::Outcomes;
use crate::schema;
use crate::topics::Topics;
use host_adapters_event::{Disposition, Event};
use std::collections::BTreeMap;

/// The header with the dedup identifier.
pub const DEDUP_ID: &str = "dedup-id";

/// A record for the event log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogRecord {
    /// The topic.
    pub topic: String,
    /// Records of one key stay in their order.
    pub key: String,
    /// `{type, data}`.
    pub value: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
}

/// What the worker needs.
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait Ports {
    /// Writes records to the event log, each on its own. Returns the result of each, in their order; an error is the
    /// disposition of the record.
    async fn produce(&self, records: Vec<LogRecord>) -> Vec<Result<(), Disposition>>;
}

/// Handles a batch. A record that is in it several times is written once.
pub async fn handle(ports: &impl Ports, topics: &Topics, batch: &[Event]) -> Outcomes {
    let mut outcomes = Outcomes::of(batch.len());
    let mut plan = Plan::default();
    for (index, event) in batch.iter().enumerate() {
        match record(topics, event) {
            Ok((dedup_id, record)) => plan.add(index, dedup_id, record),
            Err(reason) => outcomes.settle(index, Disposition::Reject(reason)),
        }
    }
    if !plan.records.is_empty() {
        let mut results = ports.produce(plan.records).await.into_iter();
        plan.indices.iter().for_each(|indices| outcomes.answer(indices, results.next()));
    }
    outcomes
}

/// What is to be written for a batch.
#[derive(Default)]
struct Plan {
    records: Vec<LogRecord>,
    /// For each of them the records of the batch that it settles.
    indices: Vec<Vec<usize>>,
    /// The place of the last one with this dedup identifier.
    places: BTreeMap<String, usize>,
}

impl Plan {
    fn add(&mut self, index: usize, dedup_id: String, record: LogRecord) {
        let known = self.places.get(&dedup_id).copied();
        let same = known.filter(|place| self.records.get(*place) == Some(&record));
        if let Some(indices) = same.and_then(|place| self.indices.get_mut(place)) {
            indices.push(index);
            return;
        }
        self.places.insert(dedup_id, self.records.len());
        self.records.push(record);
        self.indices.push(vec![index]);
    }
}

/// The record for the event log, with its dedup identifier.
///
/// # Errors
/// The reason to reject it, with the path of the fault.
fn record(topics: &Topics, event: &Event) -> Result<(String, LogRecord), String> {
    let message = Message::read_typed(event)?;
    let Message { kind, data } = &message;
    let text = message.data_text()?;
    schema::check(*kind, &text).map_err(|faults| fault::reason(&faults))?;
    let identity = Identity::of(*kind, data).map_err(|fault| fault::reason(&[fault]))?;
    if data.text(RECORD_ID).as_ref() != Some(&identity.record_id) {
        let problem = "is not made of the type, the ids, and the version or date.updated";
        return Err(fault::reason(&[Fault::at(format!("/{RECORD_ID}"), problem)]));
    }
    let record = LogRecord {
        topic: topics.of(*kind),
        key: identity.key,
        value: message.text(&text),
        headers: vec![(DEDUP_ID.to_owned(), identity.record_id.clone())],
    };
    Ok((identity.record_id, record))
}

#[cfg(test)]
mod tests;
