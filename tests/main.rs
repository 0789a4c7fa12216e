//! The tests of the whole project, in one binary, because linking the host takes long. Each topic has a folder. In it
//! `slow` has tests that take long and need the machine for themselves, and `on_servers` those that need servers, which
//! are installed and started if they are not up. `cargo verify` runs all tests but `on_servers`, `cargo verify
//! --servers` all; `on_aws` runs on AWS itself, with `cargo verify --aws`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod backends;
mod faults;
mod host;
mod operations;
mod project;
mod scenarios;
mod spin;
mod tools;
