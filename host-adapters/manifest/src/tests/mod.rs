//! Manifests in, applications or mistakes out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod builds;
mod mistakes;
mod project;
mod ranges;
mod routes;
mod runtime_config;
mod schema;
mod variables;

use super::*;
use expect_test::Expect;

/// A manifest without a mistake that each test adds to.
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
    parse(Path::new("spin.toml"), text, &Given::default())
}

/// The application of [`BASE`] with `more`.
fn app(more: &str) -> App {
    parse_with(&format!("{BASE}{more}")).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// What is wrong with [`BASE`] and `more`; lines are counted from the first of `more`.
fn mistakes_of(more: &str) -> String {
    let Err(mut errors) = parse_with(&format!("{BASE}{more}")) else { return "no mistake\n".to_owned() };
    let base = BASE.lines().count();
    errors.mistakes.iter_mut().for_each(|mistake| mistake.line -= base);
    format!("{errors}\n")
}

/// Compares the mistakes of [`BASE`] and `more` with a snapshot.
fn check(more: &str, expected: &Expect) {
    expected.assert_eq(&mistakes_of(more));
}
