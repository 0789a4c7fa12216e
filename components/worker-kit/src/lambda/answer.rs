//! The response of a batch worker, made from its dispositions. AWS reads `batchItemFailures` and ignores the rest; the
//! bridge reads all of it.

use super::Incoming;
use crate::Disposition;
use serde::{Deserialize, Serialize};

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

impl Answer {
    /// The response for `incoming`, whose events the worker got in order. An event without a disposition is delivered
    /// again.
    pub fn new(incoming: &[Incoming], dispositions: Vec<Disposition>) -> Result<Self, TooMany> {
        let records = incoming.iter().filter(|record| matches!(record, Incoming::Event(_))).count();
        if dispositions.len() > records {
            return Err(TooMany { given: dispositions.len(), records });
        }
        let mut answer = Self { count: Count { received: incoming.len(), ..Count::default() }, ..Self::default() };
        let mut dispositions = dispositions.into_iter();
        for record in incoming {
            match record {
                Incoming::Malformed { id, reason } => answer.add(id, Disposition::Reject(reason.clone())),
                Incoming::Event(event) => {
                    answer.add(&event.id, dispositions.next().unwrap_or(Disposition::Retry(None)))
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
