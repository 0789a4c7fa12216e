//! Events in the format of AWS Lambda, for `host-adapters events generate`.

use serde_json::{Value, json};

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const ACCOUNT: &str = "123456789012";

/// An event that can be generated.
pub struct CannedEvent {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it holds.
    pub about: &'static str,
    /// Where the body stands in a worker's fixture, `<kind>.json`: a JSON pointer.
    pub body: &'static str,
    /// What it comes from if no worker is named, and the body it has then.
    pub example: (&'static str, &'static str),
    /// Creates the event with a body; fails with the reason.
    pub make: fn(&Records<'_>, body: &str) -> Result<Value, String>,
}

/// The records of an event.
pub struct Records<'a> {
    /// The queue, table or stream that they come from.
    pub from: &'a str,
    /// Their ids in order; further records get made-up ones.
    pub ids: &'a [String],
    /// How many.
    pub count: u32,
}

impl Records<'_> {
    /// An event whose records are created from their ids, if any, and their numbers.
    pub(crate) fn event(&self, record: impl Fn(Option<String>, u32) -> Value) -> Value {
        let ids = self.ids.iter().cloned().map(Some).chain(std::iter::repeat(None));
        let records: Vec<_> = (0..self.count).zip(ids).map(|(n, id)| record(id, n)).collect();
        json!({ "Records": records })
    }
}

/// The ids of a stream's records are sequence numbers.
pub(crate) fn check_numbers(records: &Records<'_>) -> Result<(), String> {
    let is_number = |id: &&String| !id.is_empty() && id.chars().all(|c| c.is_ascii_digit());
    match records.ids.iter().find(|id| !is_number(id)) {
        Some(id) => Err(format!("\"{id}\" is not a sequence number; write digits only")),
        None => Ok(()),
    }
}
