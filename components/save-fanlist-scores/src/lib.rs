//! saveFanlistScores: saves the rows of a scored file in `fanlist/scored/` to `demand-table`, puts each to
//! `campaignDataStream` after that, and queues the reports of the file.
//!
//! The rules of rows, items, progress and reports are those of `scoring`; the steps are [`scoring_io::load`], which
//! load-scores shares.

use scoring::schema::{self, Kind};
use scoring_io::load;
use scoring_io::ports::Live;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure};

/// The data stream of campaigns' data.
const STREAM: &str = "campaignDataStream";

/// The worker.
#[derive(Debug)]
pub struct SaveFanlistScores;

impl BatchWorker for SaveFanlistScores {
    const NAME: &'static str = "save-fanlist-scores";

    fn warm_up() {
        schema::warm_up();
    }

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let _span = call.span("saveFanlistScores");
        Ok(load::handle(&Live::new(call, STREAM), Kind::Fanlist, batch).await)
    }
}

worker_kit::batch_worker!(SaveFanlistScores);
