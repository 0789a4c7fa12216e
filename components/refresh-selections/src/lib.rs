//! refreshSelections: queues the winners of a market again, with the codes that they have. saveSelections then writes
//! what is missing in demand-table. No code is reserved. A market of many winners takes several calls: see [`refresh`].

mod ports;
mod refresh;

use ports::Live;
use refresh::Body;
use worker_kit::services::EntryService;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure};

/// The worker.
pub struct RefreshSelections;

impl BatchWorker for RefreshSelections {
    const NAME: &'static str = "refresh-selections";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let mut dispositions = Vec::with_capacity(batch.len());
        for event in &batch {
            dispositions.push(match event.json().and_then(Body::checked) {
                Ok(body) => {
                    let call = call.of(event).about(&body.campaign_id);
                    let _span = call.span("refreshSelections");
                    let ports = Live { service: EntryService::new(&call), call: &call };
                    refresh::refresh(&ports, &event.id, &body).await
                }
                Err(reason) => Disposition::Reject(reason),
            });
        }
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(RefreshSelections);
