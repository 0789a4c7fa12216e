//! The tests that need no server of somebody else's. Each topic has a folder; what runs with servers, or takes long, is
//! in the same folders and belongs to the binaries `servers` and `slow`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod backends {
    mod crash;
    mod embedded;
    mod grants;
    mod identity;
    mod redrive;
    mod scripted;
    mod signer;

    tests::contract!(on_embedded, tests::contract::embedded::open);
}
mod host {
    mod bad_events;
    mod cli;
    mod hostile;
    pub mod sandbox;
    mod swap;
    mod trace;
}
mod project {
    mod contract;
    mod fuzz;
    mod readme;
    mod tidy;
}
mod scenarios;
mod spin;
mod tools {
    mod bench_output;
}
