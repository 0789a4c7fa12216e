//! sendData: checks the records of the types' queues against their schemas and writes them to the event log
//! (docs/pipeline.md).
//!
//! `pipeline::send` decides what becomes of a record.
//!
//! - [`produce`]: the calls of the event log, one for each topic of a batch.

pub mod produce;

use pipeline::send::{self, LogRecord, Ports};
use pipeline::topics::Topics;
use worker_kit::platform::event_log;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure, variables};

/// The variable with what all names of topics begin with, instead of the default.
const PREFIX: &str = "topic_prefix";
/// The variable with the names of single topics.
const NAMES: &str = "topic_names";

/// The worker.
#[derive(Debug)]
pub struct SendData;

impl BatchWorker for SendData {
    const NAME: &'static str = "send-data";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let _span = call.span("sendData");
        let outcomes = send::handle(&EventLog, &topics().await?, &batch).await;
        call.info("Data written to the event log", outcomes.counts());
        Ok(outcomes.dispositions)
    }
}

worker_kit::batch_worker!(SendData);

/// The topics of the configuration. While it is wrong, no record can be written: all are delivered again, and are dead letters
/// after three deliveries. The host treats only responses of the platform as outages, not those of a worker.
async fn topics() -> Result<Topics, Failure> {
    let (prefix, names) = (variables::optional(PREFIX).await, variables::optional(NAMES).await);
    let wrong = |problem| Failure::retryable(format!("the variables {PREFIX} and {NAMES} name no topics: {problem}"));
    Topics::new(prefix.as_deref(), names.as_deref()).map_err(wrong)
}

/// The real event log.
struct EventLog;

impl Ports for EventLog {
    async fn produce(&self, records: Vec<LogRecord>) -> Vec<Result<(), Disposition>> {
        let write = async |topic: String, records: Vec<event_log::LogRecord>| event_log::produce(topic, records).await;
        let results = produce::produce(records, write).await.into_iter();
        results.map(|result| result.map_err(|error| error.disposition())).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use pipeline::kind::Kind;
    use std::cell::RefCell;
    use worker_kit::lambda::{self, Context, Incoming};

    fn events() -> Vec<Event> {
        let event = include_bytes!("../fixtures/sqs.json");
        let incoming = lambda::parse(event, &Context::default(), &mut |_| ()).unwrap();
        incoming.iter().filter_map(Incoming::event).cloned().collect()
    }

    /// An event log that takes everything.
    #[derive(Default)]
    struct World(RefCell<Vec<LogRecord>>);

    impl Ports for World {
        async fn produce(&self, records: Vec<LogRecord>) -> Vec<Result<(), Disposition>> {
            let results = records.iter().map(|_| Ok(())).collect();
            self.0.borrow_mut().extend(records);
            results
        }
    }

    #[test]
    fn the_fixture_has_a_valid_record_of_each_type_and_an_invalid_one() {
        let world = World::default();
        let outcomes = block_on(send::handle(&world, &Topics::new(None, None).unwrap(), &events()));
        let topics: Vec<_> = world.0.borrow().iter().map(|record| record.topic.clone()).collect();
        assert_eq!(topics, Kind::ALL.map(|kind| Topics::new(None, None).unwrap().of(kind)));
        let (last, others) = outcomes.dispositions.split_last().unwrap();
        assert_eq!(others, vec![Disposition::Ack; Kind::ALL.len()]);
        let reason = if let Disposition::Reject(reason) = last { reason.as_str() } else { "" };
        assert!(reason.starts_with("invalid: ") && reason.contains("/data/globalUserId is missing"), "{reason}");
    }
}
