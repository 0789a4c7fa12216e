//! Gives up records of an ordered source. Each becomes a dead letter with its payload, in Lambda's envelope for stream
//! failures (docs/delivery.md, 6.5), and counts as settled only once the queue has it. Until then the key slice waits,
//! so that no record is skipped.

use super::{Chunk, Interrupted, KeySlice, Record, Rules, Wait};
use crate::dead_letter::Cause;
use crate::event::Event;
use host_adapters_records::queue::Message;
use host_adapters_records::{Error, ErrorKind};
use serde_json::{Value, json};

pub(super) const RETRIES_EXHAUSTED: &str = "RetryAttemptsExhausted";
pub(super) const TOO_OLD: &str = "RecordAgeExceeded";
pub(super) const REJECTED: &str = "RecordRejected";

impl KeySlice {
    /// Gives up the records of `chunk` that are too old to be delivered; `None` if none is left.
    pub(super) async fn give_up_expired(&self, chunk: Chunk<Record>) -> Result<Option<Chunk<Record>>, Interrupted> {
        let Some(max_age) = self.rules.max_age else { return Ok(Some(chunk)) };
        let Chunk { mut records, mut failures } = chunk;
        // Giving up takes time, during which more records may become too old.
        while records.iter().any(|record| self.is_expired(record)) {
            let (old, young) = records.into_iter().partition(|record| self.is_expired(record));
            self.give_up(old, TOO_OLD, &format!("older than {} s", max_age.as_secs()), "").await?;
            (records, failures) = (young, 0);
        }
        Ok((!records.is_empty()).then_some(Chunk { records, failures }))
    }

    /// Stores `records` as dead letters, then settles them.
    pub(super) async fn give_up(
        &self,
        records: Vec<Record>,
        condition: &str,
        reason: &str,
        digest: &str,
    ) -> Result<(), Interrupted> {
        if records.is_empty() {
            return Ok(());
        }
        let batch = self.batch_info(&records);
        let cause = Cause { reason, digest };
        let dead_letter = |record: &Record| {
            let event = record.event();
            let envelope = self.envelope(&event, condition, &batch);
            let (message, bare) = self.rules.dead_letters.stream(&event, envelope, &cause);
            DeadLetter { message, bare, refused: None }
        };
        self.store(records.iter().map(dead_letter).collect()).await?;
        self.rules.invoker.meter.dead_lettered.increment(records.len() as u64);
        // Rejections are logged already, one by one.
        if condition != REJECTED {
            self.log_given_up(&records, condition, &cause);
        }
        self.checkpointer.settle(records.iter().map(|record| record.ticket));
        Ok(())
    }

    /// Sends dead letters until the queue has stored every one.
    async fn store(&self, mut dead_letters: Vec<DeadLetter>) -> Result<(), Interrupted> {
        let mut failures = 0;
        loop {
            let messages = dead_letters.iter().map(|dead_letter| dead_letter.message.clone()).collect();
            let errors = self.rules.dead_letters.send(messages).await;
            dead_letters = dead_letters
                .into_iter()
                .zip(errors)
                .filter_map(|(dead_letter, error)| Some(dead_letter.after(error?)))
                .collect();
            if dead_letters.is_empty() {
                return Ok(());
            }
            self.log_refused(&dead_letters);
            failures += 1;
            self.pause(Wait::Backoff(failures)).await;
            if self.drain.is_stopping() {
                return Err(Interrupted(dead_letters.len()));
            }
        }
    }

    fn batch_info(&self, records: &[Record]) -> Value {
        let (first, last) = (records.first(), records.last());
        let sequence = |record: Option<&Record>| record.map(|record| record.event.id.clone());
        let time = |record: Option<&Record>| record.and_then(|record| rfc3339(record.event.time_ms));
        json!({
            "shardId": self.shard,
            "startSequenceNumber": sequence(first),
            "endSequenceNumber": sequence(last),
            "approximateArrivalOfFirstRecord": time(first),
            "approximateArrivalOfLastRecord": time(last),
            "batchSize": records.len(),
            "stream": self.rules.invoker.source,
        })
    }

    fn envelope(&self, event: &Event, condition: &str, batch: &Value) -> Value {
        json!({
            "version": "1.0",
            "timestamp": rfc3339(u64::try_from(self.rules.clock.now_ms()).unwrap_or(0)),
            "requestContext": {
                "functionName": self.rules.invoker.worker,
                "condition": condition,
                "approximateInvokeCount": event.attempt,
            },
            (self.rules.batch_info): batch,
        })
    }

    fn log_refused(&self, refused: &[DeadLetter]) {
        let Rules { invoker, dead_letters, .. } = &*self.rules;
        let (worker, source, queue, shard) = (&invoker.worker, &invoker.source, &dead_letters.queue, &self.shard);
        let error = refused.first().and_then(|dead_letter| dead_letter.refused.as_ref()).map(ToString::to_string);
        tracing::error!(
            worker,
            source,
            shard,
            queue,
            count = refused.len(),
            error,
            "dead letters refused, key slice waits"
        );
    }

    fn log_given_up(&self, records: &[Record], condition: &str, cause: &Cause<'_>) {
        let Rules { invoker, dead_letters, .. } = &*self.rules;
        let (worker, source, queue, shard) = (&invoker.worker, &invoker.source, &dead_letters.queue, &self.shard);
        let (first, count) = (records.first().map(|record| record.event.id.as_str()), records.len());
        let Cause { reason, digest } = cause;
        tracing::error!(worker, source, shard, digest, queue, first, count, condition, reason, "records dead-lettered");
    }
}

/// A dead letter that is being sent.
struct DeadLetter {
    message: Message,
    /// The body without the payload.
    bare: String,
    /// Why the queue refused it the last time.
    refused: Option<Error>,
}

impl DeadLetter {
    /// What to send after `error`. A dead letter that is too large for the queue is sent without its payload: the
    /// envelope still names the record's place in the stream.
    fn after(mut self, error: Error) -> Self {
        if error.kind == ErrorKind::Invalid {
            self.message.body.clone_from(&self.bare);
        }
        self.refused = Some(error);
        self
    }
}

fn rfc3339(ms: u64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_millis(i64::try_from(ms).ok()?)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}
