//! A scripted server for S3's protocol.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use std::sync::{Arc, Mutex};

type Script = dyn Fn(&Request, usize) -> Response + Send + Sync;

/// The server. It ends with the test.
pub struct Scripted {
    url: String,
    asked: Arc<Asked>,
}

struct Asked {
    script: Box<Script>,
    requests: Mutex<Vec<String>>,
}

impl Scripted {
    /// Answers each request with the result of `script`, which gets the request and how many came before.
    pub async fn start(script: impl Fn(&Request, usize) -> Response + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Asked { script: Box::new(script), requests: Mutex::default() });
        let url = tests::serve(Router::new().fallback(answer).with_state(asked.clone())).await;
        Self { url, asked }
    }

    /// A client of the server.
    pub async fn aws(&self) -> backend_aws::Aws {
        tests::aws::aws(&self.url).await
    }

    /// What was asked, as `GET /p-b/key`, in order of arrival.
    pub fn requests(&self) -> Vec<String> {
        self.asked.requests.lock().unwrap().clone()
    }
}

async fn answer(State(asked): State<Arc<Asked>>, request: Request) -> Response {
    let before = {
        let mut requests = asked.requests.lock().unwrap();
        requests.push(format!("{} {}", request.method(), request.uri().path()));
        requests.len() - 1
    };
    (asked.script)(&request, before)
}

/// A response with headers.
pub fn response(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let response = Response::builder().status(status);
    let response = headers.iter().fold(response, |response, (name, value)| response.header(*name, *value));
    response.body(body.into()).unwrap()
}

/// An error as S3 writes it.
pub fn refusal(status: u16, code: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as scripted</Message></Error>");
    response(status, &[("content-type", "application/xml")], body)
}
