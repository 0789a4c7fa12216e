//! Gives up records of an ordered source. Each becomes a dead letter with its payload, in Lambda's envelope for stream
//! failures (docs/delivery.md, 6.5), and counts as settled only once the queue has it. Until then the key slice waits,
//! so that no record is skipped.

use super::{Chunk, Interrupted, KeySlice, Record, Rules, Wait};
use crate::dead_letter::{Cause, Unstored, rfc3339};
use crate::event::Event;
use crate::split::Head;
use host_adapters_records::Error;
use serde_json::{Value, json};

pub(super) const RETRIES_EXHAUSTED: &str = "RetryAttemptsExhausted";
pub(super) const TOO_OLD: &str = "RecordAgeExceeded";
pub(super) const REJECTED: &str = "RecordRejected";
/// The store can never accept what the record asks for.
pub(super) const INVALID: &str = "RecordInvalid";

impl KeySlice {
    /// Gives up the records of `chunk` that are too old to be delivered; `None` if none is left.
    pub(super) async fn give_up_expired(&self, chunk: Chunk<Record>) -> Result<Option<Chunk<Record>>, Interrupted> {
        let Some(max_age) = self.rules.max_age else { return Ok(Some(chunk)) };
        let Chunk { mut records, mut head } = chunk;
        // Giving up takes time, during which more records may become too old.
        while records.iter().any(|record| self.is_expired(record)) {
            let (old, young) = records.into_iter().partition(|record| self.is_expired(record));
            let reason = format!("older than {} s", max_age.as_secs());
            self.give_up(old, TOO_OLD, Cause { reason: &reason, ..Cause::default() }).await?;
            (records, head) = (young, Head::default());
        }
        Ok((!records.is_empty()).then_some(Chunk { records, head }))
    }

    /// Stores `records` as dead letters, then settles them.
    pub(super) async fn give_up(
        &self,
        records: Vec<Record>,
        condition: &str,
        cause: Cause<'_>,
    ) -> Result<(), Interrupted> {
        if records.is_empty() {
            return Ok(());
        }
        let batch = self.batch_info(&records);
        let dead_letter = |record: &Record| {
            let event = record.event();
            let envelope = self.envelope(&event, condition, &batch);
            let cause = Cause { attempts_ms: &record.attempts_ms, ..cause };
            self.rules.dead_letters.stream(&event, &self.shard, envelope, &cause)
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
    async fn store(&self, mut dead_letters: Vec<Unstored>) -> Result<(), Interrupted> {
        let mut failures = 0;
        loop {
            let errors = self.rules.dead_letters.send_what_is_left(&mut dead_letters).await;
            let first = errors.iter().flatten().next().cloned();
            let refused = dead_letters.into_iter().zip(errors).filter(|(_, error)| error.is_some());
            dead_letters = refused.map(|(dead_letter, _)| dead_letter).collect();
            let Some(error) = first else { return Ok(()) };
            self.log_refused(dead_letters.len(), &error);
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
            "timestamp": rfc3339(self.rules.now_ms()),
            "requestContext": {
                "functionName": self.rules.invoker.worker,
                "condition": condition,
                "approximateInvokeCount": event.attempt,
            },
            (self.rules.batch_info): batch,
        })
    }

    fn log_refused(&self, count: usize, error: &Error) {
        let Rules { invoker, dead_letters, .. } = &*self.rules;
        let (worker, source, queue, shard) = (&invoker.worker, &invoker.source, &dead_letters.queue, &self.shard);
        tracing::error!(worker, source, shard, queue, count, %error, "dead letters refused, key slice waits");
    }

    fn log_given_up(&self, records: &[Record], condition: &str, cause: &Cause<'_>) {
        let Rules { invoker, dead_letters, .. } = &*self.rules;
        let (worker, source, queue, shard) = (&invoker.worker, &invoker.source, &dead_letters.queue, &self.shard);
        let (first, count) = (records.first().map(|record| record.event.id.as_str()), records.len());
        let Cause { reason, digest, .. } = cause;
        tracing::error!(worker, source, shard, digest, queue, first, count, condition, reason, "records dead-lettered");
    }
}
