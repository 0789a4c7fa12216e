//! Objects and data streams on servers, used as other programs use them, and the notifications of the bucket.
//!
//! The host's queues are ElasticMQ's, and moto, which has the bucket, sends its notifications to queues of its own only. So the
//! demo carries them over: it reads moto's queues and sends each message, as moto wrote it, to the queue of the same name that
//! the host reads. One thing it sets right: moto gives every event the same `sequencer`, and in S3 those of later events are
//! greater.

use crate::stores::BUCKET;
use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Client;
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};
use tokio::task::JoinHandle;

/// The queue of the notifications of each part of the bucket.
const NOTIFIED: [(&str, &str); 2] = [("scrubbed/", "loadScoresQueue"), ("fanlist/scored/", "saveFanlistScoresQueue")];
/// The pause after an error while messages are carried.
const PAUSE: Duration = Duration::from_millis(200);
/// Most records of a read of Kinesis.
const MOST: usize = 10_000;

/// Where the servers are.
pub struct Endpoints {
    /// moto.
    pub objects: String,
    /// ElasticMQ.
    pub queues: String,
    /// kinesalite.
    pub streams: String,
}

/// The servers, with names that begin with a prefix. Notifications are carried until this is dropped.
pub struct Cloud {
    aws: Aws,
    endpoints: Endpoints,
    prefix: String,
    carriers: Vec<JoinHandle<()>>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.carriers.iter().for_each(JoinHandle::abort);
    }
}

impl Cloud {
    /// Lets the bucket send notifications, and begins to carry them. The bucket and the host's queues must exist.
    pub async fn connect(endpoints: Endpoints, prefix: String) -> Result<Self> {
        let aws = Aws(Client::builder().no_proxy().build()?);
        let mut cloud = Self { aws, endpoints, prefix, carriers: Vec::new() };
        let mut configurations = String::new();
        for (part, queue) in NOTIFIED {
            let queue = format!("{}{queue}", cloud.prefix);
            let (objects, queues) = (&cloud.endpoints.objects, &cloud.endpoints.queues);
            let from = cloud.aws.queue(objects, "CreateQueue", &queue).await?;
            let to = cloud.aws.queue(queues, "GetQueueUrl", &queue).await?;
            configurations.push_str(&configuration(part, &cloud.aws.queue_arn(objects, &from).await?));
            let carrier = Carrier { aws: cloud.aws.clone(), from: (objects.clone(), from), to: (queues.clone(), to) };
            cloud.carriers.push(tokio::spawn(carrier.carry()));
        }
        let url = format!("{}/{}{BUCKET}?notification", cloud.endpoints.objects, cloud.prefix);
        let body = format!("<NotificationConfiguration>{configurations}</NotificationConfiguration>");
        cloud.aws.put(&url, body).await.context("the notifications of the bucket")?;
        Ok(cloud)
    }

    /// Puts an object.
    pub async fn put(&self, key: &str, text: &str) -> Result<()> {
        let url = format!("{}/{}{BUCKET}/{key}", self.endpoints.objects, self.prefix);
        self.aws.put(&url, text.to_owned()).await.with_context(|| format!("putting {key}"))
    }

