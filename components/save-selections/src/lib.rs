//! saveSelections: gives the winners of saveSelectionQueue their codes and writes all verdicts to demand-table.
//!
//! - [`selection`]: the content of a message; [`plan`]: what to do for each fan, in which order.
//! - [`verdict`]: the update of a fan's item, and what an answer to it or to the assignment means.
//! - [`save`]: the steps, over [`ports`].

mod plan;
pub mod ports;
mod save;
mod selection;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod verdict;

use ports::{Live, Ports};
use selection::Selection;
use serde_json::json;
use worker_kit::services::EntryService;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure};

/// The worker.
pub struct SaveSelections;

impl BatchWorker for SaveSelections {
    const NAME: &'static str = "save-selections";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let _span = call.span("saveSelections");
        let dispositions = handle(&Live { service: EntryService::new(call), call }, batch).await;
        call.info("Selections saved", count(&dispositions));
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(SaveSelections);

/// Handles a batch, through the given ports.
pub async fn handle(ports: &impl Ports, batch: Vec<Event>) -> Vec<Disposition> {
    let mut dispositions = vec![Disposition::retry("the record was not planned"); batch.len()];
    let mut selections = Vec::with_capacity(batch.len());
    for (index, (event, disposition)) in batch.into_iter().zip(&mut dispositions).enumerate() {
        match event.json().and_then(Selection::new) {
            Ok(selection) => selections.push((index, selection)),
            Err(reason) => *disposition = Disposition::Reject(reason),
        }
    }
    for (index, settled) in save::save(ports, selections).await {
        if let Some(disposition) = dispositions.get_mut(index) {
            *disposition = settled;
        }
    }
    dispositions
}

/// The counts of a batch's dispositions, for the log. `FAILED` are winners who hold another code: they are among the
/// skipped.
fn count(dispositions: &[Disposition]) -> serde_json::Value {
    let count = |wanted: fn(&Disposition) -> bool| dispositions.iter().filter(|it| wanted(it)).count();
    json!({
        "received": dispositions.len(),
        "processed": count(|it| matches!(it, Disposition::Ack)),
        "failed": count(|it| matches!(it, Disposition::Retry(_) | Disposition::GiveUp(_))),
        "rejected": count(|it| matches!(it, Disposition::Reject(_))),
        "skipped": count(|it| matches!(it, Disposition::Skip(_))),
        "FAILED": count(verdict::is_failed),
    })
}
