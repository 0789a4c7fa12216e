//! S3 notifies queues of its objects, directly and through SNS: moto's own queues, because its S3 reaches no others.
#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

use super::servers::{endpoints, unique};
use aws_sdk_s3::types::{
    Event as S3Event, FilterRule, FilterRuleName, NotificationConfiguration, NotificationConfigurationFilter,
    QueueConfiguration, S3KeyFilter, TopicConfiguration,
};
use backend_embedded::Embedded;
use backend_s3::S3;
use backend_sqs::Sqs;
use host_adapters_delivery::dispatch::{Dispatch, Dispatched};
use host_adapters_delivery::drain::Drain;
use host_adapters_delivery::event::{Disposition, Event};
use host_adapters_platform::{Declared, ObjectsBackend, QueueBackend, QueueSpec};
use host_adapters_sources::s3::S3Config;
use host_adapters_sources::{SourceConfig, SourceContext, SourceStores};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::aws::aws;
use tests::contract::suites::backend::BUCKET;
use tests::contract::suites::objects::key;
use tests::wait;

const WORKER: &str = "load-scores";
const QUEUES: [&str; 3] = ["direct", "wrapped", "raw"];
/// Of moto's account.
const ARN: &str = "us-east-1:123456789012";

/// Keeps the objects that it gets.
#[derive(Default)]
struct Worker(Mutex<Vec<Value>>);

#[async_trait::async_trait]
impl Dispatch for Worker {
    async fn dispatch(&self, _: &str, batch: Vec<Event>) -> Dispatched {
        self.0.lock().unwrap().extend(batch.iter().map(|event| event.json::<Value>().unwrap()));
        Dispatched { result: Ok(vec![Disposition::Ack; batch.len()]), ..Dispatched::default() }
    }
}

/// A bucket that tells a queue and a topic of its objects; two more queues have the topic's messages.
struct Scene {
    objects: S3,
    queues: Arc<Sqs>,
}

impl Scene {
    async fn set() -> Self {
        let (endpoint, prefix) = (&endpoints().await.s3, unique());
        let aws = aws(endpoint).await;
        let (objects, queues) = (
            S3::new(&aws, &prefix, [BUCKET.to_owned()].into()),
            Sqs::new(&aws, &prefix, QUEUES.map(str::to_owned).into()),
        );
        objects.provision().await.unwrap();
        let client = aws_sdk_sqs::Client::new(aws.sdk());
        for queue in QUEUES {
            client.create_queue().queue_name(format!("{prefix}{queue}")).send().await.unwrap();
        }
        let topic = format!("arn:aws:sns:{ARN}:{prefix}topic");
        sns(endpoint, &format!("Action=CreateTopic&Name={prefix}topic")).await;
        let subscribe = |queue: &str| {
            let queue = format!("arn:aws:sqs:{ARN}:{prefix}{queue}");
            format!("Action=Subscribe&Protocol=sqs&TopicArn={topic}&Endpoint={queue}")
        };
        sns(endpoint, &subscribe("wrapped")).await;
        let raw = "&Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value=true";
        sns(endpoint, &(subscribe("raw") + raw)).await;
        notify(&aws, &objects.real_name(BUCKET), &format!("arn:aws:sqs:{ARN}:{prefix}direct"), &topic).await;
        Self { objects, queues: Arc::new(queues) }
    }

    /// The objects that a source gets from a queue until there are `count`.
    async fn objects_of(&self, queue: &str, count: usize) -> Vec<Value> {
        let (folder, worker) = (tempfile::tempdir().unwrap(), Arc::new(Worker::default()));
        let declared = Declared { queues: [("q".to_owned(), QueueSpec::default())].into(), ..Declared::default() };
        let store = Arc::new(Embedded::open(&folder.path().join("store"), &declared).unwrap());
        let buckets = [(BUCKET.to_owned(), self.objects.real_name(BUCKET))];
        let stores = SourceStores { failures: store, ..SourceStores::of_queues(self.queues.clone()) };
        let context =
            SourceContext { buckets: Arc::new(buckets.into()), ..SourceContext::new(WORKER, worker.clone(), stores) };
        let config = S3Config { prefix: Some("in/".to_owned()), ..S3Config::new(BUCKET, queue) };
        let (source, drain) = (SourceConfig::S3(config).source(&context), Drain::new());
        let draining = drain.clone();
        let running = tokio::spawn(async move { source.run(draining).await });
        wait::eventually(&format!("the objects of {queue}"), async || {
            let depth = self.queues.depth(queue).await.unwrap();
            let is_settled = depth.visible + depth.in_flight + depth.delayed == 0;
            (is_settled && worker.0.lock().unwrap().len() >= count).then_some(())
        })
        .await;
        drain.finish(Duration::from_secs(5), running).await.unwrap();
        let mut got = worker.0.lock().unwrap().clone();
        got.sort_by_key(|object| object["key"].to_string());
        got
    }
}

/// A request to SNS. moto checks no signature.
async fn sns(endpoint: &str, request: &str) {
    let scope = "Credential=test/20260101/us-east-1/sns/aws4_request, SignedHeaders=host, Signature=0";
    let post = reqwest::Client::new().post(endpoint).header("authorization", format!("AWS4-HMAC-SHA256 {scope}"));
    let post = post.header("content-type", "application/x-www-form-urlencoded");
    let answer = post.body(format!("{request}&Version=2010-03-31")).send().await.unwrap();
    assert!(answer.status().is_success(), "{request}: {answer:?}");
}

async fn notify(aws: &backend_aws::Aws, bucket: &str, queue: &str, topic: &str) {
    let config = aws_sdk_s3::config::Builder::from(aws.sdk()).force_path_style(true).build();
    let rule = FilterRule::builder().name(FilterRuleName::Prefix).value("in/").build();
    let filter =
        NotificationConfigurationFilter::builder().key(S3KeyFilter::builder().filter_rules(rule).build()).build();
    let to_queue = QueueConfiguration::builder().queue_arn(queue).events(S3Event::S3ObjectCreated).filter(filter);
    let to_topic = TopicConfiguration::builder().topic_arn(topic).events(S3Event::S3ObjectCreated);
    let configuration = NotificationConfiguration::builder()
        .queue_configurations(to_queue.build().unwrap())
        .topic_configurations(to_topic.build().unwrap())
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let put = client.put_bucket_notification_configuration().bucket(bucket);
    put.notification_configuration(configuration).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn d15_1__s3_tells_of_its_objects_itself_and_through_sns() {
    let scene = Scene::set().await;
    let (keys, mut expected) = (["in/1.csv", "in/a+b%2F Ü.csv"], Vec::new());
    for name in keys {
        let etag = scene.objects.put(BUCKET, &key(name), b"rows".to_vec()).await.unwrap();
        expected
            .push(json!({"bucket": BUCKET, "key": name, "size": 4, "etag": etag, "eventName": "ObjectCreated:Put"}));
    }
    scene.objects.put(BUCKET, &key("out/1.csv"), b"rows".to_vec()).await.unwrap();
    for queue in QUEUES {
        let mut got = scene.objects_of(queue, keys.len()).await;
        for object in &mut got {
            assert!(object.as_object_mut().unwrap().remove("eventTime").is_some(), "{queue}: {object}");
        }
        assert_eq!(got, expected, "{queue}");
    }
}
