//! processData: formats the records of dataQueue and publishes them to the topic dataSns, which sends each type to its own
//! queue (docs/pipeline.md).
//!
//! `pipeline::process` decides what becomes of a record.
//!
//! - [`campaigns`]: reads campaigns, cache-aside, for `options.dataPipeline`.
//! - [`ports`]: the requests of a batch.

pub mod campaigns;
mod ports;

use pipeline::outcomes::Outcomes;
use pipeline::process;
use ports::Live;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure};

/// Records that are published, or acknowledged only because their campaign's data is not.
const RECORDS: &str = "pipeline_records_total";

/// The worker.
#[derive(Debug)]
pub struct ProcessData;

impl BatchWorker for ProcessData {
    const NAME: &'static str = "process-data";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let _span = call.span("processData");
        let outcomes = process::handle(&Live::new(call), &batch).await;
        tell(call, &outcomes);
        Ok(outcomes.dispositions)
    }
}

worker_kit::batch_worker!(ProcessData);

/// Logs and counts what became of a batch. The host logs each record that is rejected, with the reason.
fn tell(call: &Call, outcomes: &Outcomes) {
    call.info("Data published to the topic", outcomes.counts());
    for (outcome, records) in [("published", outcomes.published), ("off", outcomes.off)] {
        call.count(RECORDS, u64::try_from(records).unwrap_or(u64::MAX), &[("outcome", outcome)]);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use pipeline::kind::Kind;
    use pipeline::message::Message;
    use worker_kit::Payload;
    use worker_kit::lambda::{self, Context, Incoming};

    fn events() -> Vec<Event> {
        let event = include_bytes!("../fixtures/sqs.json");
        let incoming = lambda::parse(event, &Context::default(), &mut |_| ()).unwrap();
        incoming.iter().filter_map(Incoming::event).cloned().collect()
    }

    #[test]
    fn the_fixture_has_a_record_of_each_type() {
        let kinds: Vec<_> = events().iter().map(|event| Message::read(event).unwrap().kind).collect();
        assert_eq!(kinds, Kind::ALL);
    }

    /// Nothing is published, so neither campaigns nor a topic are needed.
    #[test]
    fn use_case_5_invalid_record_type_and_empty_data_payload_are_rejected_with_their_reason() {
        let event = events().remove(0);
        let record = |text: &str| Event { payload: Payload::of_text(text.to_owned()), ..event.clone() };
        let batch = vec![record(r#"{"type":"VENUE","data":{"id":"v"}}"#), record(r#"{"type":"MARKET","data":{}}"#)];
        let call = Call::new(ProcessData::NAME, "call".to_owned(), None);
        let dispositions = futures::executor::block_on(ProcessData::handle(batch, &call)).unwrap();
        let reason = |index: usize| match &dispositions[index] {
            Disposition::Reject(reason) => reason.clone(),
            other => format!("{other:?}"),
        };
        assert!(reason(0).starts_with("unknown type: VENUE "), "{}", reason(0));
        assert!(reason(1).starts_with("empty: /data"), "{}", reason(1));
    }
}
