//! Producing records: all are given to librdkafka in their order, then each outcome is waited for. What a broker refused
//! together with others is sent again by itself.

use crate::Kafka;
use crate::client::{Context, Current, fault_of_certificates};
use crate::error::{is_of_batch, is_of_connection, told};
use host_adapters_platform::Result;
use host_adapters_platform::event_log::check_record;
use host_adapters_records::event_log::LogRecord;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureProducer;
use rdkafka::producer::future_producer::{DeliveryFuture, FutureRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait until a full buffer may have a place.
const FULL: Duration = Duration::from_millis(10);

type Producer = FutureProducer<Context>;

/// The place of a record in its call, and what became of it.
type Outcome = (usize, KafkaResult<()>);

impl Kafka {
    /// Returns for each record its error, if it failed.
    pub(crate) async fn produce_all(&self, topic: &str, records: &[LogRecord]) -> Result<Vec<Result<()>>> {
        let real = self.names.real(topic)?;
        let mut results: Vec<Result<()>> = records.iter().map(check_record).collect();
        let good = results.iter().zip(records).enumerate().filter(|(_, (checked, _))| checked.is_ok());
        let good: Vec<_> = good.map(|(place, (_, record))| (place, record)).collect();
        if good.is_empty() {
            return Ok(results);
        }
        let current = self.client.current()?;
        let mut outcomes = self.outcomes(&current.producer, &real, &good).await;
        self.repeat_alone(&current, &real, records, &mut outcomes).await;
        if outcomes.iter().any(|(_, outcome)| outcome.is_ok()) {
            current.context.works();
        }
        let why =
            match outcomes.iter().find_map(|(_, outcome)| outcome.as_ref().err().filter(|it| is_of_connection(it))) {
                Some(_) => self.why(&current).await,
                None => None,
            };
        for (place, outcome) in outcomes {
            if let (Some(result), Err(failed)) = (results.get_mut(place), outcome) {
                *result = Err(told(topic, &failed, why.as_deref()));
            }
        }
        Ok(results)
    }

    async fn outcomes(&self, producer: &Producer, topic: &str, records: &[(usize, &LogRecord)]) -> Vec<Outcome> {
        let until = Instant::now() + self.config.timeout();
        let mut waiting = Vec::with_capacity(records.len());
        for (place, record) in records {
            waiting.push((*place, enqueue(producer, topic, record, until).await));
        }
        let mut outcomes = Vec::with_capacity(waiting.len());
        for (place, delivery) in waiting {
            let outcome = match delivery {
                Ok(delivery) => match delivery.await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err((failed, _))) => Err(failed),
                    Err(_) => Err(KafkaError::Canceled),
                },
                Err(failed) => Err(failed),
            };
            outcomes.push((place, outcome));
        }
        outcomes
    }

    /// Sends records again, each by itself, if a broker may have refused them for the sake of others in their batch, and
    /// what follows them under their key, which must not be stored before them alone.
    async fn repeat_alone(&self, current: &Current, topic: &str, records: &[LogRecord], outcomes: &mut [Outcome]) {
        let is_refused = |outcome: &KafkaResult<()>| outcome.as_ref().is_err_and(is_of_batch);
        let (mut keys, mut refused) = (BTreeSet::new(), Vec::new());
        for (place, outcome) in outcomes.iter() {
            let Some(record) = records.get(*place) else { continue };
            if is_refused(outcome) {
                keys.insert(record.key.as_str());
            }
            if keys.contains(record.key.as_str()) {
                refused.push((*place, record));
            }
        }
        if refused.is_empty() {
            return;
        }
        let again = match current.single() {
            Ok(single) => self.outcomes(&single, topic, &refused).await,
            Err(failed) => refused.iter().map(|(place, _)| (*place, Err(failed.clone()))).collect(),
        };
        replace_failed(outcomes, again);
    }

    /// Why the brokers could not be asked.
    async fn why(&self, current: &Current) -> Option<String> {
        let (config, material) = (self.config.clone(), current.material.clone());
        let found = tokio::task::spawn_blocking(move || fault_of_certificates(&config, &material)).await;
        found.ok().flatten().or_else(|| current.context.last_error())
    }
}

/// Puts outcomes of records that were sent again in the place of those that failed. A record that was stored before stays
/// stored: if it seemed to have failed, the caller would produce it once more.
fn replace_failed(outcomes: &mut [Outcome], again: Vec<Outcome>) {
    let mut again: BTreeMap<usize, KafkaResult<()>> = again.into_iter().collect();
    for outcome in outcomes.iter_mut().filter(|outcome| outcome.1.is_err()) {
        if let Some(repeated) = again.remove(&outcome.0) {
            outcome.1 = repeated;
        }
    }
}

/// Gives a record to librdkafka, when its buffer has a place.
async fn enqueue(producer: &Producer, topic: &str, record: &LogRecord, until: Instant) -> KafkaResult<DeliveryFuture> {
    let mut message = FutureRecord::to(topic).key(record.key.as_str()).payload(record.value.as_str());
    if !record.headers.is_empty() {
        message = message.headers(headers(record));
    }
    loop {
        match producer.send_result(message) {
            Ok(delivery) => return Ok(delivery),
            Err((failed, back)) => {
                let is_full = failed.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                if !is_full || Instant::now() >= until {
                    return Err(failed);
                }
                message = back;
            }
        }
        tokio::time::sleep(FULL).await;
    }
}

fn headers(record: &LogRecord) -> OwnedHeaders {
    let none = OwnedHeaders::new_with_capacity(record.headers.len());
    record
        .headers
        .iter()
        .fold(none, |headers, (name, value)| headers.insert(Header { key: name.as_str(), value: Some(value.as_str()) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_was_stored_stays_so_when_its_repeat_fails() {
        let failed = |code| Err(KafkaError::MessageProduction(code));
        let (too_large, late) = (RDKafkaErrorCode::MessageSizeTooLarge, RDKafkaErrorCode::MessageTimedOut);
        let mut outcomes = [(0, failed(late)), (2, failed(too_large)), (3, Ok(())), (5, failed(too_large))];
        replace_failed(&mut outcomes, vec![(2, Ok(())), (3, failed(late)), (5, failed(late))]);
        assert_eq!(outcomes, [(0, failed(late)), (2, Ok(())), (3, Ok(())), (5, failed(late))]);
    }
}
