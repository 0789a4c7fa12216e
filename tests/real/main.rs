//! The tests that need servers: the contract suite against each real backend, and what holds only with them. They run
//! with `cargo verify --all`; the servers are installed and started if they are not up.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod servers;
mod shortcomings;
#[path = "../contract/suites/mod.rs"]
mod suites;

suites::contract!(on_servers, crate::servers::open);
