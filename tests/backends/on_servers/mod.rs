//! The contract on real servers, and tests that need them.

pub mod amazon;
pub mod config;
mod event_ruler;
pub mod foreign_tables;
pub mod kafka;
mod kinesis;
mod leases;
mod notifications;
mod parity;
mod reads;
mod secrets;
pub mod servers;
mod shortcomings;
mod step_functions;
mod topics;

tests::contract!(contract, crate::backends::on_servers::servers::open);
tests::contract_of_event_log!(event_log_on_kafka, crate::backends::on_servers::kafka::open);
tests::contract_of_aws!(on_aws, crate::backends::on_servers::amazon::open);
