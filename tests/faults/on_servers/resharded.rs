//! DynamoDB Local with a stream that splits. This proxy shows the records of its one shard as those of a parent and,
//! once told to split, of two children, with the responses that DynamoDB Streams documents. All other requests pass.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

const PARENT: &str = "shardId-parent";
/// The children. Each has the items whose sort keys end with an even or an odd byte.
pub const CHILDREN: [&str; 2] = ["shardId-child-even", "shardId-child-odd"];
const TARGET: &str = "x-amz-target";
/// Most records that DynamoDB returns in one call.
const LIMIT: u64 = 1_000;

/// Listens until it is dropped.
pub struct Resharded {
    stream: Arc<Mutex<Stream>>,
    task: JoinHandle<()>,
}

/// A request of the host. Further requests to DynamoDB Local use the same signature, which it does not check.
struct Request {
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Default)]
struct Stream {
    endpoint: String,
    /// The stream's one shard in DynamoDB Local, `{StreamArn, ShardId}`; null before the stream was described.
    shard: Value,
    /// The iterator for reading on.
    iterator: Option<String>,
    /// All records, in order.
    records: Vec<Value>,
    /// How many of them belong to the parent; `None` before the split.
    split: Option<usize>,
    /// How many records of each shard were read.
    read: BTreeMap<String, usize>,
}

impl Resharded {
    /// Starts a proxy for the server at `endpoint`, which becomes the proxy's address.
    pub async fn before(endpoint: &mut String) -> Self {
        let stream = Stream { endpoint: endpoint.clone(), ..Stream::default() };
        let stream = Arc::new(Mutex::new(stream));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        *endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(stream.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { stream, task }
    }

    /// Splits the shard: records that were not read yet belong to the children.
    pub async fn split(&self) {
        let mut stream = self.stream.lock().await;
        stream.split = Some(stream.records.len());
    }

    /// How many records were seen so far.
    pub async fn all(&self) -> usize {
        self.stream.lock().await.records.len()
    }

    /// How many records of a shard were read.
    pub async fn read(&self, shard: &str) -> usize {
        self.stream.lock().await.read.get(shard).copied().unwrap_or_default()
    }
}

impl Drop for Resharded {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(stream): State<Arc<Mutex<Stream>>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers[TARGET].to_str().unwrap().to_owned();
    let request = Request { headers, body };
    let Some((service, action)) = target.split_once('.').filter(|(service, _)| service.starts_with("DynamoDBStreams"))
    else {
        let endpoint = stream.lock().await.endpoint.clone();
        let (status, body) = request.send(&endpoint, &target, request.body.clone()).await;
        return respond(status, body);
    };
    let mut stream = stream.lock().await;
    let input: Value = serde_json::from_slice(&request.body).unwrap();
    let output = match action {
        "DescribeStream" => stream.describe(&request, service).await,
        "GetShardIterator" => stream.iterator(&input),
        "GetRecords" => stream.records(&request, service, &input).await,
        other => panic!("{other}?"),
    };
    respond(StatusCode::OK, output.to_string().into())
}

fn respond(status: StatusCode, body: Bytes) -> Response {
    (status, [("content-type", "application/x-amz-json-1.0")], body).into_response()
}

impl Request {
    async fn send(&self, endpoint: &str, target: &str, body: Bytes) -> (StatusCode, Bytes) {
        let mut request = tests::client().post(endpoint).header(TARGET, target);
        for name in ["authorization", "content-type", "x-amz-date"] {
            request = request.header(name, self.headers[name].clone());
        }
        let response = request.body(body).send().await.unwrap();
        (response.status(), response.bytes().await.unwrap())
    }

