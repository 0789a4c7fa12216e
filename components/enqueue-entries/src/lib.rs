//! enqueueEntries: sends the changes of `demand-table` that the Entry Service needs to saveEntriesQueue.

mod filter;

use chrono::{DateTime, Utc};
use filter::{Body, Keyed};
use serde_json::json;
use worker_kit::platform::{Error, queue};
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure, log};

/// The queue of the messages.
const QUEUE: &str = "saveEntriesQueue";

/// The worker.
pub struct EnqueueEntries;

impl BatchWorker for EnqueueEntries {
    const NAME: &'static str = "enqueue-entries";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let mut dispositions = vec![Disposition::Ack; batch.len()];
        let mut messages = Vec::new();
        for (event, disposition) in batch.iter().zip(&mut dispositions) {
            match message(event, call, Utc::now()) {
                Ok(None) => {}
                Ok(Some(message)) => messages.push((message, disposition)),
                Err(reason) => *disposition = Disposition::Reject(reason),
            }
        }
        let (messages, sent): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let (received, queued) = (batch.len(), messages.len());
        let failed = send(messages, sent).await;
        // Most batches have no entry in them while scores are written.
        if queued > 0 {
            call.info("Entries queued", json!({"received": received, "queued": queued - failed, "failed": failed}));
        }
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(EnqueueEntries);

/// The message for an event; `None` if it is not replicated. An event without a time counts as made `now`.
fn message(event: &Event, call: &Call, now: DateTime<Utc>) -> Result<Option<queue::Message>, String> {
    if !event.json::<Keyed>()?.is_entry() {
        return Ok(None);
    }
    let made = i64::try_from(event.time_ms).ok().filter(|ms| *ms > 0).and_then(DateTime::from_timestamp_millis);
    let changed_at = log::timestamp(made.unwrap_or(now));
    let Some(body) = filter::decide(event.json()?, &event.id, &changed_at)? else { return Ok(None) };
    Ok(Some(queue::Message::new(text(&body)?, call.of(event).attributes())))
}

fn text(body: &Body) -> Result<String, String> {
    serde_json::to_string(body).map_err(|error| format!("malformed: the entry cannot be written as JSON: {error}"))
}

/// Sends the messages. Records whose message was not accepted are marked for redelivery; returns how many.
async fn send(messages: Vec<queue::Message>, dispositions: Vec<&mut Disposition>) -> usize {
    if messages.is_empty() {
        return 0;
    }
    let results = queue::send_batch(QUEUE.to_owned(), messages).await;
    let mut failed = 0;
    for (index, disposition) in dispositions.into_iter().enumerate() {
        if let Some(retry) = retry(&results, index) {
            *disposition = retry;
            failed += 1;
        }
    }
    failed
}

/// The disposition of a record whose message was not accepted; `None` if it was.
fn retry(results: &Result<Vec<Result<String, Error>>, Error>, index: usize) -> Option<Disposition> {
    match results.as_ref().map(|results| results.get(index)) {
        Ok(Some(Ok(_))) => None,
        Ok(Some(Err(error))) | Err(error) => Some(error.disposition()),
        // If the response has fewer results than messages, it is unknown whether this one was accepted.
        Ok(None) => Some(Disposition::retry(format!("{QUEUE}: the response does not mention the message"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use expect_test::expect;
    use worker_kit::Attribute;
    use worker_kit::lambda::{self, Context, Incoming};
    use worker_kit::platform::ErrorKind;

    fn call() -> Call {
        Call::new(EnqueueEntries::NAME, "call".to_owned(), None)
    }

    fn events(fixture: &str) -> Vec<Event> {
        let context = Context { correlation_id: Some("correlation-123"), traceparent: None };
        let incoming = lambda::parse(fixture.as_bytes(), &context, &mut |_| ()).unwrap();
        incoming.iter().filter_map(Incoming::event).cloned().collect()
    }

    #[test]
    fn the_documents_event_makes_one_message() {
        let events = events(include_str!("../fixtures/dynamodb-stream.json"));
        let now = "2024-01-15T10:30:00.123Z".parse().unwrap();
        let first = message(&events[0], &call(), now).unwrap().unwrap();
        assert_eq!(first.attributes, [Attribute::text("correlationId", "correlation-123")]);
        expect![[r#"{"entry":{"campaignId":"campaign-123","fields":"{\"email\":\"fan@example.com\"}","globalUserId":"user-456","needsReplication":true,"pk":"CAMPAIGN#campaign-123","sk":"USER#user-456"},"operation":"INSERT","recordId":"record-0","date":"2024-01-15T10:30:00.123Z"}"#]].assert_eq(&first.body);
        let timed = Event { time_ms: 1_705_314_000_000, ..events[0].clone() };
        let timed = message(&timed, &call(), now).unwrap().unwrap();
        assert!(timed.body.ends_with(r#""date":"2024-01-15T10:20:00.000Z"}"#), "{}", timed.body);
    }

    /// Nothing is sent, so no queue is needed.
    #[test]
    fn unreplicated_changes_are_acknowledged_and_malformed_ones_rejected() {
        let mut events = events(include_str!("../fixtures/dynamodb-stream.json"));
        let mut other = events[0].clone();
        // An image that cannot be read: that of another item is not read.
        let score = r#"{"eventName":"INSERT","keys":{"sk":"SCORE#m"},"newImage":1e999}"#;
        other.payload = worker_kit::Payload::Json(score.to_owned());
        events[0].payload = worker_kit::Payload::Json(r#"{"eventName":"INSERT","keys":{}}"#.to_owned());
        events.push(other);
        let dispositions = futures::executor::block_on(EnqueueEntries::handle(events, &call())).unwrap();
        expect![[r#"
            [
                Reject(
                    "malformed: keys: missing field `sk` at line 1 column 31",
                ),
                Ack,
            ]
        "#]]
        .assert_debug_eq(&dispositions);
    }

    #[test]
    fn only_records_of_accepted_messages_are_acknowledged() {
        let throttled = Error { kind: ErrorKind::Throttled, message: "later".to_owned(), retry_after_ms: Some(50) };
        let results = Ok(vec![Ok("m-1".to_owned()), Err(throttled)]);
        assert_eq!(retry(&results, 0), None);
        assert_eq!(retry(&results, 1), Some(Disposition::retry_after(Some(50), "later")));
        assert!(
            matches!(retry(&results, 2), Some(Disposition::Retry(retry)) if retry.reason.contains("does not mention"))
        );
    }

    #[test]
    fn a_queue_that_does_not_answer_accepts_nothing() {
        let results = Err(Error::new(ErrorKind::Unavailable, "down"));
        assert_eq!(retry(&results, 0), Some(Disposition::retry("down")));
    }
}
