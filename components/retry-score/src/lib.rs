//! retryScore: has the Entry Service compute scores again that it could not update when it stored their entries.

mod refresh;

use futures::{StreamExt, stream};
use refresh::{Body, Request};
use serde_json::json;
use worker_kit::services::EntryService;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure};

/// Most requests at a time.
const CONCURRENCY: usize = 8;

/// The worker.
pub struct RetryScore;

impl BatchWorker for RetryScore {
    const NAME: &'static str = "retry-score";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let service = EntryService::new(call);
        let mut dispositions = vec![Disposition::retry("its score was not asked for"); batch.len()];
        let mut bodies = Vec::new();
        for (index, (event, disposition)) in batch.iter().zip(&mut dispositions).enumerate() {
            match event.json().and_then(Body::checked) {
                Ok(body) => bodies.push((index, body)),
                Err(reason) => *disposition = Disposition::Reject(reason),
            }
        }
        let requests = refresh::requests(bodies);
        let answers = requests.iter().map(|request| send(&service, request, call));
        let answers: Vec<_> = stream::iter(answers).buffer_unordered(CONCURRENCY).collect().await;
        for (index, settled) in answers.into_iter().flatten() {
            if let Some(disposition) = dispositions.get_mut(index) {
                *disposition = settled;
            }
        }
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(RetryScore);

async fn send(service: &EntryService<'_>, request: &Request, call: &Call) -> Vec<(usize, Disposition)> {
    let mut span = call.span("refreshScores");
    span.set("span.campaignId", request.campaign_id.clone());
    let mut settled = Vec::new();
    let mut waiting = vec![request.clone()];
    while let Some(request) = waiting.pop() {
        match service.refresh_scores(&request.campaign_id, &request.fans).await {
            Ok(results) => settled.extend(request.settle(&results)),
            Err(error) => match request.halves().filter(|_| error.is_refusal()) {
                Some(halves) => waiting.extend(halves),
                None => {
                    call.warn("Scores not refreshed", json!({"fans": request.fans, "problem": error.to_string()}));
                    settled.extend(request.settle_all(&error.disposition()));
                }
            },
        }
    }
    settled
}
