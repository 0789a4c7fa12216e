//! saveFanScores: writes the scores of scoresStream to the fans' score items in demand-table.
//!
//! A batch takes the steps of all its fans together ([`scoring_io::save`]). Records of one fan may be in several shards,
//! under different names: workers that save them at the same time end with one item.

use scoring::fan::jobs;
use scoring::record::ScoreRecord;
use scoring_io::save::save;
use scoring_io::table::{DemandTable, Table};
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure, batch};

/// The worker.
#[derive(Debug)]
pub struct SaveFanScores;

impl BatchWorker for SaveFanScores {
    const NAME: &'static str = "save-fan-scores";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let _span = call.span("saveFanScores");
        let dispositions = handle(&DemandTable, batch).await;
        call.info("Fan scores saved", batch::counts(&dispositions));
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(SaveFanScores);

/// Handles a batch, through the given table.
pub async fn handle(table: &impl Table, batch: Vec<Event>) -> Vec<Disposition> {
    let read = |event: &Event| event.json().and_then(ScoreRecord::checked);
    batch::handle_readable(batch, read, async |records| {
        let saved = save(table, jobs(records)).await.into_iter();
        saved.flat_map(|(job, it)| job.indices.into_iter().map(move |record| (record, it.clone()))).collect()
    })
    .await
}

#[cfg(test)]
mod tests;
