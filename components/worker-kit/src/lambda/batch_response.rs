//! The response of a batch worker, made from its dispositions. AWS reads only `batchItemFailures`; the bridge reads all
//! members.

use super::Incoming;
use crate::{Disposition, Event, Retry};
use host_adapters_event::{UNANSWERED, cut};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most bytes of one reason.
const MAX_REASON_BYTES: usize = 1024;
/// The most bytes of all reasons, so that the response to 25,000 records stays below Lambda's 6 MiB.
const MAX_REASONS_BYTES: usize = 2 << 20;

/// `{"batchItemFailures": […], "rejected": […], "count": {…}}`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// Records to deliver again.
    pub batch_item_failures: Vec<ItemFailure>,
    /// Records that can never succeed, and skipped ones, which the documents count as rejected. They are settled.
    #[serde(default)]
    pub rejected: Vec<Rejection>,
    /// The number of records, by outcome.
    #[serde(default)]
    pub count: Count,
    /// For a tumbling window. It is always empty, but Lambda treats a response without it as a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

/// The state of a tumbling window, which is empty.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct State {}

/// A record to deliver again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// The message id or sequence number, or the place in a topic.
    pub item_identifier: ItemIdentifier,
    /// The worker's reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The least delay before redelivery, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

/// What Lambda knows a record by.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ItemIdentifier {
    /// Of a message or a stream's record: its id.
    Id(String),
    /// Of a record of Kafka's.
    Place {
        /// `<topic>-<partition>`.
        partition: String,
        /// In the partition.
        offset: u64,
    },
}

impl std::fmt::Display for ItemIdentifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Place { partition, offset } => write!(f, "{partition}-{offset}"),
        }
    }
}

impl ItemIdentifier {
    /// Of the record of an event that is a whole one.
    pub fn of(event: &Event) -> Self {
        match event.log_place() {
            Some((partition, offset)) => Self::Place { partition, offset },
            None => Self::Id(event.id.clone()),
        }
    }
}

/// A record that can never succeed, or was skipped.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The message id or sequence number; of a record of Kafka's `<topic>-<partition>-<offset>`.
    pub item_identifier: String,
    /// Why.
    pub reason: String,
    /// Whether the worker skipped it because a newer record supersedes it, so nothing is lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
}

/// The number of records, by outcome.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Count {
    /// All records.
    pub received: usize,
    /// Records that are done.
    pub processed: usize,
    /// Records to be delivered again.
    pub failed: usize,
    /// Records that can never succeed or were skipped.
    pub rejected: usize,
}

/// More dispositions than records: the response is not one for this batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the worker answered {given} dispositions for {records} records")]
pub struct TooMany {
    given: usize,
    records: usize,
}

/// The disposition of a message. After a failed message of its group it is delivered again, whatever the worker said. (For
/// a stream, AWS itself redelivers all records after the first that failed.)
fn in_order<'a>(event: &'a Event, said: Disposition, blocked: &mut BTreeSet<&'a str>) -> Disposition {
    let Some(group) = event.ordering_key.as_deref().filter(|_| event.is_of_queue()) else { return said };
    if blocked.contains(group) {
        return Disposition::retry("a message before it in its group failed");
    }
    if matches!(said, Disposition::Retry(_) | Disposition::GiveUp(_)) {
        blocked.insert(group);
    }
    said
}

impl BatchResponse {
    /// The response for `incoming`, whose events the worker received in order. An event without a disposition is delivered
    /// again.
    pub fn new(incoming: &[Incoming], dispositions: Vec<Disposition>) -> Result<Self, TooMany> {
        let records = incoming.iter().map(|record| record.events().len()).sum();
        if dispositions.len() > records {
            return Err(TooMany { given: dispositions.len(), records });
        }
        let mut answer = Self { count: Count { received: incoming.len(), ..Count::default() }, ..Self::default() };
        let (mut dispositions, mut room) = (dispositions.into_iter(), MAX_REASONS_BYTES);
        let mut blocked = BTreeSet::new();
        for record in incoming {
            match record {
                Incoming::Malformed { id, reason } => {
                    answer.add(ItemIdentifier::Id(id.clone()), Disposition::Reject(reason.clone()), &mut room);
                }
                Incoming::Event(event) => {
                    let said = dispositions.next().unwrap_or_else(|| Disposition::retry(UNANSWERED));
                    answer.add(ItemIdentifier::of(event), in_order(event, said, &mut blocked), &mut room);
                }
                Incoming::Several(several) => {
                    let said = several.events.iter().map(|_| dispositions.next());
                    let said = said.map(|said| said.unwrap_or_else(|| Disposition::retry(UNANSWERED)));
                    let disposition = several.disposition(said.collect::<Vec<_>>());
                    answer.add(ItemIdentifier::Id(several.id.clone()), disposition, &mut room);
                }
            }
        }
        Ok(answer)
    }

    fn add(&mut self, item_identifier: ItemIdentifier, disposition: Disposition, room: &mut usize) {
        let skipped = matches!(disposition, Disposition::Skip(_));
        match disposition {
            Disposition::Ack => self.count.processed += 1,
            Disposition::Retry(Retry { after_ms, reason }) => {
                self.count.failed += 1;
                let reason = fitting(&reason, room);
                self.batch_item_failures.push(ItemFailure { item_identifier, reason, after_ms });
            }
            // The caller has a dead letter queue, to which it moves records that keep failing.
            Disposition::GiveUp(reason) => {
                self.count.failed += 1;
                let reason = fitting(&reason, room);
                self.batch_item_failures.push(ItemFailure { item_identifier, reason, after_ms: None });
            }
            Disposition::Reject(reason) | Disposition::Skip(reason) => {
                self.count.rejected += 1;
                let reason = fitting(&reason, room);
                self.rejected.push(Rejection { item_identifier: item_identifier.to_string(), reason, skipped });
            }
        }
    }
}

/// The beginning of a reason, as much of it as there is room for.
fn fitting(reason: &str, room: &mut usize) -> String {
    let reason = cut(reason, MAX_REASON_BYTES.min(*room));
    *room -= reason.len();
    reason.to_owned()
}
