//! Publishing: ten messages or 256 KiB a call. Messages that fail by SNS's own fault are published again.

use super::{Sns, refusal};
use aws_sdk_sns::error::BuildError;
use aws_sdk_sns::primitives::Blob;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use backend_aws::{kind, side_by_side};
use backon::{BackoffBuilder, ExponentialBuilder};
use host_adapters_platform::Result;
use host_adapters_platform::topic::{MAX_MESSAGE_BYTES, bytes, check_message};
use host_adapters_records::topic::TopicMessage;
use host_adapters_records::{Attribute, AttributeValue, Error, ErrorKind};
use std::time::Duration;

/// SNS's limit of messages for a call.
const BATCH: usize = 10;
/// The first wait before what failed is published again; the waits double.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// How often a message is published again.
const AGAIN: usize = 3;

/// A message and the index of its result.
type Placed = (usize, TopicMessage);
/// Results, each with its index.
type Results = Vec<(usize, Result<String>)>;

impl Sns {
    /// Returns each message's id, or its error.
    pub(super) async fn publish_all(&self, topic: &str, messages: Vec<TopicMessage>) -> Result<Vec<Result<String>>> {
        // A name that is not declared is the caller's fault. A declared topic that does not exist is the operator's: an
        // outage.
        self.names.real(topic)?;
        let arn = self.arn(topic).await.map_err(missing_is_an_outage)?;
        let mut answers = Vec::with_capacity(messages.len());
        let mut good = Vec::with_capacity(messages.len());
        for (place, message) in messages.into_iter().enumerate() {
            answers.push(match check_message(&message) {
                Ok(()) => {
                    good.push((place, message));
                    // A placeholder: the result below replaces it.
                    Err(no_answer(topic))
                }
                Err(error) => Err(error),
            });
        }
        let published = batches(good).into_iter().map(|batch| self.publish_until_taken(topic, &arn, batch));
        for (place, answer) in side_by_side(published).await.concat() {
            if let Some(slot) = answers.get_mut(place) {
                *slot = answer;
            }
        }
        Ok(answers)
    }

    /// Publishes a batch, and publishes again the messages that failed by SNS's own fault.
    async fn publish_until_taken(&self, topic: &str, arn: &str, batch: Vec<Placed>) -> Results {
        let waits = ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_max_times(AGAIN).with_jitter();
        let (mut waits, mut open, mut answers) = (waits.build(), batch, Vec::new());
        loop {
            let (done, failed) = self.publish_once(topic, arn, open).await;
            answers.extend(done);
            if failed.is_empty() {
                return answers;
            }
            let Some(wait) = waits.next() else {
                answers.extend(failed.into_iter().map(|((place, _), error)| (place, Err(error))));
                return answers;
            };
            tokio::time::sleep(wait).await;
            open = failed.into_iter().map(|(placed, _)| placed).collect();
        }
    }

    /// Makes one call, and one for each message if SNS refuses them together. Returns the final results, and the messages to
    /// publish again, each with the reason.
    async fn publish_once(&self, topic: &str, arn: &str, batch: Vec<Placed>) -> (Results, Vec<(Placed, Error)>) {
        match self.request(topic, arn, &batch).await {
            Ok(answers) => split(batch, answers),
            // One of them is the cause, and SNS does not say which.
            Err(error) if error.kind == ErrorKind::Invalid && batch.len() > 1 => {
                let (mut done, mut again) = (Vec::new(), Vec::new());
                for placed in batch {
                    let answer = self.request(topic, arn, std::slice::from_ref(&placed)).await;
                    let (of_one, failed) = split(vec![placed], answer.unwrap_or_else(|error| vec![Err(error)]));
                    done.extend(of_one);
                    again.extend(failed);
                }
                (done, again)
            }
            // The SDK has already tried again.
            Err(error) => (batch.into_iter().map(|(place, _)| (place, Err(error.clone()))).collect(), Vec::new()),
        }
    }

