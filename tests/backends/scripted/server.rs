//! A scripted server for AWS's JSON protocol.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Its response: the output of the action, or the name of an error.
pub type Reply = Result<Value, &'static str>;

type Script = dyn Fn(&str, usize, &Value) -> Reply + Send + Sync;

/// The server. It ends with the test.
pub struct Scripted {
    url: String,
    asked: Arc<Asked>,
}

struct Asked {
    script: Box<Script>,
    requests: Mutex<Vec<(String, Value)>>,
}

impl Scripted {
    /// Answers each request with the result of `script`, which gets its action, how many requests of that action came
    /// before, and its input.
    pub async fn start(script: impl Fn(&str, usize, &Value) -> Reply + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Asked { script: Box::new(script), requests: Mutex::default() });
        let url = tests::serve(Router::new().fallback(answer).with_state(asked.clone())).await;
        Self { url, asked }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of the server.
    pub async fn aws(&self) -> backend_aws::Aws {
        tests::aws::aws(&self.url).await
    }

    /// The inputs of an action, in order of arrival.
    pub fn requests(&self, action: &str) -> Vec<Value> {
        let requests = self.asked.requests.lock().unwrap();
        requests.iter().filter(|(of, _)| of == action).map(|(_, input)| input.clone()).collect()
    }
}

async fn answer(State(asked): State<Arc<Asked>>, headers: HeaderMap, body: Bytes) -> Response {
    let action = headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap().to_owned();
    let input: Value = serde_json::from_slice(&body).unwrap();
    let before = {
        let mut requests = asked.requests.lock().unwrap();
        let before = requests.iter().filter(|(of, _)| *of == action).count();
        requests.push((action.clone(), input.clone()));
        before
    };
    let (status, output) = match (asked.script)(&action, before, &input) {
        Ok(output) => (StatusCode::OK, output),
        Err(name) => (StatusCode::BAD_REQUEST, json!({"__type": name, "message": "as scripted"})),
    };
    (status, [("content-type", "application/x-amz-json-1.0")], output.to_string()).into_response()
}
