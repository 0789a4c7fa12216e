//! Creating missing topics and subscriptions, and how those that are there differ from spin.toml. They are not changed. The
//! policy of a queue gets a statement for each of its topics, because SNS drops what it may not send.

use super::{Sns, policy, refusal, subscription};
use aws_sdk_sqs::types::QueueAttributeName;
use backend_aws::{Aws, error};
use host_adapters_platform::names::Names;
use host_adapters_platform::{Difference, Result, SubscriptionSpec, TopicSpec};
use host_adapters_records::{Error, ErrorKind};
use std::collections::{BTreeSet, HashMap};

/// What SNS calls queues of SQS among the kinds of subscribers.
const PROTOCOL: &str = "sqs";
/// What SNS returns instead of an ARN while a subscription is not confirmed. A queue of the same account is always
/// confirmed.
const PENDING: &str = "PendingConfirmation";

/// Topics with the queues that subscribe to them.
pub struct Subscribed {
    sns: Sns,
    client: aws_sdk_sqs::Client,
    queues: Names,
}

/// The difference of a queue that a topic has, but that does not get its messages.
fn missing(queue: &str, topic: &str, problem: &str) -> Difference {
    let message = format!(
        "the queue {queue} gets nothing from {topic}, because it {problem}; `host-adapters provision` makes what is \
         missing"
    );
    Difference { message, is_harmful: true }
}

/// A queue as SQS knows it.
struct Queue {
    url: String,
    arn: String,
    policy: Option<String>,
}

impl Subscribed {
    /// These topics, and the queues with these names, each with `prefix` before it.
    pub fn new(sns: Sns, aws: &Aws, prefix: &str, queues: BTreeSet<String>) -> Self {
        Self { sns, client: aws_sdk_sqs::Client::new(aws.sdk()), queues: Names::new("queue", prefix, queues) }
    }

    /// Checks that SNS answers and has the topic with its subscriptions.
    ///
    /// # Errors
    /// When it does not answer, or something is missing.
    pub async fn probe(&self, topic: &str, spec: &TopicSpec) -> Result<()> {
        let arn = self.sns.arn(topic).await?;
        let subscribed = self.subscriptions(topic, &arn).await?;
        for subscription in spec.subscriptions.iter() {
            let queue = self.queue(&subscription.queue).await?;
            if !subscribed.contains_key(&queue.arn) {
                let message = format!("the queue {} does not subscribe to {arn}", subscription.queue);
                return Err(Error::new(ErrorKind::NotFound, message));
            }
        }
        Ok(())
    }

    /// How a topic's subscriptions differ from their declarations; where one or its queue is missing, the topic's messages are
    /// lost. Subscriptions that are not declared are ignored.
    ///
    /// # Errors
    /// When SNS or SQS does not tell, or the topic is not there.
    pub async fn differences(&self, topic: &str, spec: &TopicSpec) -> Result<Vec<Difference>> {
        let arn = self.sns.arn(topic).await?;
        let subscribed = self.subscriptions(topic, &arn).await?;
        let mut differences = Vec::new();
        for declared in spec.subscriptions.iter() {
            let queue = match self.queue(&declared.queue).await {
                Err(error) if error.kind == ErrorKind::NotFound => {
                    differences.push(missing(&declared.queue, &arn, "is not there"));
                    continue;
                }
                queue => queue?,
            };
            let Some(subscription) = subscribed.get(&queue.arn) else {
                differences.push(missing(&declared.queue, &arn, "does not subscribe"));
                continue;
            };
            differences.extend(self.difference(topic, subscription, declared).await?);
            if !policy::allows(queue.policy.as_deref(), &arn) {
                let message = format!(
                    "no statement in the policy of the queue {} lets {arn} send to it, so SNS drops its messages; \
                     `host-adapters provision` adds one",
                    declared.queue
                );
                differences.push(Difference { message, is_harmful: false });
            }
        }
        Ok(differences)
    }

