//! Bodies of events in workers' fixtures.

use super::Kind;
use crate::manifest::read_text;
use anyhow::{Context, Result};
use host_adapters_json::{compact, pointer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};

/// The attributes of a message in an event.
const ATTRIBUTES: &str = "messageAttributes";

/// The body of an event's records.
pub(super) struct Body {
    pub(super) text: String,
    /// The attributes of the fixture's message, if it has any: its worker may need them to read the body.
    attributes: Option<Value>,
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self { text, attributes: None }
    }
}

impl Body {
    /// Adds the attributes to all records of an event.
    pub(super) fn complete(&self, event: &mut Value) {
        let Some(attributes) = &self.attributes else { return };
        let records = event.get_mut("Records").and_then(Value::as_array_mut);
        for record in records.into_iter().flatten().filter_map(Value::as_object_mut) {
            record.insert(ATTRIBUTES.to_owned(), attributes.clone());
        }
    }
}

/// An event in a worker's folder, and the JSON pointer to its body.
pub(super) struct Fixture {
    path: PathBuf,
    body: &'static str,
}

impl Fixture {
    /// The event of `kind` in `components/<worker>/fixtures`, beside the manifest.
    pub(super) fn of(manifest: &Path, worker: &str, kind: &Kind) -> Self {
        let path = manifest.with_file_name("components").join(worker).join("fixtures").join(kind.fixture());
        Self { path: path.with_extension("json"), body: kind.body() }
    }

    /// Text as it is, and everything else as JSON, with numbers spelled as in the input; and the message's attributes.
    pub(super) fn body(&self) -> Result<Body> {
        let path = self.path.display();
        let text = read_text(&self.path)
            .with_context(|| format!("cannot read {path}; add it, or give the body with --body"))?;
        let not_json = || format!("{path} is not JSON");
        let event: &RawValue = serde_json::from_str(&text).with_context(not_json)?;
        let body = pointer(event, self.body).with_context(|| format!("{path} has no {}", self.body))?;
        let is_text = body.get().starts_with('"');
        let body = if is_text { serde_json::from_str(body.get()) } else { compact(body) };
        let attributes = pointer(event, &format!("/Records/0/{ATTRIBUTES}"));
        let attributes = attributes.and_then(|attributes| serde_json::from_str(attributes.get()).ok());
        Ok(Body { text: body.with_context(not_json)?, attributes })
    }
}
