//! markAssignedCodes: reports to the Code Service which codes fans have received, according to the changes of
//! demand-table.

mod change;
mod mark;

use serde_json::json;
use worker_kit::services::CodeService;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure};

/// The worker.
pub struct MarkAssignedCodes;

impl BatchWorker for MarkAssignedCodes {
    const NAME: &'static str = "mark-assigned-codes";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        // Most changes give nobody a code, and there is nothing to do about them.
        let mut dispositions = vec![Disposition::Ack; batch.len()];
        let mut given = Vec::new();
        for (index, (event, disposition)) in batch.iter().zip(&mut dispositions).enumerate() {
            match event.json().and_then(change::given_code) {
                Ok(code) => given.extend(code.map(|code| (index, code))),
                Err(reason) => *disposition = Disposition::Reject(reason),
            }
        }
        if given.is_empty() {
            return Ok(dispositions);
        }
        let (service, codes) = (CodeService::new(call), given.len());
        let send = async |campaign_id: &str, market_id: &str, codes: &[String]| {
            let mut span = call.span("markAssigned");
            span.set("span.campaignId", campaign_id);
            service.mark_assigned(campaign_id, market_id, codes).await
        };
        let outcomes = mark::mark(given, send).await;
        for problem in outcomes.problems {
            problem.log(call, "Codes not marked as assigned", json!({}));
        }
        let marked = outcomes.settled.iter().filter(|(_, settled)| *settled == Disposition::Ack).count();
        call.info("Codes marked as assigned", json!({"received": batch.len(), "codes": codes, "marked": marked}));
        for (index, settled) in outcomes.settled {
            if let Some(disposition) = dispositions.get_mut(index) {
                *disposition = settled;
            }
        }
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(MarkAssignedCodes);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::change::{GivenCode, given_code};
    use worker_kit::Payload;
    use worker_kit::lambda::{self, Context, Incoming};

    fn events() -> Vec<Event> {
        let event = include_bytes!("../fixtures/dynamodb-stream.json");
        let incoming = lambda::parse(event, &Context::default(), &mut |_| ()).unwrap();
        incoming.iter().filter_map(Incoming::event).cloned().collect()
    }

    #[test]
    fn a_winners_change_gives_a_code() {
        let [campaign_id, market_id, code] = ["campaign-123", "market-456", "CODE-123"].map(str::to_owned);
        let given = events().iter().map(|event| event.json().and_then(given_code).unwrap()).collect::<Vec<_>>();
        assert_eq!(given, [Some(GivenCode { campaign_id, market_id, code })]);
    }

    /// Nothing is sent, so no service is needed.
    #[test]
    fn changes_without_a_new_code_are_acknowledged_and_malformed_ones_rejected() {
        let changes = [
            r#"{"eventName":"INSERT","keys":{"sk":"USER#u"},"newImage":{"campaignId":"c"}}"#,
            r#"{"eventName":"REMOVE","keys":{"sk":"USER#u"},"oldImage":{"accessCode":"A"}}"#,
            r#"{"eventName":"MODIFY","keys":{"sk":"SCORE#m"},"newImage":{"accessCode":"A"}}"#,
            r#"{"eventName":"MODIFY","keys":{"sk":"USER#u"},"newImage":{"campaignId":"c","accessCode":"A"}}"#,
        ];
        let event = |change: &str| Event { payload: Payload::Json(change.to_owned()), ..events().remove(0) };
        let call = Call::new(MarkAssignedCodes::NAME, "call".to_owned(), None);
        let dispositions = futures::executor::block_on(MarkAssignedCodes::handle(changes.map(event).to_vec(), &call));
        let rejected = Disposition::Reject("malformed: marketId is missing or not text".to_owned());
        assert_eq!(dispositions.unwrap(), [Disposition::Ack, Disposition::Ack, Disposition::Ack, rejected]);
    }
}
