//! The contents of a batch's events. Pure.

use scoring::counts::{Beside, Origin, Position, Record};
use std::collections::{BTreeMap, BTreeSet};
use worker_kit::{Disposition, Event, Payload};

/// A batch, read.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The records that count, each with its index.
    pub(crate) records: Vec<(usize, Record)>,
    /// What else is known, by shard.
    pub(crate) beside: BTreeMap<String, Beside>,
    /// The disposition of each event. A record that counts is retried until it is counted.
    pub(crate) dispositions: Vec<Disposition>,
}

impl Batch {
    /// Reads the events.
    pub(crate) fn read(events: &[Event]) -> Self {
        let dispositions = Vec::with_capacity(events.len());
        let mut batch = Self { records: Vec::new(), beside: BTreeMap::new(), dispositions };
        for (index, event) in events.iter().enumerate() {
            let disposition = batch.add(index, event);
            batch.dispositions.push(disposition);
        }
        batch
    }

    /// The number of campaigns in the batch.
    pub(crate) fn campaigns(&self) -> usize {
        self.records.iter().map(|(_, record)| &record.campaign_id).collect::<BTreeSet<_>>().len()
    }

    fn add(&mut self, index: usize, event: &Event) -> Disposition {
        let shard = event.attribute("shardId").filter(|shard| is_name(shard));
        match (read(event, shard.unwrap_or_default()), shard) {
            (Ok(None), _) => Disposition::Ack,
            (Ok(Some(_)), None) => Disposition::retry(
                "the event does not say from which shard it is (shardId), so it cannot be counted once; on AWS Lambda give the \
                 event source mapping a tumbling window (docs/scoring.md)",
            ),
            (Ok(Some(record)), Some(shard)) => {
                let parents = event.attribute("parentShardId").unwrap_or_default();
                let parents = parents.split(',').filter(|parent| !parent.is_empty()).map(str::to_owned);
                self.beside.entry(shard.to_owned()).or_default().closed.extend(parents);
                self.records.push((index, record));
                Disposition::retry("the record was not counted")
            }
            (Err(reason), shard) => {
                if let Some((shard, position)) = shard.zip(Position::new(&event.id)) {
                    self.beside.entry(shard.to_owned()).or_default().unreadable.insert(position);
                }
                Disposition::Reject(reason)
            }
        }
    }
}

fn read(event: &Event, shard: &str) -> Result<Option<Record>, String> {
    let Payload::Json(change) = &event.payload else { return Err("malformed: the payload is not JSON".to_owned()) };
    let redriven = event.attribute("redriven") == Some("true");
    Record::read(change, &Origin { shard, sequence_number: &event.id, time_ms: event.time_ms, redriven })
}

/// Whether it can be a name in a path.
fn is_name(shard: &str) -> bool {
    !shard.is_empty() && !shard.contains('.')
}
