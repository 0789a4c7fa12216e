//! Sending: ten messages or 1 MiB a call. Messages that fail by SQS's own fault are sent again.
//!
//! In a FIFO queue, a message is sent only when SQS has taken the one before it in its group: a call takes some of its
//! messages and refuses others.

use super::{BATCH, Sqs};
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use backend_aws::{error, side_by_side};
use backon::{BackoffBuilder, ExponentialBuilder};
use host_adapters_platform::fifo::Stopped;
use host_adapters_platform::limits::message::{self, MAX_MESSAGE_BYTES};
use host_adapters_platform::{Result, fifo};
use host_adapters_records::queue::Message;
use host_adapters_records::{Attribute, AttributeValue, Error, ErrorKind};
use std::collections::HashMap;
use std::time::Duration;

/// A message and the index of its result.
type Placed = (usize, Message);

impl Sqs {
    /// Returns each message's id, or its error.
    pub(super) async fn send_all(&self, queue: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        let url = self.url(queue).await?;
        let mut answers = Vec::with_capacity(messages.len());
        let mut good = Vec::with_capacity(messages.len());
        let mut stopped = Stopped::new(queue);
        for (place, message) in messages.into_iter().enumerate() {
            answers.push(match stopped.check(message) {
                Ok(message) => {
                    good.push((place, message));
                    // A placeholder: the result below replaces it.
                    Err(Error::new(ErrorKind::Unavailable, format!("{queue}: no answer")))
                }
                Err(error) => Err(error),
            });
        }
        let batches = batches(good, fifo::is_fifo(queue)).into_iter();
        let sent = match fifo::is_fifo(queue) {
            true => self.send_in_order(queue, &url, batches).await,
            false => side_by_side(batches.map(|batch| self.send_batch_until_taken(queue, &url, batch))).await.concat(),
        };
        for (place, answer) in sent {
            if let Some(slot) = answers.get_mut(place) {
                *slot = answer;
            }
        }
        Ok(answers)
    }

    /// Sends one batch after the other. No message of a group is sent behind one that SQS has not taken.
    async fn send_in_order(
        &self,
        queue: &str,
        url: &str,
        batches: impl Iterator<Item = Vec<Placed>>,
    ) -> Vec<(usize, Result<String>)> {
        let (mut answers, mut stopped) = (Vec::new(), Stopped::new(queue));
        for batch in batches {
            let (mut batch_in_turn, mut groups) = (Vec::new(), HashMap::new());
            for (place, message) in batch {
                match stopped.in_turn(message.group_id.as_deref()) {
                    Ok(()) => {
                        groups.insert(place, message.group_id.clone());
                        batch_in_turn.push((place, message));
                    }
                    Err(error) => answers.push((place, Err(error))),
                }
            }
            if batch_in_turn.is_empty() {
                continue;
            }
            for (place, answer) in self.send_batch_until_taken(queue, url, batch_in_turn).await {
                let group = groups.remove(&place).flatten();
                if let Err(error) = &answer {
                    stopped.note(group, error);
                }
                answers.push((place, answer));
            }
        }
        answers
    }

    /// Sends a batch, and sends again the messages that failed by SQS's own fault.
    async fn send_batch_until_taken(&self, queue: &str, url: &str, batch: Vec<Placed>) -> Vec<(usize, Result<String>)> {
        let mut waits = ExponentialBuilder::default().with_min_delay(Duration::from_millis(50)).with_jitter().build();
        let (mut open, mut answers) = (batch, Vec::new());
        loop {
            let (done, failed) = self.send_once(queue, url, open).await;
            answers.extend(done);
            let (again, error) = match failed {
                None => return answers,
                Some(failed) => failed,
            };
            let Some(wait) = waits.next() else {
                answers.extend(again.into_iter().map(|(place, _)| (place, Err(error.clone()))));
                return answers;
            };
            tokio::time::sleep(wait).await;
            open = again;
        }
    }

