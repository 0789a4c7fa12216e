//! loadScores: puts the rows of a scored file in `scrubbed/` to `scoresStream`, and queues the reports of the file.
//!
//! The rules of rows, progress and reports are those of `scoring`; the steps are [`scoring_io::load`], which
//! save-fanlist-scores shares.

use scoring::schema::{self, Kind};
use scoring_io::load;
use scoring_io::ports::Live;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure};

/// The data stream that save-fan-scores and save-entry-scores read.
const STREAM: &str = "scoresStream";

/// The worker.
#[derive(Debug)]
pub struct LoadScores;

impl BatchWorker for LoadScores {
    const NAME: &'static str = "load-scores";

    fn warm_up() {
        schema::warm_up();
    }

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let _span = call.span("loadScores");
        Ok(load::handle(&Live::new(call, STREAM), Kind::Scrubbed, batch).await)
    }
}

worker_kit::batch_worker!(LoadScores);
