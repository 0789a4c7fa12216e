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
use serde_json::Value;
use worker_kit::services::EntryService;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure, batch};

/// The worker.
pub struct SaveSelections;

impl BatchWorker for SaveSelections {
    const NAME: &'static str = "save-selections";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let _span = call.span("saveSelections");
        let dispositions = handle(&Live { service: EntryService::new(call), call }, batch).await;
        call.info("Selections saved", counts(&dispositions));
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(SaveSelections);

/// Handles a batch, through the given ports.
pub async fn handle(ports: &impl Ports, batch: Vec<Event>) -> Vec<Disposition> {
    let read = |event: &Event| event.json().and_then(Selection::new);
    batch::handle_readable(batch, read, async |selections| save::save(ports, selections).await).await
}

/// The counts of a batch's dispositions, for the log. `FAILED` are winners who hold another code: they are among the
/// skipped.
fn counts(dispositions: &[Disposition]) -> Value {
    let mut counts = batch::counts(dispositions);
    if let Some(counts) = counts.as_object_mut() {
        counts.insert("FAILED".to_owned(), batch::count(dispositions, verdict::is_failed).into());
    }
    counts
}
