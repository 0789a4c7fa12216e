//! The fast tests, one binary: everything that needs no server of somebody else's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bad_events;
mod bench;
mod built;
mod cli;
#[path = "../contract/mod.rs"]
mod contract;
mod fuzz;
mod hostile;
mod readme;
mod sandbox;
mod scenarios;
mod spin_linker;
#[path = "../contract/suites/mod.rs"]
mod suites;
mod swap;
mod tidy;
mod trace;
