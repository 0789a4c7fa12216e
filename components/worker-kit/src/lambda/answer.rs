//! The response of a batch worker, made from its dispositions. AWS reads `batchItemFailures` and ignores the rest; the
//! bridge reads all of it.

use super::Incoming;
use crate::{Disposition, Event};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// `{"batchItemFailures": […], "rejected": […], "count": {…}}`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Records to deliver again.
    pub batch_item_failures: Vec<ItemFailure>,
    /// Records that can never succeed. They are settled.
    #[serde(default)]
    pub rejected: Vec<Rejection>,
    /// The number of records, by outcome.
    #[serde(default)]
    pub count: Count,
}

/// A record to deliver again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// The message id or sequence number.
    pub item_identifier: String,
}

/// A record that can never succeed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The message id or sequence number.
    pub item_identifier: String,
    /// Why.
    pub reason: String,
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
    /// Records that can never succeed.
    pub rejected: usize,
}

/// More dispositions than records: the response is not one for this batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the worker answered {given} dispositions for {records} records")]
pub struct TooMany {
    given: usize,
    records: usize,
}

/// What becomes of a message: behind one of its group that failed, it is delivered again whatever the worker said. (Of a
/// stream AWS itself delivers again all records behind the first that failed.)
fn in_order<'a>(event: &'a Event, said: Disposition, blocked: &mut BTreeSet<&'a str>) -> Disposition {
    let Some(group) = event.ordering_key.as_deref().filter(|_| event.source.starts_with("sqs:")) else { return said };
    if blocked.contains(group) {
        return Disposition::Retry(None);
    }
    if matches!(said, Disposition::Retry(_)) {
        blocked.insert(group);
    }
    said
}

impl Answer {
    /// The response for `incoming`, whose events the worker got in order. An event without a disposition is delivered
    /// again.
    pub fn new(incoming: &[Incoming], dispositions: Vec<Disposition>) -> Result<Self, TooMany> {
        let records = incoming.iter().filter(|record| matches!(record, Incoming::Event(_))).count();
        if dispositions.len() > records {
            return Err(TooMany { given: dispositions.len(), records });
        }
        let mut answer = Self { count: Count { received: incoming.len(), ..Count::default() }, ..Self::default() };
        let (mut dispositions, mut blocked) = (dispositions.into_iter(), BTreeSet::new());
        for record in incoming {
            match record {
                Incoming::Malformed { id, reason } => answer.add(id, Disposition::Reject(reason.clone())),
                Incoming::Event(event) => {
                    let said = dispositions.next().unwrap_or(Disposition::Retry(None));
                    answer.add(&event.id, in_order(event, said, &mut blocked));
                }
            }
        }
        Ok(answer)
    }

    fn add(&mut self, id: &str, disposition: Disposition) {
        let item_identifier = id.to_owned();
        match disposition {
            Disposition::Ack => self.count.processed += 1,
            Disposition::Retry(_) => {
                self.count.failed += 1;
                self.batch_item_failures.push(ItemFailure { item_identifier });
            }
            Disposition::Reject(reason) => {
                self.count.rejected += 1;
                self.rejected.push(Rejection { item_identifier, reason });
            }
        }
    }
}
