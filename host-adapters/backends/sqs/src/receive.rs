//! Receiving: one long poll and, if it returns ten messages, further calls for more at once.

use super::{BATCH, Sqs};
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use backend_aws::{CONCURRENT, error, side_by_side};
use host_adapters_platform::dead_letter::{self, attribute as told};
use host_adapters_platform::limits::message::check_visibility;
use host_adapters_platform::{Received, Result};
use host_adapters_records::{Attribute, AttributeValue, source_name};
use std::time::Duration;

impl Sqs {
    pub(super) async fn receive_some(
        &self,
        queue: &str,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Received>> {
        let url = self.url(queue).await?;
        check_visibility(visibility)?;
        if max == 0 {
            return Ok(Vec::new());
        }
        let mut messages = self.receive_once(queue, &url, max.min(BATCH), wait, visibility).await?;
        while messages.len() < max && messages.len().is_multiple_of(BATCH) && !messages.is_empty() {
            let before = messages.len();
            let calls = (max - before).div_ceil(BATCH).min(CONCURRENT);
            let call = |n: usize| {
                let room = (max - before).saturating_sub(n * BATCH).min(BATCH);
                self.receive_once(queue, &url, room, Duration::ZERO, visibility)
            };
            let found = side_by_side((0..calls).map(call)).await;
            // Messages that were received are in flight, and must not be lost by the error of another call.
            messages.extend(found.into_iter().flatten().flatten());
            if messages.len() < before + calls * BATCH {
                break;
            }
        }
        Ok(messages)
    }

    async fn receive_once(
        &self,
        queue: &str,
        url: &str,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Received>> {
        let answer = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(max).unwrap_or(i32::MAX))
            .wait_time_seconds(seconds(wait))
            .visibility_timeout(seconds(visibility))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_system_attribute_names(MessageSystemAttributeName::DeadLetterQueueSourceArn)
            .send()
            .await;
        let messages = answer.map_err(|failed| error(queue, &failed))?.messages.unwrap_or_default();
        Ok(messages.into_iter().map(|message| self.received(message)).collect())
    }
}

/// Whole seconds, as SQS counts, rounded up.
pub(super) fn seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

impl Sqs {
    fn received(&self, message: Message) -> Received {
        let system = |name| message.attributes.as_ref().and_then(|attributes| attributes.get(&name)).cloned();
        let receive_count = system(MessageSystemAttributeName::ApproximateReceiveCount);
        let sent_ms = system(MessageSystemAttributeName::SentTimestamp);
        let moved_from = system(MessageSystemAttributeName::DeadLetterQueueSourceArn);
        let id = message.message_id.unwrap_or_default();
        let (mut attributes, mut unreadable) = (Vec::new(), Vec::new());
        for (name, value) in message.message_attributes.into_iter().flatten() {
            match attribute(&name, value) {
                Some(attribute) => attributes.push(attribute),
                None => unreadable.push(name),
            }
        }
        attributes.sort_unstable();
        unreadable.sort_unstable();
        if let Some(arn) = moved_from {
            // The queue moved the message itself, and knows no other reason.
            let queue = arn.rsplit(':').next().and_then(|real| self.names.declared_as(real));
            let moved = vec![
                (told::REASON, dead_letter::RECEIVES_EXHAUSTED.to_owned()),
                (told::SOURCE, queue.map(source_name::of_queue).unwrap_or_default()),
                (told::SOURCE_MESSAGE_ID, id.clone()),
            ];
            attributes = dead_letter::attributes(moved, attributes);
        }
        Received {
            id,
            receipt: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            attributes,
            unreadable,
            group: system(MessageSystemAttributeName::MessageGroupId),
            receive_count: receive_count.and_then(|count| count.parse().ok()).unwrap_or(1),
            sent_ms: sent_ms.and_then(|sent| sent.parse().ok()).unwrap_or(0),
        }
    }
}

/// `None` if it is neither text nor bytes.
fn attribute(name: &str, it: MessageAttributeValue) -> Option<Attribute> {
    let bytes = || it.binary_value.map(|bytes| AttributeValue::Bytes(bytes.into_inner()));
    let value = it.string_value.map(AttributeValue::Text).or_else(bytes)?;
    Some(Attribute::typed(name, it.data_type, value))
}
