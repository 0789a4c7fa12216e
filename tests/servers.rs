//! The tests that need servers: the contract suite against each real backend, and what holds only with them. They run
//! with `cargo verify --servers`; the servers are installed and started if they are not up. `on_aws` runs on AWS itself,
//! with `cargo verify --aws`.
//!
//! The embedded rows of docs/parity.md run here too; the scripted ones run in the binary `fast`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod backends {
    mod amazon;
    pub mod config;
    mod leases;
    mod parity;
    pub mod servers;
    mod shortcomings;

    tests::contract!(on_embedded, tests::contract::embedded::open);
    tests::contract!(on_servers, crate::backends::servers::open);
    tests::contract_of_aws!(on_aws, crate::backends::amazon::open);
}
mod faults {
    mod servers;
}
mod host {
    mod commands;
}
mod tools {
    mod bench_on_servers;
    mod demo_on_servers;
}
