//! saveEntryScores: sends the scores of scoresStream that are of rank 0 to the Entry Service.

pub mod send;

use scoring::record::ScoreRecord;
use serde_json::json;
use worker_kit::services::EntryService;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure, batch};

/// The worker.
#[derive(Debug)]
pub struct SaveEntryScores;

impl BatchWorker for SaveEntryScores {
    const NAME: &'static str = "save-entry-scores";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let send = async |campaign_id: &str, scores: &[&ScoreRecord]| {
            let call = call.about(campaign_id);
            let _span = call.span("saveEntryScores");
            EntryService::new(&call).upsert_scores(campaign_id, scores, |score| send::names(score)).await
        };
        let dispositions = batch::handle_readable(batch, read, async |records| {
            let outcomes = send::send(records, send).await;
            for problem in outcomes.problems {
                problem.log(call, "Scores not saved in the Entry Service", json!({}));
            }
            if outcomes.sent > 0 {
                call.info("Scores sent to the Entry Service", json!({"scores": outcomes.sent}));
            }
            outcomes.settled
        });
        Ok(dispositions.await)
    }
}

worker_kit::batch_worker!(SaveEntryScores);

/// The record of an event. The error is a reason to reject it, and names the field.
fn read(event: &Event) -> Result<ScoreRecord, String> {
    event.json().and_then(ScoreRecord::checked)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use worker_kit::Payload;
    use worker_kit::lambda::{self, Context, Incoming};

    fn events() -> Vec<Event> {
        let event = include_bytes!("../fixtures/kinesis.json");
        let incoming = lambda::parse(event, &Context::default(), &mut |_| ()).unwrap();
        incoming.iter().filter_map(Incoming::event).cloned().collect()
    }

    #[test]
    fn the_fixture_has_a_record_that_is_sent_and_one_that_is_not() {
        let records: Vec<_> = events().iter().map(|event| read(event).unwrap()).collect();
        assert_eq!(records.iter().map(ScoreRecord::is_for_entry_service).collect::<Vec<_>>(), [true, false]);
        assert_eq!(
            (records[0].campaign_id.as_str(), records[0].member_id.as_deref()),
            ("campaign-123", Some("member-456"))
        );
    }

    /// Nothing is sent, so no service is needed.
    #[test]
    fn req_006_other_ranks_are_acknowledged_and_unreadable_records_rejected_by_the_name_of_their_field() {
        let mut other = events().remove(1);
        let record = |text: &str| Event { payload: Payload::Json(text.to_owned()), ..other.clone() };
        let mut batch = vec![other.clone(), record(r#"{"campaignId":"c","memberId":"m","rank":0}"#), record("[]")];
        other.payload = Payload::Bytes(b"not JSON".to_vec());
        batch.push(other);
        let call = Call::new(SaveEntryScores::NAME, "call".to_owned(), None);
        let dispositions = futures::executor::block_on(SaveEntryScores::handle(batch, &call)).unwrap();
        assert_eq!(dispositions[0], Disposition::Ack);
        let reasons: Vec<_> = dispositions[1..]
            .iter()
            .map(|it| if let Disposition::Reject(reason) = it { reason.as_str() } else { "" })
            .collect();
        assert!(reasons.iter().all(|reason| reason.starts_with("malformed: ")), "{reasons:?}");
        assert!(reasons[0].contains("missing field `score`"), "{reasons:?}");
    }
}
