//! Bodies of events: as given, as in the worker's fixtures, or any.

use super::Kind;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where the body of an event comes from.
pub(super) struct Canned<'a> {
    fixture: Option<Fixture>,
    given: Option<&'a str>,
}

/// An event in a worker's folder, and where in it the body stands.
pub(super) struct Fixture {
    path: PathBuf,
    body: &'static str,
}

impl Fixture {
    /// The event of `kind` in `components/<worker>/fixtures`, beside the manifest.
    pub(super) fn of(manifest: &Path, worker: &str, kind: Kind) -> Self {
        let (name, body) = match kind {
            Kind::Sqs => ("sqs", "/Records/0/body"),
            // The same changes come by both.
            Kind::DynamodbStream | Kind::Kinesis => ("dynamodb-stream", "/Records/0"),
            Kind::Appsync => ("appsync", "/arguments/input/body"),
        };
        let path = manifest.with_file_name("components").join(worker).join("fixtures").join(name);
        Self { path: path.with_extension("json"), body }
    }

    fn body(&self) -> Result<Value> {
        let path = self.path.display();
        let text = std::fs::read_to_string(&self.path)
            .with_context(|| format!("cannot read {path}; add it, or give the body with --body"))?;
        let event: Value = serde_json::from_str(&text).with_context(|| format!("{path} is not JSON"))?;
        event.pointer(self.body).cloned().with_context(|| format!("{path} has no {}", self.body))
    }
}

impl<'a> Canned<'a> {
    /// The `given` body, or the one in `fixture`, or any.
    pub(super) fn of(fixture: Option<Fixture>, given: Option<&'a str>) -> Self {
        Self { fixture, given }
    }

    /// A message's body: any text.
    pub(super) fn message(&self) -> Result<String> {
        match self.given {
            Some(text) => Ok(text.to_owned()),
            None => self.canned(&json!({"message": "Hello"})).map(|body| match body {
                Value::String(text) => text,
                body => body.to_string(),
            }),
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
            Some(text) => serde_json::from_str(text).context("the body is not JSON"),
            None => self.canned(any),
        }
    }

    fn canned(&self, any: &Value) -> Result<Value> {
        self.fixture.as_ref().map_or_else(|| Ok(any.clone()), Fixture::body)
    }
}
