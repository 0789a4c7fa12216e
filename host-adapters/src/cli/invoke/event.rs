//! Reads which worker to call, and with which event.

use crate::manifest::{App, Client, decoded, read_text, without_mark};
use anyhow::{Context, Result};
use host_adapters_delivery::event::appsync;
use host_adapters_platform::{Access, Grants};
use host_adapters_sources::camel_case_name;
use serde_json::{Value, json};
use std::io::{IsTerminal, Read};
use std::path::Path;

/// The component id of a worker named by its id or by its name in the documents.
pub(in crate::cli) fn component(app: &App, name: &str) -> Option<String> {
    workers(app).find(|id| *id == name || camel_case_name(id) == name).cloned()
}

/// The message about a name that no worker has.
pub(in crate::cli) fn unknown(app: &App, name: &str) -> String {
    let ids = workers(app).map(String::as_str);
    let ids: Vec<_> = ids.collect();
    format!("there is no worker `{name}` in {}; there are: {}", app.path.display(), ids.join(", "))
}

/// The ids of the components that something calls.
fn workers(app: &App) -> impl Iterator<Item = &String> {
    app.components.values().filter(|component| app.is_called(component)).map(|component| &component.id)
}

/// The text of an argument: the argument itself, `@file`, or `-` for standard input. `what` names it in errors.
pub(in crate::cli) fn text_of(argument: &str, what: &str) -> Result<String> {
    match argument.strip_prefix('@') {
        Some(path) => read_text(Path::new(path)).with_context(|| format!("cannot read the {what} {path}")),
        None if argument == "-" => {
            if std::io::stdin().is_terminal() {
                eprintln!("host-adapters: waits for the {what} on standard input; end it with Ctrl-D");
            }
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes).and_then(|_| decoded(bytes));
            read.with_context(|| format!("cannot read the {what} from standard input"))
        }
        None => Ok(without_mark(argument).to_owned()),
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
    let documents =
        app.host.declared.collections.iter().map(|collection| (collection.clone(), Access::Write)).collect();
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
