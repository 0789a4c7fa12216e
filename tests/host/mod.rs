//! The host from outside: command line, HTTP, swaps, sandboxes, hostile guests, traces.

mod bad_events;
mod changes;
mod cli;
mod components;
mod gateway;
mod hostile;
mod objects;
mod on_servers;
pub mod sandbox;
mod slow;
mod swap;
mod tasks;
mod trace;
