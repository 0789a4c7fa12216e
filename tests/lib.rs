//! What the tests share: the whole host in one process, on the real spin.toml and the fakes, and what a test asks of
//! it.
//!
//! - [`TestHost`] is the funnel: it starts the host and is asked for everything.
//! - [`Fan`] is who registers, [`Signer`] whose tokens the host believes.
//! - [`aws`] makes clients of AWS for servers that check no credentials.
//! - [`components`] are files to swap in.
//! - [`log`] is what the host of this process logged, [`wait`] the patience with what happens by itself.
//! - [`manifest`] is spin.toml with something changed.
//! - [`project`] is copied for tests that change it.
//! - [`workers`] are those of spin.toml, and their fixtures.
//! - [`Child`] is the host as a process of its own, where its environment counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong here fails the test that asked for it"
)]

pub mod contract;
mod support;

pub use support::*;
