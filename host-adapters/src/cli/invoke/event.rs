//! Reads which worker to call, and with which event.

use crate::manifest::{App, Client};
use anyhow::{Context, Result};
use host_adapters_delivery::event::appsync;
use host_adapters_platform::{Access, Grants};
use host_adapters_sources::camel_case_name;
use serde_json::{Value, json};
use std::io::Read;

/// The component id of a worker named by its id or by its name in the documents.
pub(in crate::cli) fn component(app: &App, name: &str) -> Option<String> {
    let callable = |id: &&String| app.routes.of(id).next().is_some();
    app.components.keys().filter(callable).find(|id| *id == name || camel_case_name(id) == name).cloned()
}

pub(in crate::cli) fn known(app: &App) -> String {
    let names = app.components.keys().filter(|id| app.routes.of(id).next().is_some());
    format!("built into this application: {}", names.cloned().collect::<Vec<_>>().join(", "))
}

/// The text of an argument: the argument itself, `@file`, or `-` for standard input. `what` names it in errors.
pub(in crate::cli) fn text_of(argument: &str, what: &str) -> Result<String> {
    match argument.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("cannot read the {what} {path}")),
        None if argument == "-" => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.with_context(|| format!("cannot read the {what} from standard input")).map(|_| text)
        }
        None => Ok(argument.to_owned()),
    }
}

/// Reads the event: the text to send, in which numbers have every digit, and its value. GraphQL variables (`{"input":
/// …}`), as API usage prints them, are turned into the AppSync event.
pub(super) fn read(argument: &str) -> Result<(String, Value)> {
    let text = text_of(argument, "event")?;
    let event: Value = serde_json::from_str(&text).context("the event is not JSON; write '{…}', @file or -")?;
    Ok(match event.get("input") {
        Some(_) => (format!(r#"{{"arguments":{text}}}"#), json!({ "arguments": event })),
        None => (text, event),
    })
}

/// The `userInfo` of the event's fan.
pub(super) fn user_info(event: &Value) -> Value {
    let mut input = appsync::input(event.clone());
    input.get_mut("userInfo").map(Value::take).map(appsync::json).unwrap_or_default()
}

/// A client that may write every collection, for the fixtures.
pub(super) fn seeder(app: &App) -> Client {
    let documents = app.host.collections.iter().map(|collection| (collection.clone(), Access::Write)).collect();
    Client { token: Default::default(), grants: Grants { documents, ..Grants::default() } }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn graphql_variables_become_an_appsync_event() {
        let (text, event) = read(r#"{"input":{"body":{"userInfo":{"globalUserId":"g"}}}}"#).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), event);
        assert_eq!(user_info(&event), json!({"globalUserId": "g"}));
        assert!(event.pointer("/arguments/input/body").is_some());
    }

    #[test]
    fn other_events_stay_as_they_are() {
        let (text, event) = read(r#"{"body":{"userInfo":{"globalUserId":"g"},"n":12345678901234567890123}}"#).unwrap();
        assert!(text.contains("12345678901234567890123"));
        assert_eq!(user_info(&event), json!({"globalUserId": "g"}));
        let texts = json!({"arguments": {"input": {"userInfo": r#"{"globalUserId":"g"}"#}}});
        assert_eq!(user_info(&texts), json!({"globalUserId": "g"}));
        assert!(read("{").unwrap_err().to_string().contains("not JSON"));
    }
}
