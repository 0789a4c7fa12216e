//! The promises of docs/delivery.md, at least one test a line, on tokio's paused clock, against the models in `model`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    non_snake_case,
    reason = "tests"
)]

mod attempts;
mod dead_letters;
mod ends;
mod event_log;
mod fifo;
mod gathering;
mod kinesis;
mod measures;
mod model;
mod objects;
mod parts;
mod pause_and_drain;
mod queue;
mod retention;
mod shared_stream;
mod simulation;
mod stream;
mod stream_failures;
mod stream_leases;
mod tasks;

use std::collections::BTreeSet;
use std::path::Path;

/// Makes each row a test on paused time. A row's name begins with the line of docs/delivery.md that it tests.
#[macro_export]
macro_rules! rows {
    ($($(#[doc = $doc:literal])* $name:ident $body:block)+) => {
        $(const _: () = assert!(
            matches!(stringify!($name).as_bytes(), [b'd', b'0'..=b'9', ..]),
            "a row is named after a line of docs/delivery.md",
        );)+
        $($(#[doc = $doc])* #[tokio::test(start_paused = true)] async fn $name() $body)+
    };
}

/// The number of a line of docs/delivery.md, `- **3.4** …`.
fn line_number(line: &str) -> Option<String> {
    let (number, _) = line.strip_prefix("- **")?.split_once("** ")?;
    Some(number.to_owned())
}

/// The number in the name of a row, `d3_4__a_message_…`.
fn row_number(line: &str) -> Option<String> {
    let name = line.trim_start().trim_start_matches("async ").trim_start_matches("fn ");
    let (number, _) = name.strip_prefix('d')?.split_once("__")?;
    let (section, line) = number.split_once('_')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(section) && is_number(line)).then(|| format!("{section}.{line}"))
}

fn add_row_numbers(folder: &Path, numbers: &mut BTreeSet<String>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            add_row_numbers(&path, numbers);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            numbers.extend(std::fs::read_to_string(&path).unwrap().lines().filter_map(row_number));
        }
    }
}

/// Some lines are tested by the contract of the backends or on real servers, so all tests of the project are searched.
#[test]
fn every_rule_has_its_row() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let document = std::fs::read_to_string(project.join("docs/delivery.md")).unwrap();
    let lines: BTreeSet<String> = document.lines().filter_map(line_number).collect();
    let mut rows = BTreeSet::new();
    add_row_numbers(&project.join("components"), &mut rows);
    add_row_numbers(&project.join("host-adapters"), &mut rows);
    add_row_numbers(&project.join("tests"), &mut rows);
    assert!(lines.len() > 50, "docs/delivery.md has {} numbered lines", lines.len());
    let without_row: Vec<&String> = lines.difference(&rows).collect();
    let without_line: Vec<&String> = rows.difference(&lines).collect();
    assert!(without_row.is_empty(), "lines of docs/delivery.md without a test: {without_row:?}");
    assert!(without_line.is_empty(), "tests without a line of docs/delivery.md: {without_line:?}");
}
