//! Shared by the tests: the whole host in one process, with the project's spin.toml and the fakes, and requests to
//! both.
//!
//! - [`TestHost`] starts the host and sends requests to it.
//! - [`Fan`] is a fan who registers, [`Signer`] signs tokens that the host accepts.
//! - [`aws`] makes AWS clients for servers that do not check credentials.
//! - [`components`] makes files to swap in.
//! - [`log`] has the log of the hosts in this process, [`wait`] waits for asynchronous events.
//! - [`manifest`] makes changed copies of spin.toml.
//! - [`project`] makes copies of the project for tests that change it.
//! - [`workers`] lists the workers of spin.toml, and reads their fixtures.
//! - [`Child`] is the host in a separate process, for tests that set its environment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "an error here fails the calling test"
)]

pub mod contract;
mod support;

pub use support::*;
