//! Producing records: all are given to librdkafka in their order, then each outcome is waited for.

use crate::Kafka;
use crate::client::Current;
use crate::error::{error, is_of_connection};
use crate::tls::fault_of_connection;
use host_adapters_platform::Result;
use host_adapters_platform::event_log::check_record;
use host_adapters_records::event_log::LogRecord;
use host_adapters_records::{Error, ErrorKind};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::{DeliveryFuture, FutureRecord};
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait until a full buffer may have a place.
const FULL: Duration = Duration::from_millis(10);

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
        let outcomes = self.outcomes(&current, &real, &good).await;
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

    async fn outcomes(&self, current: &Current, topic: &str, records: &[(usize, &LogRecord)]) -> Vec<Outcome> {
        let until = Instant::now() + self.config.timeout();
        let mut waiting = Vec::with_capacity(records.len());
        for (place, record) in records {
            waiting.push((*place, enqueue(current, topic, record, until).await));
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

    /// Why the brokers could not be asked.
    async fn why(&self, current: &Current) -> Option<String> {
        let last = current.context.last_error();
        if !self.config.tls {
            return last;
        }
        let (brokers, material) = (self.config.brokers.clone(), current.material.clone());
        let found = tokio::task::spawn_blocking(move || fault_of_connection(&brokers, &material)).await;
        found.ok().flatten().or(last)
    }
}

/// Gives a record to librdkafka, when its buffer has a place.
async fn enqueue(current: &Current, topic: &str, record: &LogRecord, until: Instant) -> KafkaResult<DeliveryFuture> {
    let mut message = FutureRecord::to(topic).key(record.key.as_str()).payload(record.value.as_str());
    if !record.headers.is_empty() {
        message = message.headers(headers(record));
    }
    loop {
        match current.producer.send_result(message) {
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

/// The error of a record. Where the connection is the cause, `why` says more than Kafka's error does.
fn told(topic: &str, failed: &KafkaError, why: Option<&str>) -> Error {
    match why.filter(|_| is_of_connection(failed)) {
        Some(why) => Error::new(ErrorKind::Unavailable, format!("{topic}: {why}")),
        None => error(topic, failed),
    }
}
