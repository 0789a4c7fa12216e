//! countVerdicts: counts the verified, rejected and selected fans of each campaign, from the changes of demand-table
//! (docs/scoring.md, "Counts").

mod batch;
mod count;
#[cfg(test)]
mod tests;

use batch::Batch;
use scoring_io::table::{DemandTable, Table};
use serde_json::json;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure};

/// The worker.
pub struct CountVerdicts;

impl BatchWorker for CountVerdicts {
    const NAME: &'static str = "count-verdicts";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let batch = Batch::read(&batch);
        // Most changes count nothing, its own among them.
        if batch.records.is_empty() {
            return Ok(batch.dispositions);
        }
        let _span = call.span("countVerdicts");
        let (records, campaigns) = (batch.records.len(), batch.campaigns());
        let dispositions = handle(&DemandTable, batch).await;
        let counts = worker_kit::batch::counts(&dispositions);
        call.info("Verdicts counted", json!({"changes": records, "campaigns": campaigns, "records": counts}));
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(CountVerdicts);

/// Counts a batch in the given table.
pub(crate) async fn handle(table: &impl Table, batch: Batch) -> Vec<Disposition> {
    let Batch { records, beside, mut dispositions } = batch;
    for (index, settled) in count::count(table, records, &beside).await {
        if let Some(disposition) = dispositions.get_mut(index) {
            *disposition = settled;
        }
    }
    dispositions
}