    /// Makes one call. Returns the final results, and the messages to send again with the reason.
    async fn send_once(
        &self,
        queue: &str,
        url: &str,
        batch: Vec<Placed>,
    ) -> (Vec<(usize, Result<String>)>, Option<(Vec<Placed>, Error)>) {
        let entries: Result<Vec<_>> = batch.iter().enumerate().map(|(id, (_, message))| entry(id, message)).collect();
        let request = self.client.send_message_batch().queue_url(url);
        let answer = match entries {
            Ok(entries) => request.set_entries(Some(entries)).send().await.map_err(|failed| error(queue, &failed)),
            Err(error) => Err(error),
        };
        let answer = match answer {
            Ok(answer) => answer,
            // The SDK has already retried.
            Err(error) => {
                return (batch.into_iter().map(|(place, _)| (place, Err(error.clone()))).collect(), None);
            }
        };
        let place = |id: &str| id.parse::<usize>().ok().and_then(|id| batch.get(id)).map(|(place, _)| *place);
        let mut done: Vec<_> =
            answer.successful.iter().filter_map(|sent| Some((place(&sent.id)?, Ok(sent.message_id.clone())))).collect();
        let (mut again, mut reason) = (Vec::new(), None);
        for failed in &answer.failed {
            let said = format!("{queue}: {}: {}", failed.code, failed.message.as_deref().unwrap_or_default());
            if failed.sender_fault {
                done.extend(place(&failed.id).map(|at| (at, Err(Error::new(ErrorKind::Invalid, said)))));
            } else {
                again.extend(failed.id.parse::<usize>().ok().and_then(|id| batch.get(id)).cloned());
                reason = Some(Error::new(ErrorKind::Unavailable, said));
            }
        }
        (done, reason.map(|reason| (again, reason)))
    }
}

/// Batches within SQS's limits; to be sent in order, each has only one message of a group.
fn batches(messages: Vec<Placed>, in_order: bool) -> Vec<Vec<Placed>> {
    let mut batches: Vec<Vec<Placed>> = Vec::new();
    let mut bytes = 0;
    for placed in messages {
        let size = message::bytes(&placed.1);
        let is_behind = |batch: &[Placed]| in_order && batch.iter().any(|it| it.1.group_id == placed.1.group_id);
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && bytes + size <= MAX_MESSAGE_BYTES && !is_behind(batch) => {
                bytes += size;
                batch.push(placed);
            }
            _ => {
                bytes = size;
                batches.push(vec![placed]);
            }
        }
    }
    batches
}

fn entry(id: usize, message: &Message) -> Result<SendMessageBatchRequestEntry> {
    let wrong = |error: aws_sdk_sqs::error::BuildError| Error::new(ErrorKind::Invalid, error.to_string());
    let mut entry = SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(&message.body);
    if message.delay_secs > 0 {
        entry = entry.delay_seconds(i32::try_from(message.delay_secs).unwrap_or(i32::MAX));
    }
    for Attribute { name, data_type, value } in &message.attributes {
        let typed = MessageAttributeValue::builder().data_type(data_type);
        let typed = match value {
            AttributeValue::Text(text) => typed.string_value(text),
            AttributeValue::Bytes(bytes) => typed.binary_value(Blob::new(bytes.clone())),
        };
        entry = entry.message_attributes(name, typed.build().map_err(wrong)?);
    }
    entry
        .set_message_group_id(message.group_id.clone())
        .set_message_deduplication_id(message.deduplication_id.clone())
        .build()
        .map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_both_limits() {
        let message = |bytes: usize| Message::new("x".repeat(bytes));
        let sizes = |messages: Vec<Message>| {
            batches(messages.into_iter().enumerate().collect(), false).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(vec![message(1); 25]), [10, 10, 5]);
        assert_eq!(sizes(vec![message(400 * 1024); 5]), [2, 2, 1]);
        assert_eq!(sizes(vec![message(MAX_MESSAGE_BYTES), message(1)]), [1, 1]);
        assert!(sizes(vec![]).is_empty());
    }

    #[test]
    fn a_batch_in_order_has_one_message_of_a_group() {
        let message = |group: &str| Message { group_id: Some(group.to_owned()), ..Message::new("x") };
        let messages = ["a", "b", "a", "a", "b", "c"].map(message);
        let batches = batches(messages.into_iter().enumerate().collect(), true);
        let places: Vec<Vec<_>> = batches.iter().map(|batch| batch.iter().map(|(place, _)| *place).collect()).collect();
        assert_eq!(places, [vec![0, 1], vec![2], vec![3, 4, 5]]);
    }
}
