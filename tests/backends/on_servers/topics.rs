//! Topics with their queues, on one server that has SNS and SQS: moto, because no server of queues alone has topics; or AWS.

use super::servers::{endpoints, unique};
use backend_aws::{Aws, AwsConfig};
use backend_sns::{Sns, SnsConfig, Subscribed};
use backend_sqs::Sqs;
use host_adapters_platform::{Backend as _, Declared, QueueSpec, SubscriptionSpec};
use host_adapters_records::ErrorKind;
use tests::aws::aws;
use tests::contract::suites::backend::Topics;
use tests::contract::suites::topics::{LONE_QUEUE, LONE_TOPIC, QUEUES, RAW_QUEUE, TOPIC, topic_message, topics};

/// The topics of the contract, with names that begin with `prefix`.
pub struct Scene {
    topics: Sns,
    queues: Sqs,
    aws: Aws,
    prefix: String,
}

impl Scene {
    pub async fn set(aws: Aws, prefix: &str) -> Self {
        let queues = Sqs::new(&aws, prefix, QUEUES.map(str::to_owned).into());
        for queue in QUEUES {
            let spec = QueueSpec { retention_secs: 3600, ..QueueSpec::default() };
            queues.provision(queue, &spec).await.unwrap();
        }
        let sns = Sns::new(&aws, prefix, topics().into_keys().collect());
        let subscribed = Subscribed::new(sns.clone(), &aws, prefix, QUEUES.map(str::to_owned).into());
        for (name, topic) in topics() {
            subscribed.provision(&name, &topic).await.unwrap();
        }
        Self { topics: sns, queues, aws, prefix: prefix.to_owned() }
    }

    pub fn topics(&self) -> Topics<'_> {
        Topics { topics: &self.topics, queues: &self.queues }
    }

    /// Deletes everything, and names what cannot be deleted, so that it can be deleted by hand.
    pub async fn delete(&self) {
        let (topics, queues) = (aws_sdk_sns::Client::new(self.aws.sdk()), aws_sdk_sqs::Client::new(self.aws.sdk()));
        for topic in [TOPIC, LONE_TOPIC].map(|topic| format!("{}{topic}", self.prefix)) {
            // SNS answers with the topic that is there. Its subscriptions end with it.
            let deleted = async {
                let made = topics.create_topic().name(&topic).send().await.map_err(|error| format!("{error:?}"))?;
                let delete = topics.delete_topic().set_topic_arn(made.topic_arn);
                delete.send().await.map_err(|error| format!("{error:?}"))
            };
            if let Err(error) = deleted.await {
                eprintln!("the topic {topic} is left in AWS: {error}");
            }
        }
        for queue in QUEUES.map(|queue| format!("{}{queue}", self.prefix)) {
            let deleted = async {
                let url =
                    queues.get_queue_url().queue_name(&queue).send().await.map_err(|error| format!("{error:?}"))?;
                let delete = queues.delete_queue().set_queue_url(url.queue_url);
                delete.send().await.map_err(|error| format!("{error:?}"))
            };
            if let Err(error) = deleted.await {
                eprintln!("the queue {queue} is left in AWS: {error}");
            }
        }
    }
}

/// The settings, and what is declared, of which only the queues are there.
async fn configured() -> (SnsConfig, Declared) {
    let (endpoint, prefix) = (&endpoints().await.s3, unique());
    let queues = Sqs::new(&aws(endpoint).await, &prefix, QUEUES.map(str::to_owned).into());
    for queue in QUEUES {
        queues.provision(queue, &QueueSpec::default()).await.unwrap();
    }
    let aws = AwsConfig::of_server(endpoint, "us-east-1", "test", "test");
    let queues = QUEUES.map(|queue| (queue.to_owned(), QueueSpec::default())).into();
    let declared = Declared { queues, topics: topics(), ..Declared::default() };
    (SnsConfig { aws, prefix: Some(prefix), ..SnsConfig::default() }, declared)
}

#[tokio::test]
async fn topics_are_made_once_with_their_subscriptions() {
    let (config, declared) = configured().await;
    let missing = config.probe(&declared).await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NotFound, "{missing}");
    assert_eq!(config.differences(&declared).await.unwrap(), [], "a topic that is missing is no difference");
    for _ in 0..2 {
        config.provision(&declared).await.unwrap();
        config.probe(&declared).await.unwrap();
        assert_eq!(config.differences(&declared).await.unwrap(), []);
    }
}

/// It is told, and stays as it is.
#[tokio::test]
async fn a_subscription_that_differs_is_told() {
    let (config, declared) = configured().await;
    config.provision(&declared).await.unwrap();
    let mut other = declared.clone();
    let lone = &mut other.topics.get_mut(LONE_TOPIC).unwrap().subscriptions.0[0].value;
    lone.filter = r#"{"type":["MARKET"]}"#.to_owned().into();
    lone.raw = false;
    let differences = config.differences(&other).await.unwrap();
    let [difference] = differences.as_slice() else { panic!("{differences:?}") };
    assert!(difference.is_harmful);
    let refused = config.provision(&other).await.unwrap_err();
    for part in [LONE_QUEUE, "FilterPolicy is ", "RawMessageDelivery is true, not false", "set-subscription-attributes"]
    {
        assert!(difference.message.contains(part) && refused.contains(part), "{part}: {difference:?}, {refused}");
    }
    assert_eq!(config.differences(&declared).await.unwrap(), []);
}

/// A queue that does not subscribe yet, or is not there, would lose what the topic has: it is found by a probe, and the host
/// does not start.
#[tokio::test]
async fn a_new_subscription_is_made_beside_those_that_are_there() {
    let (config, declared) = configured().await;
    let mut fewer = declared.clone();
    fewer.topics.get_mut(TOPIC).unwrap().subscriptions.0.retain(|it| it.value.queue != RAW_QUEUE);
    config.provision(&fewer).await.unwrap();
    let missing = config.probe(&declared).await.unwrap_err();
    assert!(missing.message.contains(&format!("the queue {RAW_QUEUE} does not subscribe to ")), "{missing}");
    let mut more = declared.clone();
    more.queues.insert("contractNoQueue".to_owned(), QueueSpec::default());
    let subscriptions = &mut more.topics.get_mut(TOPIC).unwrap().subscriptions;
    let mut of_more = vec![SubscriptionSpec::of_all("contractNoQueue")];
    of_more.extend(subscriptions.iter().cloned());
    *subscriptions = of_more.into();
    let differences = config.differences(&more).await.unwrap();
    let [no_queue, no_subscription] = differences.as_slice() else { panic!("{differences:?}") };
    assert!(no_queue.is_harmful && no_subscription.is_harmful);
    assert!(no_queue.message.contains("contractNoQueue") && no_queue.message.contains("is not there"), "{no_queue:?}");
    let parts = [RAW_QUEUE, "does not subscribe", "`host-adapters provision`"];
    assert!(parts.iter().all(|part| no_subscription.message.contains(part)), "{no_subscription:?}");
    config.provision(&declared).await.unwrap();
    config.probe(&declared).await.unwrap();
    assert_eq!(config.differences(&declared).await.unwrap(), []);
}

/// The operator has to make it: an outage, in which no record is given up.
#[tokio::test]
async fn a_topic_that_is_not_there_is_an_outage() {
    let sns = Sns::new(&aws(&endpoints().await.s3).await, &unique(), topics().into_keys().collect());
    let queue = host_adapters_platform::TopicBackend::publish_batch(&sns, TOPIC, vec![topic_message("x", vec![])]);
    let error = queue.await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
}
