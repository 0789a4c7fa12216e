//! The workers in the project's spin.toml, and the events in their folders.

use crate::support::settings::{self, root};
use host_adapters::manifest::{App, Component};
use serde_json::Value;
use std::collections::BTreeMap;

/// The application of the project's spin.toml.
pub fn app() -> App {
    settings::manifest(BTreeMap::new())
}

/// The components of an application that have a trigger.
pub fn of(app: &App) -> impl Iterator<Item = &Component> {
    app.components.values().filter(|component| app.is_called(component))
}

/// The event in `components/<worker>/fixtures/<name>.json`.
pub fn fixture(worker: &str, name: &str) -> Value {
    let path = root().join("components").join(worker).join("fixtures").join(name).with_extension("json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}
