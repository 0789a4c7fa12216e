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
use worker_kit::services::EntryService;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure, batch};

/// The worker.
pub struct SaveEntries;

impl BatchWorker for SaveEntries {
    const NAME: &'static str = "save-entries";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let _span = call.span("replicateEntries");
        let dispositions = handle(&Live { service: EntryService::new(call), call }, batch).await;
        call.info("Entries replicated", batch::counts(&dispositions));
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(SaveEntries);

/// Handles a batch, through the given ports.
pub async fn handle(ports: &impl Ports, batch: Vec<Event>) -> Vec<Disposition> {
    let read = |event: &Event| Ok((event.attempt, event.json().and_then(Record::new)?));
    batch::handle_readable(batch, read, async |records| {
        let input = |(index, (attempt, record))| Input { index, attempt, record };
        replicate::replicate(ports, records.into_iter().map(input).collect()).await
    })
    .await
}
