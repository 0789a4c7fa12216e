//! The AppSync event of a resolver's field, which workers without a source get over HTTP.

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Its name on the command line, and that of its fixture.
pub(super) const NAME: &str = "appsync";
/// Another name of it.
pub(super) const ALIAS: &str = "http";
/// Where the body stands in a worker's fixture.
pub(super) const BODY: &str = "/arguments/input/body";
/// The field if no worker is named, and the body that it gets then.
pub(super) const EXAMPLE: (&str, &str) = ("example", "{}");

/// The event of `field`.
pub(super) fn event(field: &str, body: &str) -> Result<Value> {
    let body: Value = serde_json::from_str(body).context("the body is not JSON")?;
    Ok(json!({
        "arguments": {"input": {"body": body}},
        "identity": null,
        "source": null,
        "request": {"headers": {}},
        "info": {"fieldName": field, "parentTypeName": "Mutation", "variables": {}},
    }))
}
