//! Bodies of events: from the command line, from the worker's fixtures, or made up.

use super::Kind;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where the body of an event comes from.
pub(super) struct Canned<'a> {
    fixture: Option<Fixture>,
    body: Option<&'a str>,
}

/// An event in a worker's folder, and the JSON pointer to its body.
pub(super) struct Fixture {
    path: PathBuf,
    body: &'static str,
}

impl Fixture {
    /// The event of `kind` in `components/<worker>/fixtures`, beside the manifest.
    pub(super) fn of(manifest: &Path, worker: &str, kind: Kind) -> Self {
        let (name, body) = match kind {
            Kind::Sqs => ("sqs", "/Records/0/body"),
            // The same changes arrive by both kinds of stream.
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
    /// Uses the body from the command line, else the one in `fixture`, else one that is made up.
    pub(super) fn of(fixture: Option<Fixture>, body: Option<&'a str>) -> Self {
        Self { fixture, body }
    }

    /// A message's body: any text.
    pub(super) fn message(&self) -> Result<String> {
        match self.body {
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

    /// A change, as workers see it or as AWS encodes it.
    pub(super) fn change(&self) -> Result<Value> {
        self.json(&json!({"eventName": "INSERT", "newImage": {"pk": "example", "sk": "1"}}))
    }

    fn json(&self, any: &Value) -> Result<Value> {
        match self.body {
            Some(text) => serde_json::from_str(text).context("the body is not JSON"),
            None => self.canned(any),
        }
    }

    fn canned(&self, any: &Value) -> Result<Value> {
        self.fixture.as_ref().map_or_else(|| Ok(any.clone()), Fixture::body)
    }
}
