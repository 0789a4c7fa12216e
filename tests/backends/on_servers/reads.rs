//! Counts the reads of DynamoDB's shards as the server sees them: a proxy before it, through which everything passes.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use reqwest::Client;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

const TARGET: &str = "x-amz-target";

/// Counts until the test ends.
pub struct ShardReads(Arc<Proxy>);

struct Proxy {
    endpoint: String,
    http: Client,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The shard of each iterator that the server returned.
    iterators: BTreeMap<String, String>,
    /// When each shard was read.
    reads: BTreeMap<String, Vec<Instant>>,
}

impl ShardReads {
    /// Starts a proxy for the server at `endpoint`, which becomes the proxy's address.
    pub async fn before(endpoint: &mut String) -> Self {
        let proxy = Proxy { endpoint: endpoint.clone(), http: tests::client(), seen: Mutex::default() };
        let proxy = Arc::new(proxy);
        *endpoint = tests::serve(Router::new().fallback(forward).with_state(proxy.clone())).await;
        Self(proxy)
    }

    /// When each shard was read so far.
    pub fn so_far(&self) -> BTreeMap<String, Vec<Instant>> {
        self.0.seen.lock().unwrap().reads.clone()
    }
}

async fn forward(State(proxy): State<Arc<Proxy>>, headers: HeaderMap, body: Bytes) -> Response {
    let at = Instant::now();
    let mut request = proxy.http.post(&proxy.endpoint);
    // DynamoDB Local does not check signatures.
    for name in [TARGET, "authorization", "content-type", "x-amz-date"] {
        request = request.header(name, headers[name].clone());
    }
    let response = request.body(body.clone()).send().await.unwrap();
    let (status, answer) = (response.status(), response.bytes().await.unwrap());
    let action = headers[TARGET].to_str().unwrap().rsplit('.').next().unwrap();
    // The host reads again at once with another iterator if one has expired.
    if status.is_success() && ["GetShardIterator", "GetRecords"].contains(&action) {
        let json = |bytes: &Bytes| serde_json::from_slice::<Value>(bytes).unwrap();
        proxy.seen.lock().unwrap().note(&json(&body), &json(&answer), at);
    }
    (status, [("content-type", "application/x-amz-json-1.0")], answer).into_response()
}

impl Seen {
    /// Notes a request that names a shard, or an iterator of one, and the answer with the next iterator.
    fn note(&mut self, request: &Value, answer: &Value, at: Instant) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let read = text(&request["ShardIterator"]).map(|iterator| self.iterators[&iterator].clone());
        if let Some(shard) = &read {
            self.reads.entry(shard.clone()).or_default().push(at);
        }
        let shard = read.or_else(|| text(&request["ShardId"])).unwrap();
        let next = text(&answer["NextShardIterator"]).or_else(|| text(&answer["ShardIterator"]));
        self.iterators.extend(next.map(|next| (next, shard)));
    }
}
