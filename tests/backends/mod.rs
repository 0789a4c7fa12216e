//! Backends: the contract (`tests/contract`) against each, and what is particular to one.

mod crash;
mod embedded;
mod grants;
mod identity;
pub mod on_servers;
mod redrive;
mod scripted;
mod signer;

tests::contract!(on_embedded, tests::contract::embedded::open);
