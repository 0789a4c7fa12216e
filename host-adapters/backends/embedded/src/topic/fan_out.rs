//! The same topics for queues of another backend, such as SQS without SNS. Queues of another backend are not written in one
//! transaction: a message has its id once all its queues have it, and if one of them fails, its publication fails. Another
//! attempt then repeats the message in the queues that have it already.

use super::{Deliveries, Topics};
use crate::store::OpenError;
use host_adapters_platform::clock::Clock;
use host_adapters_platform::{Declared, QueueBackend, Result, TopicBackend};
use host_adapters_records::queue::Message;
use host_adapters_records::topic::TopicMessage;
use host_adapters_records::{Error, ErrorKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The host's own topics over queues of another backend.
pub struct FanOut {
    topics: Topics,
    queues: Arc<dyn QueueBackend>,
    clock: Clock,
}

impl FanOut {
    /// The declared topics over these queues.
    ///
    /// # Errors
    /// When a topic cannot deliver as it is declared.
    pub fn open(
        declared: &Declared,
        queues: Arc<dyn QueueBackend>,
        clock: Clock,
    ) -> std::result::Result<Self, OpenError> {
        Ok(Self { topics: Topics::compile(declared)?, queues, clock })
    }

    /// Sends messages to a queue, each with the index of its answer; returns the indices of those that failed.
    async fn send(&self, queue: &str, messages: Vec<(usize, Message)>) -> Vec<(usize, Error)> {
        let (places, messages): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        match self.queues.send_batch(queue, messages).await {
            Err(error) => places.into_iter().map(|place| (place, error.clone())).collect(),
            Ok(sent) => {
                let unmentioned = || Error::new(ErrorKind::Unavailable, format!("{queue}: no answer"));
                let sent = sent.into_iter().chain(std::iter::repeat_with(|| Err(unmentioned())));
                places.into_iter().zip(sent).filter_map(|(place, sent)| Some((place, sent.err()?))).collect()
            }
        }
    }
}

#[async_trait::async_trait]
impl TopicBackend for FanOut {
    async fn publish_batch(&self, topic: &str, messages: Vec<TopicMessage>) -> Result<Vec<Result<String>>> {
        let topic = self.topics.topic(topic)?;
        let (mut answers, deliveries) = topic.deliveries(messages, self.clock.now_ms());
        let mut of_queues: BTreeMap<String, Vec<(usize, Message)>> = BTreeMap::new();
        for Deliveries { place, messages } in deliveries {
            for (queue, message) in messages {
                of_queues.entry(queue).or_default().push((place, message));
            }
        }
        for (queue, messages) in of_queues {
            for (place, error) in self.send(&queue, messages).await {
                if let Some(answer) = answers.get_mut(place) {
                    *answer = Err(error);
                }
            }
        }
        Ok(answers)
    }
}
