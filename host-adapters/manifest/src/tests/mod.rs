//! Tests of reading manifests, with the resulting applications or diagnostics.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod builds;
mod circles;
mod diagnostics;
mod objects;
mod project;
mod ranges;
mod routes;
mod schema;
mod topics;
mod variables;
mod words;

use super::*;
use expect_test::Expect;

/// A manifest without a diagnostic that each test adds to.
const BASE: &str = r#"spin_manifest_version = 2
[application]
name = "test"
[application.tool.host-adapters]
collections = ["campaigns"]
[application.tool.host-adapters.queues]
saveEntriesQueue = { dead_letter_queue = "saveEntriesQueueDlq" }
[application.tool.host-adapters.tables]
demand-table = { stream = true }
quiet-table = {}
"#;

fn parse_with(text: &str) -> Result<App, ManifestErrors> {
    parse(Path::new("spin.toml"), text, &ProvidedVariables::default())
}

/// The application of [`BASE`] with `more`.
fn app(more: &str) -> App {
    parse_with(&format!("{BASE}{more}")).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// The diagnostics of [`BASE`] and `more`; lines are counted from the first of `more`.
fn diagnostics_of(more: &str) -> String {
    let Err(mut errors) = parse_with(&format!("{BASE}{more}")) else { return "no diagnostic\n".to_owned() };
    let base = BASE.lines().count();
    errors.diagnostics.iter_mut().for_each(|diagnostic| diagnostic.line -= base);
    format!("{errors}\n")
}

/// Compares the diagnostics of [`BASE`] and `more` with a snapshot.
fn check(more: &str, expected: &Expect) {
    expected.assert_eq(&diagnostics_of(more));
}