    /// The data of all records of a data stream.
    pub async fn records(&self, stream: &str) -> Result<Vec<Vec<u8>>> {
        let stream = format!("{}{stream}", self.prefix);
        let call = |action: &'static str, body: Value| self.aws.kinesis(&self.endpoints.streams, action, body);
        let shards = call("DescribeStream", json!({ "StreamName": stream })).await?;
        let mut records = Vec::new();
        for shard in array(&shards, "/StreamDescription/Shards") {
            let shard = text(shard, "/ShardId")?;
            let from = json!({ "StreamName": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
            let mut iterator = Some(text(&call("GetShardIterator", from).await?, "/ShardIterator")?.to_owned());
            while let Some(from) = iterator {
                let page = call("GetRecords", json!({ "ShardIterator": from, "Limit": MOST })).await?;
                let found = array(&page, "/Records");
                for record in found {
                    records.push(STANDARD.decode(text(record, "/Data")?).context("the data of a record of Kinesis")?);
                }
                // An open shard has a next page always.
                let next = page.get("NextShardIterator").and_then(Value::as_str).filter(|_| !found.is_empty());
                iterator = next.map(str::to_owned);
            }
        }
        Ok(records)
    }
}

fn array<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(value: &'v Value, pointer: &str) -> Result<&'v str> {
    value.pointer(pointer).and_then(Value::as_str).with_context(|| format!("no {pointer} in {value}"))
}

/// What tells a bucket to send notifications of a part of it to a queue.
fn configuration(part: &str, queue: &str) -> String {
    format!(
        "<QueueConfiguration><Id>{part}</Id><Queue>{queue}</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key>\
         <FilterRule><Name>prefix</Name><Value>{part}</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
    )
}

/// Carries messages from a queue to another one. A queue is the address of its server, and its own.
struct Carrier {
    aws: Aws,
    from: (String, String),
    to: (String, String),
}

impl Carrier {
    async fn carry(self) {
        loop {
            if let Err(error) = self.carry_some().await {
                eprintln!("demo: a notification of the bucket is not carried: {error:#}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn carry_some(&self) -> Result<()> {
        let (server, from) = &self.from;
        let wanted = json!({ "QueueUrl": from, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1 });
        let received = self.aws.sqs(server, "ReceiveMessage", wanted).await?;
        for message in array(&received, "/Messages") {
            let sent = json!({ "QueueUrl": self.to.1, "MessageBody": in_order(text(message, "/Body")?, now()) });
            self.aws.sqs(&self.to.0, "SendMessage", sent).await?;
            let settled = json!({ "QueueUrl": from, "ReceiptHandle": text(message, "/ReceiptHandle")? });
            self.aws.sqs(server, "DeleteMessage", settled).await?;
        }
        Ok(())
    }
}

/// The notification, with a `sequencer` that is greater than those before.
fn in_order(notification: &str, now: u128) -> String {
    let Ok(mut body) = serde_json::from_str::<Value>(notification) else { return notification.to_owned() };
    for record in body.get_mut("Records").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(object) = record.pointer_mut("/s3/object").and_then(Value::as_object_mut) {
            object.insert("sequencer".to_owned(), format!("{now:018X}").into());
        }
    }
    body.to_string()
}

/// Microseconds since 1970 (UTC).
fn now() -> u128 {
    UNIX_EPOCH.elapsed().unwrap_or_default().as_micros()
}

/// A client of servers that do not check signatures; that saves the demo the SDKs.
#[derive(Clone)]
struct Aws(Client);

impl Aws {
    async fn put(&self, url: &str, body: String) -> Result<()> {
        let request = self.0.put(url).header("authorization", authorization("s3")).body(body);
        let response = request.send().await?;
        let status = response.status();
        if !status.is_success() {
            bail!("{url}: {status}: {}", response.text().await.unwrap_or_default());
        }
        Ok(())
    }

    async fn sqs(&self, server: &str, action: &str, body: Value) -> Result<Value> {
        self.call(server, "sqs", &format!("AmazonSQS.{action}"), "application/x-amz-json-1.0", body).await
    }

    async fn kinesis(&self, server: &str, action: &str, body: Value) -> Result<Value> {
        self.call(server, "kinesis", &format!("Kinesis_20131202.{action}"), "application/x-amz-json-1.1", body).await
    }

    /// The address of a queue, by an action that tells it.
    async fn queue(&self, server: &str, action: &str, queue: &str) -> Result<String> {
        let told = self.sqs(server, action, json!({ "QueueName": queue })).await?;
        Ok(text(&told, "/QueueUrl")?.to_owned())
    }

    async fn queue_arn(&self, server: &str, queue: &str) -> Result<String> {
        let wanted = json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] });
        let told = self.sqs(server, "GetQueueAttributes", wanted).await?;
        Ok(text(&told, "/Attributes/QueueArn")?.to_owned())
    }

    async fn call(&self, server: &str, service: &str, target: &str, content_type: &str, body: Value) -> Result<Value> {
        let request =
            self.0.post(server).header("authorization", authorization(service)).header("x-amz-target", target);
        let request = request.header("x-amz-date", "20200101T000000Z").header("content-type", content_type);
        let response = request.body(body.to_string()).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        if !status.is_success() {
            bail!("{target}: {status}: {text}");
        }
        // Some actions answer nothing.
        if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text).with_context(|| target.to_owned()) }
    }
}

/// Names the service; the signature is none.
fn authorization(service: &str) -> String {
    let credential = format!("demo/20200101/us-east-1/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_notification_has_a_greater_sequencer() {
        let moto = r#"{"Records":[{"s3":{"object":{"key":"scrubbed/demo.csv","sequencer":"0055AED6DCD90281E5"}}}]}"#;
        let sequencer = |text: &str| {
            let value: Value = serde_json::from_str(text).unwrap_or_default();
            super::text(&value, "/Records/0/s3/object/sequencer").unwrap_or_default().to_owned()
        };
        let (first, later) = (in_order(moto, now()), in_order(moto, now() + 1));
        assert!(sequencer(&first) < sequencer(&later) && sequencer(&first).len() == 18, "{first} {later}");
        assert!(first.contains("scrubbed/demo.csv"));
        let test = r#"{"Event":"s3:TestEvent"}"#;
        assert_eq!((in_order(test, 1), in_order("no JSON", 1)), (test.to_owned(), "no JSON".to_owned()));
    }
}
