//! Backends: the contract (`tests/contract`) for each, and tests of single backends.

mod crash;
mod embedded;
mod grants;
mod identity;
pub mod on_servers;
mod redrive;
pub mod scripted;
mod signer;

tests::contract!(on_embedded, tests::contract::embedded::open);
tests::contract_of_tasks!(tasks_on_embedded, tests::contract::embedded::open);
tests::contract_of_event_log!(event_log_on_embedded, tests::contract::embedded::open);