    /// Makes one request; returns the result of each message.
    async fn request(&self, topic: &str, arn: &str, batch: &[Placed]) -> Result<Vec<Result<String>>> {
        let entries: Result<Vec<_>> = batch.iter().enumerate().map(|(id, (_, message))| entry(id, message)).collect();
        let request = self.client.publish_batch().topic_arn(arn).set_publish_batch_request_entries(Some(entries?));
        let answer = request.send().await.map_err(|failed| missing_is_an_outage(refusal(topic, &failed)))?;
        let mut answers: Vec<Result<String>> = batch.iter().map(|_| Err(no_answer(topic))).collect();
        for sent in answer.successful.unwrap_or_default() {
            let id = sent.message_id.ok_or_else(|| no_answer(topic));
            set(&mut answers, &sent.id.unwrap_or_default(), id);
        }
        for failed in answer.failed.unwrap_or_default() {
            let said = format!("{topic}: {}: {}", failed.code, failed.message.unwrap_or_default());
            set(&mut answers, &failed.id, Err(missing_is_an_outage(Error::new(kind(&failed.code), said))));
        }
        Ok(answers)
    }
}

/// Sets the result of the message with this id in its request.
fn set(answers: &mut [Result<String>], id: &str, answer: Result<String>) {
    if let Some(slot) = id.parse::<usize>().ok().and_then(|id| answers.get_mut(id)) {
        *slot = answer;
    }
}

/// The results that are final, and the messages to publish again. The code of an error decides, not `SenderFault`: to SNS a
/// key that it may not use is the sender's fault, too, and the operator corrects that.
fn split(batch: Vec<Placed>, answers: Vec<Result<String>>) -> (Results, Vec<(Placed, Error)>) {
    let (mut done, mut again) = (Vec::new(), Vec::new());
    for (placed, answer) in batch.into_iter().zip(answers) {
        match answer {
            Err(error) if error.is_retryable() => again.push((placed, error)),
            answer => done.push((placed.0, answer)),
        }
    }
    (done, again)
}

fn no_answer(topic: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{topic}: no answer"))
}

/// The operator has to make what is missing: an outage, and no message's fault.
fn missing_is_an_outage(error: Error) -> Error {
    match error.kind {
        ErrorKind::NotFound => Error { kind: ErrorKind::Unavailable, ..error },
        _ => error,
    }
}

/// Batches within SNS's limits.
fn batches(messages: Vec<Placed>) -> Vec<Vec<Placed>> {
    let mut batches: Vec<Vec<Placed>> = Vec::new();
    let mut sum = 0;
    for placed in messages {
        let size = bytes(&placed.1);
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && sum + size <= MAX_MESSAGE_BYTES => {
                sum += size;
                batch.push(placed);
            }
            _ => {
                sum = size;
                batches.push(vec![placed]);
            }
        }
    }
    batches
}

fn entry(id: usize, message: &TopicMessage) -> Result<PublishBatchRequestEntry> {
    let wrong = |error: BuildError| Error::new(ErrorKind::Invalid, error.to_string());
    let mut entry = PublishBatchRequestEntry::builder().id(id.to_string()).message(&message.body);
    for Attribute { name, data_type, value } in &message.attributes {
        let typed = MessageAttributeValue::builder().data_type(data_type);
        let typed = match value {
            AttributeValue::Text(text) => typed.string_value(text),
            AttributeValue::Bytes(bytes) => typed.binary_value(Blob::new(bytes.clone())),
        };
        entry = entry.message_attributes(name, typed.build().map_err(wrong)?);
    }
    entry.build().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_both_limits() {
        let message = |bytes: usize| TopicMessage { body: "x".repeat(bytes), attributes: vec![] };
        let sizes = |messages: Vec<TopicMessage>| {
            batches(messages.into_iter().enumerate().collect()).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(vec![message(1); 25]), [10, 10, 5]);
        assert_eq!(sizes(vec![message(100 * 1024); 5]), [2, 2, 1]);
        assert_eq!(sizes(vec![message(MAX_MESSAGE_BYTES), message(1)]), [1, 1]);
        assert!(sizes(vec![]).is_empty());
    }
}
