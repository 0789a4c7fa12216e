//! The input of an execution for `host-adapters events generate`.

use crate::canned::{CannedEvent, Records};
use serde_json::Value;

pub(crate) const CANNED: &[CannedEvent] = &[CannedEvent {
    name: "task",
    about: "The input of an execution of a task",
    body: "",
    example: ("exampleTask", r#"{"campaignId":"campaign-1"}"#),
    make: input,
}];

/// Step Functions hands a function its input and nothing else.
fn input(records: &Records<'_>, body: &str) -> Result<Value, String> {
    if records.count > 1 || !records.ids.is_empty() {
        return Err("a task is one execution; leave out --count and --id".to_owned());
    }
    serde_json::from_str(body).map_err(|error| format!("the input is not JSON: {error}"))
}
