//! reportVerdicts: posts to Slack how many fans of a campaign are verified, rejected and selected, for the messages of
//! verdictReporterQueue.
//!
//! `scoring::report` decides what is posted to Slack, and when.
//!
//! - [`campaign`]: the messages of a batch about one campaign, one of which posts to Slack.
//! - [`report`]: the steps of a batch, over [`ports`].

mod campaign;
pub mod ports;
mod report;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use campaign::Sent;
use ports::{Live, Ports};
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure, batch};

/// The worker.
#[derive(Debug)]
pub struct ReportVerdicts;

impl BatchWorker for ReportVerdicts {
    const NAME: &'static str = "report-verdicts";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let _span = call.span("reportVerdicts");
        let dispositions = handle(&Live { call }, batch).await;
        call.info("Verdicts reported", batch::counts(&dispositions));
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(ReportVerdicts);

/// Handles a batch, through the given ports.
pub async fn handle(ports: &impl Ports, batch: Vec<Event>) -> Vec<Disposition> {
    batch::handle_readable(batch, Sent::read, async |sent| report::report(ports, sent).await).await
}
