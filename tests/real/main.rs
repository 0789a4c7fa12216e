//! The tests that need servers: the contract suite against each real backend, and what holds only with them. They run
//! with `cargo verify --servers`; the servers are installed and started if they are not up. `on_aws` runs on AWS
//! itself, with `cargo verify --aws`.
//!
//! The other rows of docs/parity.md run here too, so that one run proves the whole table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod amazon;
mod bench;
mod commands;
mod config;
mod demo;
#[path = "../contract/embedded.rs"]
mod embedded;
mod faults;
mod leases;
mod parity;
#[path = "../contract/scripted/mod.rs"]
mod scripted;
mod servers;
mod shortcomings;
#[path = "../contract/suites/mod.rs"]
mod suites;

suites::contract!(on_embedded, crate::embedded::open);
suites::contract!(on_servers, crate::servers::open);
suites::contract_of_aws!(on_aws, crate::amazon::open);
