//! The tests of the whole, in one binary, since each that links the host takes long to link. A folder for each topic; in
//! it `slow` holds what takes long and wants the machine for itself, `on_servers` what needs servers, which are
//! installed and started if they are not up. `cargo verify` runs all but `on_servers`, `cargo verify --servers` all;
//! `on_aws` runs on AWS itself, with `cargo verify --aws`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod backends;
mod faults;
mod host;
mod project;
mod scenarios;
mod spin;
mod tools;