    async fn ask(&self, endpoint: &str, service: &str, action: &str, input: &Value) -> Value {
        let target = format!("{service}.{action}");
        let (status, body) = self.send(endpoint, &target, input.to_string().into()).await;
        assert!(status.is_success(), "{action}: {status} {body:?}");
        serde_json::from_slice(&body).unwrap()
    }
}

impl Stream {
    async fn describe(&mut self, request: &Request, service: &str) -> Value {
        let input: Value = serde_json::from_slice(&request.body).unwrap();
        let (arn, endpoint) = (&input["StreamArn"], &self.endpoint);
        let mut output = request.ask(endpoint, service, "DescribeStream", &json!({ "StreamArn": arn })).await;
        let shards = &mut output["StreamDescription"]["Shards"];
        self.shard = json!({ "StreamArn": arn, "ShardId": shards[0]["ShardId"] });
        let children = CHILDREN.iter().filter(|_| self.split.is_some());
        let children = children.map(|id| json!({ "ShardId": id, "ParentShardId": PARENT }));
        *shards = std::iter::once(json!({ "ShardId": PARENT })).chain(children).collect();
        output
    }

    /// An iterator consists of its shard and a position among all records.
    fn iterator(&self, input: &Value) -> Value {
        let place = match text(&input["ShardIteratorType"]) {
            "TRIM_HORIZON" => 0,
            "AFTER_SEQUENCE_NUMBER" => {
                let is_it = |record: &Value| record["dynamodb"]["SequenceNumber"] == input["SequenceNumber"];
                self.records.iter().position(is_it).expect("a sequence number that was never given") + 1
            }
            other => panic!("{other}?"),
        };
        json!({ "ShardIterator": format!("{} {place}", text(&input["ShardId"])) })
    }

    async fn records(&mut self, request: &Request, service: &str, input: &Value) -> Value {
        self.follow(request, service).await;
        let (shard, place) = text(&input["ShardIterator"]).split_once(' ').unwrap();
        let (limit, end) = (input["Limit"].as_u64().unwrap_or(LIMIT), self.end(shard));
        let (mut place, mut records) = (place.parse::<usize>().unwrap(), Vec::new());
        while place < end && (records.len() as u64) < limit {
            records.extend(self.is_of(place, shard).then(|| self.records[place].clone()));
            place += 1;
        }
        *self.read.entry(shard.to_owned()).or_default() += records.len();
        let closed = shard == PARENT && self.split == Some(place);
        json!({ "Records": records, "NextShardIterator": (!closed).then(|| format!("{shard} {place}")) })
    }

    fn end(&self, shard: &str) -> usize {
        self.split.filter(|_| shard == PARENT).unwrap_or(self.records.len())
    }

    fn is_of(&self, place: usize, shard: &str) -> bool {
        if place < self.split.unwrap_or(usize::MAX) {
            return shard == PARENT;
        }
        let key = text(&self.records[place]["dynamodb"]["Keys"]["sk"]["S"]);
        let last = key.bytes().last().unwrap_or_default();
        shard == CHILDREN[usize::from(last % 2)]
    }

    /// Reads new records.
    async fn follow(&mut self, request: &Request, service: &str) {
        loop {
            let iterator = match self.iterator.take() {
                Some(iterator) => iterator,
                None => self.begin(request, service).await,
            };
            let (target, input) = (format!("{service}.GetRecords"), json!({ "ShardIterator": iterator }));
            let (status, body) = request.send(&self.endpoint, &target, input.to_string().into()).await;
            let mut output: Value = serde_json::from_slice(&body).unwrap();
            if !status.is_success() {
                // DynamoDB Local may refuse an iterator that it returned while the stream was empty.
                assert!(output["__type"].as_str().unwrap().ends_with("#TrimmedDataAccessException"), "{output}");
                return;
            }
            self.iterator = output["NextShardIterator"].as_str().map(str::to_owned);
            let Some(records) = output["Records"].as_array_mut().filter(|records| !records.is_empty()) else { return };
            self.records.append(records);
        }
    }

    /// An iterator after the last record that was read.
    async fn begin(&self, request: &Request, service: &str) -> String {
        let mut input = self.shard.clone();
        input["ShardIteratorType"] = "TRIM_HORIZON".into();
        if let Some(last) = self.records.last() {
            input["ShardIteratorType"] = "AFTER_SEQUENCE_NUMBER".into();
            input["SequenceNumber"] = last["dynamodb"]["SequenceNumber"].clone();
        }
        let output = request.ask(&self.endpoint, service, "GetShardIterator", &input).await;
        text(&output["ShardIterator"]).to_owned()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
