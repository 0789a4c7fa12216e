//! Topics with SNS's rules: filter policies of subscriptions, raw and wrapped delivery. A topic itself keeps nothing: a
//! message is stored in the queues that get it, with its publication, in one transaction.

mod delivery;
mod fan_out;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]
mod tests;

pub use fan_out::FanOut;

use crate::Embedded;
use crate::queue::Queue;
use crate::store::OpenError;
use delivery::Published;
use host_adapters_filter::SubscriptionFilter;
use host_adapters_platform::names::unknown;
use host_adapters_platform::topic::check_message;
use host_adapters_platform::{Declared, Result, SubscriptionSpec, TopicBackend, TopicSpec, left_out};
use host_adapters_records::queue::Message;
use host_adapters_records::topic::TopicMessage;
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Most messages that one job of the writer publishes, so that thousands do not delay other jobs: each may have many
/// deliveries.
const MESSAGES_PER_JOB: usize = 64;

/// The topics by name.
#[derive(Default)]
pub(super) struct Topics(HashMap<String, Arc<Topic>>);

/// A topic.
struct Topic {
    /// As what it leaves out is counted: `topic:dataSns`.
    source: String,
    arn: String,
    subscriptions: Vec<Subscription>,
}

/// A queue that subscribes to a topic.
struct Subscription {
    queue: String,
    filter: Option<SubscriptionFilter>,
    is_raw: bool,
}

impl Topics {
    /// Compiles the filters.
    pub(super) fn compile(declared: &Declared) -> std::result::Result<Self, OpenError> {
        let queues: Vec<&String> = declared.queues.keys().collect();
        let compile = |(name, spec): (&String, &TopicSpec)| -> std::result::Result<(String, Arc<Topic>), OpenError> {
            let subscriptions = spec.subscriptions.iter().map(|it| Subscription::compile(it, &queues));
            let subscriptions = subscriptions.collect::<std::result::Result<Vec<_>, String>>();
            let refused = |problem| OpenError::Topic { topic: name.clone(), problem };
            let (source, arn) = (format!("topic:{name}"), format!("arn:aws:sns:embedded:000000000000:{name}"));
            Ok((name.clone(), Arc::new(Topic { source, arn, subscriptions: subscriptions.map_err(refused)? })))
        };
        declared.topics.iter().map(compile).collect::<std::result::Result<_, _>>().map(Self)
    }

    fn topic(&self, name: &str) -> Result<Arc<Topic>> {
        self.0.get(name).cloned().ok_or_else(|| unknown("topic", name, self.0.keys()))
    }
}

impl Subscription {
    fn compile(spec: &SubscriptionSpec, queues: &[&String]) -> std::result::Result<Self, String> {
        if let Some(fault) = spec.queue_fault() {
            return Err(fault);
        }
        if !queues.contains(&&spec.queue) {
            return Err(unknown("queue", &spec.queue, queues.iter().copied()).message);
        }
        Ok(Self { queue: spec.queue.clone(), filter: spec.compile()?, is_raw: spec.raw })
    }
}

/// The deliveries of a message, at least one: the index of its answer, and for each queue the message that it gets.
struct Deliveries {
    place: usize,
    messages: Vec<(String, Message)>,
}

impl Topic {
    /// The answer to each message as far as it is known, and the deliveries of those that are right. A message that no
    /// subscription matches ends here, as in SNS, and is counted.
    fn deliveries(&self, messages: Vec<TopicMessage>, now_ms: i64) -> (Vec<Result<String>>, Vec<Deliveries>) {
        let (mut answers, mut deliveries) = (Vec::with_capacity(messages.len()), Vec::with_capacity(messages.len()));
        for (place, message) in messages.into_iter().enumerate() {
            if let Err(error) = check_message(&message) {
                answers.push(Err(error));
                continue;
            }
            let id = Uuid::new_v4().to_string();
            let published = Published { topic_arn: &self.arn, id: &id, message: &message, now_ms };
            let matching = self.subscriptions.iter().filter(|it| published.is_for(it.filter.as_ref()));
            let messages: Vec<_> = matching.map(|it| (it.queue.clone(), published.delivery(it.is_raw))).collect();
            answers.push(Ok(id));
            match messages.is_empty() {
                true => left_out(&self.source, "no subscription matches"),
                false => deliveries.push(Deliveries { place, messages }),
            }
        }
        (answers, deliveries)
    }
}

impl Embedded {
    /// Stores deliveries, all or none of them.
    async fn deliver(&self, job: Vec<(Arc<Queue>, Message)>) -> Result<()> {
        let mut queues: Vec<Arc<Queue>> = Vec::new();
        for (queue, _) in &job {
            if !queues.iter().any(|known| Arc::ptr_eq(known, queue)) {
                queues.push(Arc::clone(queue));
            }
        }
        let clock = self.clock.clone();
        let insert = move |conn: &Connection| {
            let now_ms = clock.now_ms();
            job.iter().try_for_each(|(queue, message)| queue.insert(conn, message, now_ms).map(drop))?;
            Ok(now_ms)
        };
        let after = move |now_ms: &i64| queues.iter().for_each(|queue| queue.expect_at(*now_ms));
        self.store.write(insert, after).await.map(drop)
    }
}

#[async_trait::async_trait]
impl TopicBackend for Embedded {
    async fn publish_batch(&self, topic: &str, messages: Vec<TopicMessage>) -> Result<Vec<Result<String>>> {
        let topic = self.topics.topic(topic)?;
        let (mut answers, deliveries) = topic.deliveries(messages, self.clock.now_ms());
        let mut deliveries = deliveries.into_iter().peekable();
        while deliveries.peek().is_some() {
            let (mut places, mut job) = (Vec::new(), Vec::new());
            for Deliveries { place, messages } in deliveries.by_ref().take(MESSAGES_PER_JOB) {
                places.push(place);
                for (queue, message) in messages {
                    job.push((self.names.queue(&queue)?, message));
                }
            }
            if let Err(error) = self.deliver(job).await {
                for place in places {
                    if let Some(answer) = answers.get_mut(place) {
                        *answer = Err(error.clone());
                    }
                }
            }
        }
        Ok(answers)
    }
}
