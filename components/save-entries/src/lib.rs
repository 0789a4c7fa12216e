//! saveEntries: sends the entry changes of saveEntriesQueue to the Entry Service, unless the item has changed since.
//!
//! - [`record`]: the content of a message; [`stale`]: whether it is still current; [`plan`]: what to send.
//! - [`convergence`]: the next step after each outcome, until flag and service agree.
//! - [`replicate`]: the steps, over [`ports`].

mod convergence;
mod plan;
pub mod ports;
mod record;
mod replicate;
mod stale;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use plan::Input;
use ports::{Live, Ports};
use record::Record;
use serde_json::json;
use worker_kit::services::EntryService;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure};

/// The worker.
pub struct SaveEntries;

impl BatchWorker for SaveEntries {
    const NAME: &'static str = "save-entries";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let _span = call.span("replicateEntries");
        let dispositions = handle(&Live { service: EntryService::new(call), call }, batch).await;
        call.info("Entries replicated", count(&dispositions));
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(SaveEntries);

/// Handles a batch, through the given ports.
pub async fn handle(ports: &impl Ports, batch: Vec<Event>) -> Vec<Disposition> {
    let mut dispositions = vec![Disposition::retry("the record was not planned"); batch.len()];
    let mut inputs = Vec::with_capacity(batch.len());
    for (index, (event, disposition)) in batch.into_iter().zip(&mut dispositions).enumerate() {
        match event.json().and_then(Record::new) {
            Ok(record) => inputs.push(Input { index, attempt: event.attempt, record }),
            Err(reason) => *disposition = Disposition::Reject(reason),
        }
    }
    for (index, settled) in replicate::replicate(ports, inputs).await {
        if let Some(disposition) = dispositions.get_mut(index) {
            *disposition = settled;
        }
    }
    dispositions
}

/// The counts of a batch's dispositions, for the log.
pub fn count(dispositions: &[Disposition]) -> serde_json::Value {
    let count = |wanted: fn(&Disposition) -> bool| dispositions.iter().filter(|it| wanted(it)).count();
    json!({
        "received": dispositions.len(),
        "processed": count(|it| matches!(it, Disposition::Ack)),
        "failed": count(|it| matches!(it, Disposition::Retry(_) | Disposition::GiveUp(_))),
        "rejected": count(|it| matches!(it, Disposition::Reject(_))),
        "skipped": count(|it| matches!(it, Disposition::Skip(_))),
    })
}
