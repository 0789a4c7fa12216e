//! The delivery semantics, one row per rule: of peers A (SQS to worker), B (the queue) and C (streams), and of its goal
//! table (`goal_4` and so on). All on tokio's paused clock, against the models in `model`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    non_snake_case,
    reason = "tests"
)]

mod gathering;
mod measures;
mod model;
mod pause_and_drain;
mod queue;
mod settings;
mod simulation;
mod stream;
mod stream_failures;
mod stream_leases;

/// Makes each row a test whose name begins with the rule's number, and lists them for [`every_rule_has_its_row`].
#[macro_export]
macro_rules! rows {
    ($($(#[doc = $doc:literal])* $name:ident $body:block)+) => {
        pub const ROWS: &[&str] = &[$(stringify!($name)),+];
        $($(#[doc = $doc])* #[tokio::test(start_paused = true)] async fn $name() $body)+
    };
}

/// What this owes; A10 is the heartbeat in its place.
const OWED: &[&str] = &[
    "a1", "a2", "a3", "a6", "a8", "a10", "a12", "b1", "b2", "c2", "c3", "c4", "c5", "c6", "c7", "c10", "c11", "e2",
    "e4", "e5", "goal_4", "goal_5", "goal_7", "goal_11", "goal_15", "goal_16", "goal_21",
];

#[test]
fn every_rule_has_its_row() {
    let tables = [
        gathering::ROWS,
        measures::ROWS,
        queue::ROWS,
        settings::ROWS,
        stream::ROWS,
        stream_failures::ROWS,
        stream_leases::ROWS,
        pause_and_drain::ROWS,
    ];
    let rows: Vec<&str> = tables.concat();
    println!("{} rows:\n{}", rows.len(), rows.join("\n"));
    let covers = |rule: &str, row: &str| row.strip_prefix(rule).is_some_and(|rest| rest.starts_with("__"));
    for rule in OWED {
        assert!(rows.iter().any(|row| covers(rule, row)), "{rule} has no row");
    }
    for row in &rows {
        assert!(OWED.iter().any(|rule| covers(rule, row)), "{row} belongs to no rule");
    }
}
