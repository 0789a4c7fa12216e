//! A scripted server for AWS's query protocol, which SNS speaks: forms in, XML out.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The members of a request, such as `Action`.
pub type Form = BTreeMap<String, String>;

/// Its response: the result of the action in XML, or the code of an error.
pub type Reply = Result<String, &'static str>;

type Script = dyn Fn(&str, usize, &Form) -> Reply + Send + Sync;

/// The server. It ends with the test.
pub struct Scripted {
    url: String,
    asked: Arc<Asked>,
}

struct Asked {
    script: Box<Script>,
    requests: Mutex<Vec<(String, Form)>>,
}

impl Scripted {
    /// Answers each request with the result of `script`, which gets its action, how many requests of that action came
    /// before, and its members.
    pub async fn start(script: impl Fn(&str, usize, &Form) -> Reply + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Asked { script: Box::new(script), requests: Mutex::default() });
        let url = tests::serve(Router::new().fallback(answer).with_state(asked.clone())).await;
        Self { url, asked }
    }

    /// A client of the server.
    pub async fn aws(&self) -> backend_aws::Aws {
        tests::aws::aws(&self.url).await
    }

    /// The members of an action's requests, in order of arrival.
    pub fn requests(&self, action: &str) -> Vec<Form> {
        let requests = self.asked.requests.lock().unwrap();
        requests.iter().filter(|(of, _)| of == action).map(|(_, form)| form.clone()).collect()
    }
}

async fn answer(State(asked): State<Arc<Asked>>, body: String) -> Response {
    let form: Form = reqwest::Url::parse(&format!("http://form/?{body}")).unwrap().query_pairs().into_owned().collect();
    let action = form["Action"].clone();
    let before = {
        let mut requests = asked.requests.lock().unwrap();
        let before = requests.iter().filter(|(of, _)| *of == action).count();
        requests.push((action.clone(), form.clone()));
        before
    };
    let (status, xml) = match (asked.script)(&action, before, &form) {
        Ok(result) => {
            (StatusCode::OK, format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"))
        }
        Err(code) => {
            let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>as scripted</Message></Error>");
            (StatusCode::BAD_REQUEST, format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"))
        }
    };
    (status, [("content-type", "text/xml")], xml).into_response()
}
