//! Bodies that our workers understand: the documents' own examples.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Fixtures by worker, and where in one the body stands.
const FIXTURES: [(&str, &str, &str); 5] = [
    ("upsert-users", include_str!("../../../../tests/fixtures/events/sqs/upsert-users.json"), "/Records/0/body"),
    ("save-entries", include_str!("../../../../tests/fixtures/events/sqs/save-entries.json"), "/Records/0/body"),
    ("retry-score", include_str!("../../../../tests/fixtures/events/sqs/retry-score.json"), "/Records/0/body"),
    (
        "enqueue-entries",
        include_str!("../../../../tests/fixtures/events/dynamodb-stream/enqueue-entries.json"),
        "/Records/0",
    ),
    (
        "check-eligibility",
        include_str!("../../../../tests/fixtures/events/http/check-eligibility-appsync.json"),
        "/arguments/input/body",
    ),
];

/// Where the body of an event comes from.
pub(super) struct Canned<'a> {
    worker: Option<&'a str>,
    given: Option<&'a str>,
}

impl<'a> Canned<'a> {
    /// The body that was `given`, else one that `worker` understands, else any.
    pub(super) fn of(worker: Option<&'a str>, given: Option<&'a str>) -> Self {
        Self { worker, given }
    }

    /// A message's body: any text.
    pub(super) fn message(&self) -> Result<String> {
        match self.given {
            Some(text) => Ok(text.to_owned()),
            None => self.canned(&json!({"message": "Hello"})).map(|body| body.to_string()),
        }
    }

    /// A request's body.
    pub(super) fn input(&self) -> Result<Value> {
        self.json(&json!({}))
    }

    /// A change, as workers see it or as AWS writes it.
    pub(super) fn change(&self) -> Result<Value> {
        self.json(&json!({"eventName": "INSERT", "newImage": {"pk": "example", "sk": "1"}}))
    }

    fn json(&self, any: &Value) -> Result<Value> {
        match self.given {
            Some(text) => serde_json::from_str(text).context("the body is no JSON"),
            None => self.canned(any),
        }
    }

    fn canned(&self, any: &Value) -> Result<Value> {
        let Some(worker) = self.worker else { return Ok(any.clone()) };
        let Some((_, event, path)) = FIXTURES.iter().find(|(id, ..)| *id == worker) else {
            bail!("there is no canned event for {worker}; give its body with --body");
        };
        let event: Value = serde_json::from_str(event)?;
        event.pointer(path).cloned().with_context(|| format!("the canned event for {worker} has no {path}"))
    }
}
