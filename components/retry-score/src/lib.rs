//! retryScore: asks the Entry Service to compute scores again that it could not update when it stored their entries.

mod refresh;

use refresh::Body;
use serde_json::json;
use worker_kit::services::EntryService;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure};

/// The worker.
pub struct RetryScore;

impl BatchWorker for RetryScore {
    const NAME: &'static str = "retry-score";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let mut dispositions = vec![Disposition::retry("its score was not asked for"); batch.len()];
        let mut bodies = Vec::new();
        for (index, (event, disposition)) in batch.iter().zip(&mut dispositions).enumerate() {
            match event.json().and_then(Body::checked) {
                Ok(body) => bodies.push((index, body)),
                Err(reason) => *disposition = Disposition::Reject(reason),
            }
        }
        let service = EntryService::new(call);
        let send = async |campaign_id: &str, fans: &[String]| {
            let mut span = call.span("refreshScores");
            span.set("span.campaignId", campaign_id);
            service.refresh_scores(campaign_id, fans).await
        };
        let outcomes = refresh::refresh(bodies, send).await;
        for problem in outcomes.problems {
            problem.log(call, "Scores not refreshed", json!({}));
        }
        for (index, settled) in outcomes.settled {
            if let Some(disposition) = dispositions.get_mut(index) {
                *disposition = settled;
            }
        }
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(RetryScore);