    /// Makes a topic and its subscriptions where they do not exist, and lets the topic send to its queues, which must exist.
    ///
    /// # Errors
    /// When SNS or SQS refuses, or an existing subscription has other settings; the message says which, and how to change
    /// them.
    pub async fn provision(&self, topic: &str, spec: &TopicSpec) -> Result<()> {
        let real = self.sns.names.real(topic)?;
        // SNS answers with the topic that is there.
        let made = self.sns.client.create_topic().name(&real).send().await.map_err(|failed| refusal(&real, &failed))?;
        let arn = made.topic_arn.unwrap_or_default();
        let subscribed = self.subscriptions(topic, &arn).await?;
        for declared in spec.subscriptions.iter() {
            let queue = self.queue(&declared.queue).await?;
            self.let_send(&declared.queue, &queue, &arn).await?;
            match subscribed.get(&queue.arn) {
                None => self.subscribe(topic, &arn, &queue, declared).await?,
                Some(subscription) => {
                    if let Some(differs) = self.difference(topic, subscription, declared).await? {
                        return Err(Error::new(ErrorKind::Invalid, differs.message));
                    }
                }
            }
        }
        Ok(())
    }

    async fn subscribe(&self, topic: &str, arn: &str, queue: &Queue, declared: &SubscriptionSpec) -> Result<()> {
        let request = self.sns.client.subscribe().topic_arn(arn).protocol(PROTOCOL).endpoint(&queue.arn);
        let request = request.set_attributes(Some(subscription::wanted(declared)));
        request.send().await.map(drop).map_err(|failed| refusal(topic, &failed))
    }

    /// The ARNs of a topic's subscriptions by those of the queues.
    async fn subscriptions(&self, topic: &str, arn: &str) -> Result<HashMap<String, String>> {
        let mut pages = self.sns.client.list_subscriptions_by_topic().topic_arn(arn).into_paginator().send();
        let mut found = HashMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|failed| refusal(topic, &failed))?;
            let of_queues = page.subscriptions.into_iter().flatten().filter(|it| it.protocol() == Some(PROTOCOL));
            found.extend(of_queues.filter_map(|it| Some((it.endpoint?, it.subscription_arn?))));
        }
        found.retain(|_, subscription| subscription != PENDING);
        Ok(found)
    }

    async fn difference(&self, topic: &str, arn: &str, declared: &SubscriptionSpec) -> Result<Option<Difference>> {
        let request = self.sns.client.get_subscription_attributes().subscription_arn(arn);
        let answer = request.send().await.map_err(|failed| refusal(topic, &failed))?;
        Ok(subscription::difference(arn, &answer.attributes.unwrap_or_default(), declared))
    }

    async fn queue(&self, queue: &str) -> Result<Queue> {
        let real = self.queues.real(queue)?;
        let answer = self.client.get_queue_url().queue_name(&real).send().await;
        let url = answer.map_err(|failed| error(&real, &failed))?.queue_url.unwrap_or_default();
        let request = self.client.get_queue_attributes().queue_url(&url);
        let names = vec![QueueAttributeName::QueueArn, QueueAttributeName::Policy];
        let answer = request.set_attribute_names(Some(names)).send().await;
        let mut attributes = answer.map_err(|failed| error(&real, &failed))?.attributes.unwrap_or_default();
        let arn = attributes.remove(&QueueAttributeName::QueueArn);
        let arn = arn.ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("{real}: SQS returned no ARN")))?;
        let policy = attributes.remove(&QueueAttributeName::Policy).filter(|policy| !policy.is_empty());
        Ok(Queue { url, arn, policy })
    }

    /// Adds the statement by which the topic may send to the queue, if there is none.
    async fn let_send(&self, name: &str, queue: &Queue, topic: &str) -> Result<()> {
        if policy::allows(queue.policy.as_deref(), topic) {
            return Ok(());
        }
        let policy = policy::with_topic(queue.policy.as_deref(), topic, &queue.arn);
        let request = self.client.set_queue_attributes().queue_url(&queue.url);
        let set = request.attributes(QueueAttributeName::Policy, policy).send().await;
        set.map(drop).map_err(|failed| error(name, &failed))
    }
}
